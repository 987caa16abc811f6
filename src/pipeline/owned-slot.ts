import { z } from 'zod';
import { encodeEventsWithin, type Event } from '../domain/event.js';
import type { Log, OutgoingRecord, Topic } from '../ports/log.js';
import type { State, StateEntry } from '../ports/state.js';
import { decodeJson, encodeJson, openCheckpoints } from './checkpoint.js';
import { watchOwnership } from './ownership-watch.js';

/** An event to be appended once the change it belongs to is durable. */
export interface Emission {
  readonly topic: Topic;
  readonly partition: number;
  readonly event: Event;
}

export interface SlotChange<H> {
  readonly head?: Partial<H>;
  readonly put?: readonly StateEntry[];
  readonly delete?: readonly string[];
  readonly emit?: readonly Emission[];
}

/**
 * One slot of the state that one owner writes: a head (positions and the like), keys, and an outbox of events, all in one
 * commit of a checkpoint chain, so that an owner that was replaced without knowing it cannot write any more.
 * Changes handed in while a commit is under way go into the next one together.
 */
export interface OwnedSlot<H> {
  readonly head: Readonly<H>;
  /** Resolves when the change is durable and its events are on the log. What it throws stops every later commit as well. */
  commit(change: SlotChange<H>): Promise<void>;
  /** Waits for what was handed in, and clears the outbox: after it nothing is said again. Never rejects. */
  close(): Promise<void>;
}

export interface OpenSlotOptions<H> {
  readonly state: State;
  readonly log: Log;
  readonly slot: string;
  readonly newId: () => string;
  readonly head: z.ZodType<H>;
  readonly initial: H;
  /** Told when it shows that another owner has written to the slot while this one had nothing to write. */
  readonly onLost?: (fault: unknown) => void;
}

interface Body<H> {
  /** Counts the frames this slot has emitted, as the producer's sequence. */
  readonly sequence: number;
  readonly data: H;
}

export const ownedHeadKey = 'head';
const outboxPrefix = 'outbox/';
const changesPerCommitMax = 256;
const outboxEntriesMax = 10_000;
/** Far below what a broker takes (15 MiB): two hundred enterprises with fifty hits each fill as much. */
const frameBytesMax = 4 * 2 ** 20;
const storedOutboxSchema = z.array(z.object({ topic: z.string(), partition: z.int(), frame: z.base64() }));

/** Takes the slot over: appends what an earlier owner left in the outbox again (same producer, same sequence), then owns it. */
export async function openOwnedSlot<H extends object>(options: OpenSlotOptions<H>): Promise<OwnedSlot<H>> {
  const { state, log, slot, newId } = options;
  const schema = z.object({ id: z.string(), previous: z.string().nullable(), sequence: z.int(), data: options.head });
  const chain = await openCheckpoints<Body<H>>({ state, log, slot, key: ownedHeadKey, newId, schema });
  let { sequence, data: head } = chain.head ?? { sequence: 0, data: options.initial };

  const left = await state.scan(slot, { prefix: outboxPrefix, limit: outboxEntriesMax });
  await chain.advance({ sequence, data: head });
  const again = left.flatMap(({ value }) => decodeOutbox(value));
  if (again.length > 0) await log.append(again);
  let sent: readonly string[] = left.map(({ key }) => key);

  type Waiting = { change: SlotChange<H>; resolve: () => void; reject: (fault: unknown) => void };
  const waiting: Waiting[] = [];
  let running: Promise<void> | null = null;
  let broken: { readonly fault: unknown } | null = null;
  const stopWatching = watchOwnership(
    () => chain.verify(),
    (fault) => {
      broken ??= { fault };
      options.onLost?.(fault);
    },
  );

  return {
    get head() {
      return head;
    },
    commit(change) {
      if (broken) return Promise.reject(broken.fault);
      return new Promise<void>((resolve, reject) => {
        waiting.push({ change, resolve, reject });
        running ??= commitWaiting();
      });
    },
    async close() {
      stopWatching();
      await running;
      // Where it fails, the next owner says the last frame again, which receivers drop.
      if (sent.length > 0 && !broken) await commitTogether([]).catch(() => undefined);
    },
  };

  async function commitWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, changesPerCommitMax);
      try {
        if (broken) throw broken.fault;
        await commitTogether(batch.map(({ change }) => change));
        for (const { resolve } of batch) resolve();
      } catch (fault) {
        broken = { fault };
        for (const { reject } of batch) reject(fault);
      }
    }
    running = null;
  }

  async function commitTogether(changes: readonly SlotChange<H>[]): Promise<void> {
    const change = merge(changes);
    const emissions = changes.flatMap(({ emit }) => emit ?? []);
    const nextHead = { ...head, ...change.head };
    const { records, last: nextSequence } = toRecords(emissions, slot, sequence);
    // Where the events go to the log in the commit itself, none is ever left over.
    const outbox =
      records.length > 0 && !state.together
        ? [{ key: `${outboxPrefix}${String(nextSequence).padStart(16, '0')}`, value: encodeOutbox(records) }]
        : [];
    await chain.advance(
      { sequence: nextSequence, data: nextHead },
      // What the commit before this one emitted is on the log by now.
      { put: () => [...change.put, ...outbox], delete: [...change.delete, ...sent], append: records },
    );
    head = nextHead;
    sequence = nextSequence;
    sent = outbox.map(({ key }) => key);
  }
}

function merge<H>(changes: readonly SlotChange<H>[]): { head: Partial<H>; put: StateEntry[]; delete: string[] } {
  const byKey = new Map<string, Uint8Array | null>();
  let head: Partial<H> = {};
  for (const change of changes) {
    head = { ...head, ...change.head };
    for (const key of change.delete ?? []) byKey.set(key, null);
    for (const { key, value } of change.put ?? []) byKey.set(key, value);
  }
  const put: StateEntry[] = [];
  const removed: string[] = [];
  for (const [key, value] of byKey) {
    if (value === null) removed.push(key);
    else put.push({ key, value });
  }
  return { head, put, delete: removed };
}

/** A frame per topic and partition, more where one would become too large; numbered from the one after `sequence` to `last`. */
function toRecords(
  emissions: readonly Emission[],
  producer: string,
  sequence: number,
): { readonly records: OutgoingRecord[]; readonly last: number } {
  const byTarget = new Map<string, { topic: Topic; partition: number; events: Event[] }>();
  for (const { topic, partition, event } of emissions) {
    const key = `${topic}/${partition}`;
    const target = byTarget.get(key) ?? { topic, partition, events: [] };
    target.events.push(event);
    byTarget.set(key, target);
  }
  let last = sequence;
  const records = [...byTarget.values()].flatMap(({ topic, partition, events }) => {
    const frames = encodeEventsWithin(frameBytesMax, { producer, sequence: sequence + 1 }, events);
    last = Math.max(last, sequence + frames.length);
    return frames.map((value) => ({ topic, partition, value }));
  });
  return { records, last };
}

function encodeOutbox(records: readonly OutgoingRecord[]): Uint8Array {
  return encodeJson(
    records.map(({ topic, partition, value }) => ({ topic, partition, frame: Buffer.from(value).toString('base64') })),
  );
}

function decodeOutbox(value: Uint8Array): OutgoingRecord[] {
  const stored = storedOutboxSchema.parse(decodeJson(value));
  return stored.map(({ topic, partition, frame }) => ({ topic: topic as Topic, partition, value: Buffer.from(frame, 'base64') }));
}
