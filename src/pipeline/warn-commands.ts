import { decodeEvents, encodeEvents } from '../domain/event.js';
import type { Log, LogRecord, ReadLimit } from '../ports/log.js';
import { LogDamaged } from './transaction-frames.js';

/**
 * Hands what people say on to the partition of `hits` that their warnings come from, each record of `commands` in a frame of its
 * own: so hits and commands have one order, which the log keeps, and whoever reads it again comes to the same revisions.
 */
export interface CommandListener {
  /** Offset of `commands` up to which all was handed on; null before the first. */
  position(): number | null;
  /** Rejects with what stopped it. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

export interface CommandListenerOptions {
  readonly log: Log;
  readonly partition: number;
  /** Where to go on; null = with the first kept. */
  readonly from: number | null;
  readonly limit: ReadLimit;
  readonly clock: { now(): number };
}

/** How long it waits before it looks whether it should stop. */
const listenMs = 10_000;

export const commandsProducer = (partition: number) => `commands/${partition}`;

/** The number of a handed-on record; what was handed on is all below it. */
const sequenceOf = (offset: number): number => offset + 1;

export function listenToCommands({ log, partition, from, limit, clock }: CommandListenerOptions): CommandListener {
  const stopping = new AbortController();
  let position = from;
  const done = listen();
  done.catch(() => undefined);

  async function listen(): Promise<void> {
    let next = position ?? (await log.bounds('commands', partition)).first;
    while (!stopping.signal.aborted) {
      const batch = await log.read('commands', partition, next, limit);
      if (batch.records.length === 0) {
        await log.waitFor('commands', partition, next, listenMs, stopping.signal);
        continue;
      }
      await log.append(batch.records.map((record) => ({ topic: 'hits', partition, value: handOn(record) })));
      next = batch.next;
      position = next;
    }
  }

  function handOn({ offset, value }: LogRecord): Uint8Array {
    try {
      const { events } = decodeEvents(value);
      return encodeEvents({ producer: commandsProducer(partition), sequence: sequenceOf(offset), timeMs: clock.now(), events });
    } catch (cause) {
      throw new LogDamaged('commands', partition, offset, 'it is not a frame of events', { cause });
    }
  }

  return {
    position: () => position,
    done,
    async stop() {
      stopping.abort();
      await done.catch(() => undefined);
    },
  };
}
