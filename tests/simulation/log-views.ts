import { decodeEvents, type Event, type EventFrame } from '../../src/domain/event.js';
import { readFrame } from '../../src/domain/frame.js';
import type { Topic } from '../../src/ports/log.js';
import type { LogServer } from './log.js';

/** What stands on the log. */
export function eventsOn(log: LogServer, topic: Topic): Event[] {
  return framesOn(log, topic).flatMap(({ events }) => events);
}

/** Without the commands that stand among them. */
export const hitsOn = (log: LogServer): Event[] => eventsOn(log, 'hits').filter(({ type }) => type.startsWith('hit.'));

export function framesOn(log: LogServer, topic: Topic) {
  const all = Array.from({ length: log.partitions(topic) }, (_, partition) =>
    log.records(topic, partition).map(({ value }) => ({ ...frameOf(value), partition })),
  );
  return all.flat();
}

/** A record on the log is the same for ever: it is decoded once. */
const decoded = new WeakMap<Uint8Array, EventFrame>();

function frameOf(value: Uint8Array): EventFrame {
  let frame = decoded.get(value);
  if (!frame) decoded.set(value, (frame = decodeEvents(value)));
  return frame;
}

interface LegOnLog {
  readonly text: string;
  readonly roles: number;
  readonly flags: number;
  readonly start: number;
}

export function* entriesOn(log: LogServer, partition: number): Generator<LegOnLog> {
  for (const { value } of log.records('transactions', partition)) {
    for (const { roles, flags, start, end } of readFrame(value)) {
      yield { text: Buffer.from(value.subarray(start, end)).toString(), roles, flags, start };
    }
  }
}
