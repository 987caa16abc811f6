import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeForward, role, type ForwardEntry } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { encodeReference } from '../domain/reference-record.js';
import type { Reference } from '../domain/reference.js';
import { partitionOf } from '../domain/partition.js';
import { transactionTimeMs } from '../domain/event-time.js';
import type { LogRecord, OutgoingRecord } from '../ports/log.js';
import { createBatch } from '../scoring/batch.js';
import { copyState, createStateReader } from '../scoring/snapshot-codec.js';
import type { TransactionView } from '../scoring/transaction-view.js';
import type { FrameViews } from './frame-views.js';
import { createHighWater, type Marks } from './high-water.js';
import { outputRecords, type Quarantined, type RecordOutputs } from './score-outputs.js';
import type { Engine, Owns, PatternSetIdentity } from './score.js';
import { type Chunks, packed, unpacking } from './snapshot-packing.js';
import { eachBatch, type Takers } from './transaction-frames.js';

/**
 * All that a partition's log so far has made: the engine and what was had from other partitions, on this thread or on another
 * one. Whoever holds it asks for one thing after the other.
 */
export interface PartitionMemory<Patterns extends PatternSetIdentity = PatternSetIdentity> {
  /** The set in force. */
  readonly patternSet: Patterns;
  /**
   * Takes the records in and gives what they led to. Throws `BatchFault` where scoring failed on a batch (the memory is of no
   * use then), `ScoringFault` where it failed on too many one by one, and `LogDamaged`.
   */
  score(records: readonly LogRecord[], how: Asking): Promise<Scored>;
  /** Takes records in that were scored before: looks for nothing, tells nothing. Entries of transactions among them. */
  warm(records: readonly LogRecord[], how: Asking): Promise<number>;
  /** True when the memory fits the new set, which is then in force. */
  adopt(set: Patterns): Promise<boolean>;
  /** A copy for a snapshot; null where the engine has none. Nothing else is asked for until it is there. */
  copy(): Promise<MemoryCopy | null>;
  /**
   * Takes a copy's packed chunks over, the first before all others, and at last its marks; only for a memory that has seen
   * nothing.
   */
  restore(): Restoring;
  /** It is of no use any more. */
  close(): void;
}

export interface Asking {
  /** One by one, so that it shows on which transaction scoring fails. */
  readonly oneByOne: boolean;
}

/** What came of some records. */
export interface Scored {
  readonly outputs: readonly OutgoingRecord[];
  /** Debit legs scored, so that over all partitions each transaction is counted once. */
  readonly transactions: number;
  readonly others: Others;
  readonly quarantined: number;
  readonly hits: readonly HitCount[];
}

export interface HitCount {
  readonly pattern: string;
  readonly severity: string;
  readonly count: number;
}

/** Entries that are no transactions. */
export interface Others {
  readonly references: number;
  /** Forwards that were new here, and those that were had before. */
  readonly received: number;
  readonly dropped: number;
  /** Forwards for other partitions. */
  readonly sent: number;
}

export interface MemoryCopy {
  readonly marks: Marks;
  /** Packed; each is the caller's. */
  chunks(): Chunks;
  /** Nobody asks for its chunks any more. */
  drop(): void;
}

export interface Restoring {
  take(stored: Uint8Array): Promise<void>;
  end(marks: Marks): Promise<void> | void;
}

/** Where a memory belongs, and what its partition is to know of the log. */
export interface MemoryPlace {
  readonly partition: number;
  readonly partitions: number;
  readonly hitPartitions: number;
  readonly rejectedPartitions: number;
  /** More transactions of one batch than this on which scoring fails mean that scoring is at fault, not they. */
  readonly quarantinedMax: number;
}

export type OpenMemory<Patterns extends PatternSetIdentity> = (
  set: Patterns,
  place: MemoryPlace,
) => Promise<PartitionMemory<Patterns>>;

/** Scoring fails on so many records that the fault cannot be theirs. The batch is neither skipped nor quarantined. */
export class ScoringFault extends Error {
  readonly retriable = false;
  constructor(partition: number, count: number, cause: unknown) {
    super(`transactions/${partition}: scoring failed on ${count} records of one batch; the patterns or the engine are at fault`, {
      cause,
    });
    this.name = 'ScoringFault';
  }
}

/** Scoring failed somewhere in a batch of transactions, and on which of them is not known. */
export class BatchFault extends Error {}

type OnFault = (quarantined: () => Quarantined, fault: unknown) => void;

export interface MemoriesOptions<Patterns extends PatternSetIdentity> {
  readonly createEngine: (set: Patterns, context: { readonly owns: Owns }) => Engine<Patterns>;
  readonly clock: { now(): number };
  /** What need not be read again. */
  readonly frameViews?: FrameViews | undefined;
}

/** Memories on this thread. */
export function memoriesHere<Patterns extends PatternSetIdentity>(options: MemoriesOptions<Patterns>): OpenMemory<Patterns> {
  return (set, place) => Promise.resolve(createPartitionMemory(options, set, place));
}

/** Chunks copied between two looks at what else there is to do: some milliseconds. */
const chunksTogether = 8;

function createPartitionMemory<Patterns extends PatternSetIdentity>(
  { createEngine, clock, frameViews }: MemoriesOptions<Patterns>,
  set: Patterns,
  { partition, partitions, hitPartitions, rejectedPartitions, quarantinedMax }: MemoryPlace,
): PartitionMemory<Patterns> {
  const owns: Owns = (key) => partitionOf(key, partitions) === partition;
  const engine = createEngine(set, { owns });
  const had = createHighWater();
  const filled = createBatch();

  /** Everything on the records in its order. `legs` counts entries of transactions. */
  async function takeIn(
    records: readonly LogRecord[],
    { oneByOne }: Asking,
    hits: Hit[] | null,
    onFault: OnFault,
    end?: (offset: number) => void,
  ) {
    const others = { references: 0, received: 0, dropped: 0 };
    let legs = 0;
    let debits = 0;
    const takers: Takers = {
      batch: () => {
        legs += filled.count;
        for (let i = 0; i < filled.count; i++) if ((filled.roles[i]! & role.debit) !== 0) debits++;
        scoreFilled(hits, oneByOne, onFault);
      },
      reference: (reference, receivedAtMs) => {
        others.references++;
        const take = (): void => engine.takeReference?.(reference, owns, receivedAtMs, hits);
        attempt(hits, take, () => quarantineReference(reference), onFault);
      },
      forward: (entry, view, receivedAtMs) => {
        if (!had.take(entry.origin)) return void others.dropped++;
        others.received++;
        const take = (): void => engine.takeForward?.(entry.forward, view, receivedAtMs, hits);
        attempt(hits, take, () => quarantineForward(entry, view, receivedAtMs), onFault);
      },
      ...(end ? { end } : {}),
    };
    await eachBatch(records, partition, filled, takers, frameViews);
    return { legs, debits, others };
  }

  function scoreFilled(hits: Hit[] | null, oneByOne: boolean, onFault: OnFault): void {
    const { views, roles, flags, receivedAtMs, count } = filled;
    if (engine.scoreBatch && !oneByOne) {
      try {
        return engine.scoreBatch(filled, hits);
      } catch (cause) {
        throw new BatchFault('scoring failed on a batch', { cause });
      }
    }
    for (let i = 0; i < count; i++) {
      const score = (): void => engine.score(views[i]!, roles[i]!, flags[i]!, receivedAtMs[i]!, hits);
      attempt(hits, score, () => quarantine(views[i]!), onFault);
    }
  }

  return {
    get patternSet() {
      return engine.patternSet;
    },
    async score(records, how) {
      const outputs: RecordOutputs[] = [];
      const [hits, quarantined]: [Hit[], Quarantined[]] = [[], []];
      let faults = 0;
      const onFault: OnFault = (faulty, fault) => {
        quarantined.push(faulty());
        if (++faults > quarantinedMax) throw new ScoringFault(partition, faults, fault);
      };
      const { debits, others } = await takeIn(records, how, hits, onFault, (offset) => {
        const told = engine.drainForwards?.() ?? [];
        if (hits.length + quarantined.length + told.length === 0) return;
        outputs.push({ offset, hits: hits.splice(0), quarantined: quarantined.splice(0), told });
      });
      return {
        outputs: outputRecords({
          partition,
          timeMs: clock.now(),
          outputs,
          partitions,
          hitPartitions,
          rejectedPartitions,
        }),
        transactions: debits,
        others: { ...others, sent: outputs.reduce((sum, one) => sum + one.told.length, 0) },
        quarantined: faults,
        hits: countsOf(outputs),
      };
    },
    async warm(records, how) {
      // What fails was quarantined when it was scored.
      const { legs } = await takeIn(records, how, null, () => undefined);
      // What it tells was told when it was scored.
      engine.drainForwards?.();
      return legs;
    },
    adopt: (next) => Promise.resolve(engine.adopt(next)),
    async copy() {
      if (!engine.save || !engine.load) return null;
      const marks = had.save();
      const copying = copyState(engine.save());
      for (let step = 1; ; step++) {
        const next = copying.next();
        if (next.done) return { marks, chunks: () => packed(next.value.chunks()), drop: () => undefined };
        if (step % chunksTogether === 0) await nextTurn();
      }
    },
    restore() {
      const reader = createStateReader();
      return {
        take: unpacking((chunk) => reader.take(chunk)),
        end(marks) {
          engine.load?.(reader.end());
          had.load(marks);
        },
      };
    },
    close: () => undefined,
  };
}

/** One record at a time: what it hit before it failed does not count. */
function attempt(hits: Hit[] | null, take: () => void, faulty: () => Faulty, onFault: OnFault): void {
  const before = hits?.length ?? 0;
  try {
    take();
  } catch (fault) {
    if (hits) hits.length = before;
    onFault(() => ({ ...faulty(), fault: nameOf(fault) }), fault);
  }
}

function countsOf(outputs: readonly RecordOutputs[]): HitCount[] {
  const counts = new Map<string, { pattern: string; severity: string; count: number }>();
  for (const { hits } of outputs) {
    for (const { pattern, severity } of hits) {
      const key = `${pattern}/${severity}`;
      const known = counts.get(key);
      if (known) known.count++;
      else counts.set(key, { pattern, severity, count: 1 });
    }
  }
  return [...counts.values()];
}

function nameOf(fault: unknown): string {
  return fault instanceof Error ? fault.name : 'unknown';
}

type Faulty = Omit<Quarantined, 'fault'>;

function quarantine(view: TransactionView): Faulty {
  return {
    id: view.id,
    bank: view.reporter,
    timeMs: view.timeMs,
    record: view.bytes.slice(view.start, view.end),
  };
}

function quarantineReference(reference: Reference): Faulty {
  const { id, bank = '', time } = reference;
  return { id, bank, timeMs: transactionTimeMs(time), record: encodeReference(reference) };
}

/** The payment that it is about; a notice is about none. */
function quarantineForward({ origin, forward }: ForwardEntry, view: TransactionView | null, receivedAtMs: number): Faulty {
  if (view) return quarantine(view);
  const { from, sequence, index } = origin;
  return { id: `${from}/${sequence}/${index}`, bank: '', timeMs: receivedAtMs, record: encodeForward(origin, forward, null) };
}
