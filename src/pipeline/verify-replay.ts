import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log, LogRecord, OutgoingRecord } from '../ports/log.js';
import type { Change, State, StateEntry } from '../ports/state.js';
import { createEngine } from '../scoring/engine.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { decodeJson } from './checkpoint.js';
import { journalEntryPrefix, journalEntrySchema, journalHeadKey, journalSlot, type JournalEntry } from './journal.js';
import { memoriesHere } from './score-memory.js';
import { openScorePartition } from './score-partition.js';
import { readBetween } from './transaction-frames.js';

/**
 * Scores a partition of the log once more: the scorer of the platform itself, on the log as it is and on a state of its own in
 * memory, each batch under the pattern set that the journal names. What it would append is handed back instead.
 */
export interface ReplayedBatch {
  readonly from: number;
  readonly upTo: number;
  /** Hits, what was set aside, and what other partitions are told. */
  readonly outputs: readonly OutgoingRecord[];
}

/** What the journal keeps of a partition. */
export interface JournalView {
  /** The batch written last, read before the entries. */
  readonly head: JournalEntry;
  /** Oldest first. */
  readonly entries: readonly JournalEntry[];
}

export interface ReplayOptions {
  readonly log: Log;
  readonly patternStore: { load(id: string): Promise<PatternSet> };
  readonly partition: number;
  readonly journal: JournalView;
  /** Records from here on are not asked for. */
  readonly upTo: number;
  readonly quarantinedMax: number;
}

/** Records of batches that the journal does not name any more. */
const batchRecords = 64;
const readLimit = { recordsMax: 1_024, bytesMax: 16 * 2 ** 20 };
const pageEntries = 256;
/** Nothing is compared that says when it was scored. */
const clock = { now: () => 0 };

/** Null before the first batch. */
export async function readJournal(state: State, partition: number): Promise<JournalView | null> {
  const slot = journalSlot(partition);
  const [value] = await state.get(slot, [journalHeadKey]);
  const head = value ? journalEntrySchema.parse(decodeJson(value)) : null;
  if (!head || head.sequence === 0) return null;
  const entries: JournalEntry[] = [];
  let after: string | undefined;
  for (;;) {
    const page: StateEntry[] = await state.scan(slot, {
      prefix: journalEntryPrefix,
      limit: pageEntries,
      ...(after === undefined ? {} : { after }),
    });
    entries.push(...page.map((entry) => journalEntrySchema.parse(decodeJson(entry.value))));
    after = page.at(-1)?.key;
    if (page.length < pageEntries) break;
  }
  // A running scorer goes on meanwhile.
  return { head, entries: entries.filter(({ sequence }) => sequence <= head.sequence) };
}

export async function* replayPartition(options: ReplayOptions): AsyncGenerator<ReplayedBatch> {
  const { log, partition, patternStore, quarantinedMax } = options;
  const { first } = await log.bounds('transactions', partition);
  const outputs: OutgoingRecord[] = [];
  let setId = keptEntries(options.journal)[0].patternSetId;
  const { processor } = await openScorePartition(
    {
      log: replayedLog(log, partition, first, (records) => void outputs.push(...records)),
      state: createScratchState(),
      patternStore: { currentId: () => Promise.resolve(setId), load: (id) => patternStore.load(id) },
      openMemory: memoriesHere({ createEngine, clock }),
      clock,
      newId: counter(),
      settings: { limit: readLimit, pollMs: 0, quarantinedMax },
    },
    partition,
  );
  try {
    for (const { from, upTo, patternSetId } of stretches(options, first)) {
      setId = patternSetId;
      // Kept by the store: a set that cannot be loaded is told here, where scoring would go on under the one before.
      await patternStore.load(patternSetId);
      const records: LogRecord[] = [];
      for await (const batch of readBetween(log, 'transactions', partition, from, upTo, readLimit))
        records.push(...batch.records);
      outputs.length = 0;
      await processor.process({ records, next: upTo });
      yield { from, upTo, outputs: [...outputs] };
      await nextTurn();
    }
  } finally {
    await processor.close();
  }
}

interface Stretch {
  readonly from: number;
  readonly upTo: number;
  readonly patternSetId: string;
}

/**
 * Batches from the first kept record on: those that the journal has forgotten, under the oldest set that it names, then each as it
 * was written.
 */
function* stretches({ journal, upTo }: ReplayOptions, first: number): Generator<Stretch> {
  let at = first;
  for (const entry of keptEntries(journal)) {
    // What lies before is forgotten; later on it is a hole in the journal, which the check of the chains tells of.
    const { patternSetId } = entry;
    for (const end = Math.min(entry.from, upTo); at < end;) {
      const next = Math.min(at + batchRecords, end);
      yield { from: at, upTo: next, patternSetId };
      at = next;
    }
    const end = Math.min(entry.upTo, upTo);
    if (at >= end) continue;
    yield { from: at, upTo: end, patternSetId };
    at = end;
  }
}

export function keptEntries({ head, entries }: JournalView): readonly [JournalEntry, ...JournalEntry[]] {
  const [oldest, ...later] = entries;
  return oldest ? [oldest, ...later] : [head];
}

/** The log to read from; what is appended goes to `append`. Its beginning stays where it was, even while old records leave it. */
function replayedLog(log: Log, partition: number, first: number, append: (records: readonly OutgoingRecord[]) => void): Log {
  const refuse = (): never => {
    throw new Error('a replay neither joins nor trims nor closes the log');
  };
  return {
    partitions: (topic) => log.partitions(topic),
    read: (topic, at, from, limit) => log.read(topic, at, from, limit),
    waitFor: (topic, at, from, timeoutMs, signal) => log.waitFor(topic, at, from, timeoutMs, signal),
    async bounds(topic, at) {
      const bounds = await log.bounds(topic, at);
      return topic === 'transactions' && at === partition ? { ...bounds, first } : bounds;
    },
    append: (records) => Promise.resolve(append(records)),
    join: refuse,
    trim: refuse,
    close: refuse,
  };
}

/** Enough of a state for one journal. */
function createScratchState(): State {
  const slots = new Map<string, Map<string, Uint8Array>>();
  const slotOf = (name: string): Map<string, Uint8Array> => {
    const slot = slots.get(name) ?? new Map<string, Uint8Array>();
    slots.set(name, slot);
    return slot;
  };
  const holds = (value: Uint8Array | undefined, expected: Uint8Array | null): boolean =>
    expected === null ? value === undefined : value !== undefined && Buffer.compare(value, expected) === 0;
  return {
    get: (slot, keys) => Promise.resolve(keys.map((key) => slotOf(slot).get(key) ?? null)),
    scan: (slot, { prefix, after = '', limit }) => {
      const keys = [...slotOf(slot).keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
      return Promise.resolve(keys.slice(0, limit).map((key) => ({ key, value: slotOf(slot).get(key)! })));
    },
    commit: (slot, { expect = [], put = [], delete: removed = [] }: Change) => {
      const keys = slotOf(slot);
      if (!expect.every(({ key, value }) => holds(keys.get(key), value))) return Promise.resolve('conflict');
      for (const key of removed) keys.delete(key);
      for (const { key, value } of put) keys.set(key, value);
      return Promise.resolve('committed');
    },
    close: () => Promise.resolve(),
  };
}

function counter(): () => string {
  let count = 0;
  return () => `replay-${++count}`;
}
