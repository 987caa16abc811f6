import { decodeEvents, type Event, type EventFrame } from '../domain/event.js';
import { hitSchema, type Hit } from '../domain/hit.js';
import { warningCommandSchema, type WarningCommand } from '../domain/warning-command.js';
import type { LogRecord } from '../ports/log.js';
import { LogDamaged } from './transaction-frames.js';

/** What one record of `hits` brings: hits that a batch of scoring has found, or what people have said. */
export interface WarnInput {
  /** When it was put on the log. */
  readonly timeMs: number;
  /** Of patterns in force. */
  readonly hits: readonly Hit[];
  readonly commands: readonly SaidCommand[];
}

export interface SaidCommand {
  /** Of its event. */
  readonly id: string;
  /** ISO 8601, when it was said. */
  readonly time: string;
  readonly command: WarningCommand;
}

/** The records that were not taken before, and the marks that then stand. Throws `LogDamaged`. */
export function newInputs(records: readonly LogRecord[], known: Readonly<Record<string, number>>, partition: number) {
  const marks: Record<string, number> = { ...known };
  const inputs: WarnInput[] = [];
  for (const record of records) {
    const frame = frameOf(partition, record);
    if (frame.sequence <= (marks[frame.producer] ?? -1)) continue;
    marks[frame.producer] = frame.sequence;
    inputs.push(inputOf(frame, partition, record.offset));
  }
  return { inputs, marks };
}

function inputOf({ events, timeMs }: EventFrame, partition: number, offset: number): WarnInput {
  const hits: Hit[] = [];
  const commands: SaidCommand[] = [];
  for (const event of events) {
    if (event.type === 'hit.found') {
      const hit = hitOf(event, partition, offset);
      if (hit.state === 'active') hits.push(hit);
      continue;
    }
    // What is no command about warnings is for somebody else.
    const command = warningCommandSchema.safeParse(event).data;
    if (command) commands.push({ id: event.id, time: event.time, command });
  }
  // Frames of earlier releases do not say when they were put on the log.
  return { timeMs: timeMs ?? Math.max(0, ...hits.map(({ receivedAtMs }) => receivedAtMs)), hits, commands };
}

function hitOf(event: Event, partition: number, offset: number): Hit {
  const result = hitSchema.safeParse(event.data);
  if (result.success) return result.data;
  const path = result.error.issues[0]?.path.join('.') ?? '';
  throw new LogDamaged('hits', partition, offset, `a hit in it has another shape: ${path}`);
}

function frameOf(partition: number, { offset, value }: LogRecord): EventFrame {
  try {
    return decodeEvents(value);
  } catch (cause) {
    throw new LogDamaged('hits', partition, offset, 'it is not a frame of events', { cause });
  }
}
