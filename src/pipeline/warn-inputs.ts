import { decodeEvents, type Event, type EventFrame } from '../domain/event.js';
import { hitSchema, type Hit } from '../domain/hit.js';
import type { Speaker } from '../domain/warning-policy.js';
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

/** What was said about a warning in a shape that is not known here. Its words stay in the archive. */
export interface UnreadCommand {
  readonly type: string;
  /** Id of the warning. */
  readonly warning: string;
  /** What of it has another shape. */
  readonly field: string;
}

export interface SaidCommand {
  /** Of its event. */
  readonly id: string;
  /** ISO 8601, when it was said. */
  readonly time: string;
  readonly command: WarningCommand;
  readonly speaker: Speaker;
}

/** The records that were not taken before, and the marks that then stand. Throws `LogDamaged`. */
export function newInputs(records: readonly LogRecord[], known: Readonly<Record<string, number>>, partition: number) {
  const marks: Record<string, number> = { ...known };
  const inputs: WarnInput[] = [];
  const unread: UnreadCommand[] = [];
  for (const record of records) {
    const frame = frameOf(partition, record);
    if (frame.sequence <= (marks[frame.producer] ?? -1)) continue;
    marks[frame.producer] = frame.sequence;
    inputs.push(inputOf(frame, partition, record.offset, (command) => unread.push(command)));
  }
  return { inputs, marks, unread };
}

function inputOf(
  { events, timeMs }: EventFrame,
  partition: number,
  offset: number,
  onUnread: (command: UnreadCommand) => void,
): WarnInput {
  const hits: Hit[] = [];
  const commands: SaidCommand[] = [];
  for (const event of events) {
    if (event.type === 'hit.found') {
      const hit = hitOf(event, partition, offset);
      if (hit.state === 'active') hits.push(hit);
      continue;
    }
    // What is no command about warnings is for somebody else.
    if (!event.type.startsWith('warning.')) continue;
    const { data: command, error } = warningCommandSchema.safeParse(event);
    if (command) commands.push({ id: event.id, time: event.time, command, speaker: speakerOf(event) });
    else onUnread({ type: event.type, warning: event.subject, field: error?.issues[0]?.path.join('.') ?? '' });
  }
  // Frames of earlier releases do not say when they were put on the log.
  return { timeMs: timeMs ?? Math.max(0, ...hits.map(({ receivedAtMs }) => receivedAtMs)), hits, commands };
}

/** Dispatch alone speaks for recipients' systems. */
function speakerOf({ source }: Event): Speaker {
  return source.startsWith('huqi/dispatch/') ? 'receiver' : 'person';
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
