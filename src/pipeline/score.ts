import type { Forward } from '../domain/forward.js';
import type { Hit } from '../domain/hit.js';
import type { Reference } from '../domain/reference.js';
import type { Log, LogRecord, Membership, ReadLimit } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Batch } from '../scoring/batch.js';
import type { TransactionView } from '../scoring/transaction-view.js';
import type { RestoredTree, Saved } from '../scoring/snapshot-state.js';
import type { OpenMemory, PartitionMemory } from './score-memory.js';
import { openScorePartition } from './score-partition.js';
import type { SnapshotSettings, SnapshotTelemetry } from './snapshots.js';
import { createTurns } from './turns.js';

/**
 * Scores the partitions of `transactions`: one engine a partition, a pure function of that partition's log and of the pattern
 * sets that its journal names. Hits go to `hits`, at most once in effect: receivers drop what they have seen.
 */
export interface Score extends Membership {
  /** Ids of the pattern sets in force; more than one while a change is being taken. */
  patternSets(): readonly string[];
  /** Partitions in which a batch is being scored just now. */
  underWay(): number;
}

/** What scoring needs from the engine; `scoring/engine.ts` gives it. */
export interface Engine<Patterns extends PatternSetIdentity = PatternSetIdentity> {
  readonly patternSet: Patterns;
  /** `hits` null: takes the legs in and looks for nothing. */
  score(view: TransactionView, roles: number, flags: number, receivedAtMs: number, hits: Hit[] | null): void;
  /** The same for some transactions at once, faster, where the engine can: equal hits and equal state. */
  readonly scoreBatch?: (batch: Batch, hits: Hit[] | null) => void;
  /** Takes a reference record in; `owns` says whether a key falls to this partition. The same record may come twice. */
  readonly takeReference?: (reference: Reference, owns: Owns, receivedAtMs: number, hits: Hit[] | null) => void;
  /** What another partition told, each once; `view` is the payment it is about, null for notices. */
  readonly takeForward?: (forward: Forward, view: TransactionView | null, receivedAtMs: number, hits: Hit[] | null) => void;
  /** What this partition has to tell others since the last call, in order. What it has to tell itself it has done already. */
  readonly drainForwards?: () => readonly Told[];
  /** True when the state fits the new set, which is then in force. */
  adopt(set: Patterns): boolean;
  /** The state as plain data, valid until the engine is used again, and such a state taken over by a new engine. */
  readonly save?: () => Saved;
  readonly load?: (state: RestoredTree) => void;
}

/** Whether a key falls to the partition: an account, or a shared thing (see `sharedKey`). */
export type Owns = (key: string) => boolean;

export interface Told {
  readonly forward: Forward;
  /** JSON of the payment that it is about, as the fast reader takes it. Valid until the batch has been sent. */
  readonly transaction: Uint8Array | null;
  readonly receivedAtMs: number;
}

export interface PatternSetIdentity {
  readonly id: string;
  readonly planId: string;
}

interface PatternSource<Patterns extends PatternSetIdentity> {
  currentId(): Promise<string>;
  load(id: string): Promise<Patterns>;
}

export interface ScoreSettings {
  readonly limit: ReadLimit;
  /** How old the knowledge of the set in force may be. */
  readonly pollMs: number;
  /** More transactions of one batch than this on which scoring fails mean that scoring is at fault, not they. */
  readonly quarantinedMax: number;
}

const scoreDefaults: ScoreSettings & SnapshotSettings = {
  limit: { recordsMax: 64, bytesMax: 4 * 2 ** 20 },
  pollMs: 500,
  quarantinedMax: 100,
  snapshotEveryMs: 0,
  snapshotWorthMs: 2_000,
  snapshotShareMax: 0.05,
};

/** Last snapshots are given up after this: a stop in order should not take long. */
const leavingMsMax = 20_000;

interface ScoreTelemetry extends SnapshotTelemetry {
  batchScored(fact: { partition: number; transactions: number; hits: number; durationMs: number }): void;
  othersTaken(fact: { partition: number; references: number; received: number; dropped: number; sent: number }): void;
  hitFound(pattern: string, severity: string, count?: number): void;
  transactionRejected(reason: string, count?: number): void;
  patternSetTaken(fact: { partition: number; patternSet: string; how: 'adopted' | 'rebuilt'; durationMs: number }): void;
  partitionRecovered(fact: { partition: number; records: number; transactions: number; durationMs: number }): void;
  patternSetWaits(partition: number, fact: { patternSet: string; inForce: string; error: unknown } | null): void;
}

export interface ScoreOptions<Patterns extends PatternSetIdentity> {
  readonly log: Log;
  readonly state: State;
  readonly patternStore: PatternSource<Patterns>;
  /** Where engines live: `memoriesHere`, or on threads of their own. */
  readonly openMemory: OpenMemory<Patterns>;
  readonly clock: { now(): number };
  /** Gives ids that no other process gives: a random UUID. */
  readonly newId: () => string;
  /** Told of records that were scored and whose outputs are on the log. */
  readonly scored?: ((records: readonly LogRecord[]) => void) | undefined;
  readonly settings?: Partial<ScoreSettings & SnapshotSettings>;
  readonly telemetry?: ScoreTelemetry;
}

export async function createScore<Patterns extends PatternSetIdentity>(options: ScoreOptions<Patterns>): Promise<Score> {
  const settings = { ...scoreDefaults, ...options.settings };
  const { log } = options;
  const memories = new Map<number, () => PartitionMemory<Patterns>>();
  const turns = createTurns();
  let underWay = 0;
  let leavingUntilMs: number | null = null;
  const membership = await log.join('score', 'transactions', async (partition) => {
    const opened = await openScorePartition(
      { ...options, settings, snapshots: { settings, turns, leavingUntilMs: () => leavingUntilMs } },
      partition,
    );
    memories.set(partition, opened.memory);
    return {
      ...opened.processor,
      process: async (batch) => {
        underWay++;
        try {
          await opened.processor.process(batch);
          options.scored?.(batch.records);
        } finally {
          underWay--;
        }
      },
      close: async () => {
        memories.delete(partition);
        await opened.processor.close();
      },
    };
  });

  /**
   * What a partition tells another comes behind it on the log, where the count may have been already: records that came while it
   * counted are counted as well.
   */
  async function lag(): Promise<number> {
    const before = await endsOf(log);
    const records = await membership.lag();
    return records > 0 ? records : (await endsOf(log)) - before;
  }

  return {
    done: membership.done,
    lag,
    leave() {
      leavingUntilMs = options.clock.now() + leavingMsMax;
      return membership.leave();
    },
    owned: () => membership.owned(),
    underWay: () => underWay,
    patternSets: () => [...new Set([...memories.values()].map((memory) => memory().patternSet.id))],
  };
}

/** Sum of the offsets behind the last records. */
async function endsOf(log: Log): Promise<number> {
  let sum = 0;
  for (let partition = 0; partition < log.partitions('transactions'); partition++) {
    sum += (await log.bounds('transactions', partition)).next;
  }
  return sum;
}
