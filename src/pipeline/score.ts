import type { Hit } from '../domain/hit.js';
import type { Log, Membership, ReadLimit } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Batch } from '../scoring/batch.js';
import type { TransactionView } from '../scoring/transaction-view.js';
import { openScorePartition } from './score-partition.js';

/**
 * Scores the partitions of `transactions`: one engine a partition, a pure function of that partition's log and of the pattern
 * sets that its journal names. Hits go to `hits`, at most once in effect: receivers drop what they have seen.
 */
export interface Score extends Membership {
  /** Of the partitions that this member owns. */
  stats(): ScoreStats;
  /** Partitions in which a batch is being scored just now. */
  underWay(): number;
}

interface ScoreStats {
  readonly partitions: number;
  readonly subjects: number;
  readonly legs: number;
  readonly bytes: number;
  /** Ids of the pattern sets in force; more than one while a change is being taken. */
  readonly patternSets: readonly string[];
}

/** What scoring needs from the engine; `scoring/engine.ts` gives it. */
export interface Engine<Patterns extends PatternSetIdentity = PatternSetIdentity> {
  readonly patternSet: Patterns;
  /** `hits` null: takes the legs in and looks for nothing. */
  score(view: TransactionView, roles: number, flags: number, receivedAtMs: number, hits: Hit[] | null): void;
  /** The same for some transactions at once, faster, where the engine can: equal hits and equal state. */
  readonly scoreBatch?: (batch: Batch, hits: Hit[] | null) => void;
  /** True when the state fits the new set, which is then in force. */
  adopt(set: Patterns): boolean;
  stats(): { readonly subjects: number; readonly legs: number; readonly bytes: number };
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

const scoreDefaults: ScoreSettings = {
  limit: { recordsMax: 64, bytesMax: 4 * 2 ** 20 },
  pollMs: 500,
  quarantinedMax: 100,
};

interface ScoreTelemetry {
  batchScored(fact: { partition: number; transactions: number; hits: number; durationMs: number }): void;
  hitFound(pattern: string, severity: string, count?: number): void;
  transactionRejected(reason: string, count?: number): void;
  patternSetTaken(fact: { partition: number; patternSet: string; how: 'adopted' | 'rebuilt'; durationMs: number }): void;
  partitionRecovered(fact: { partition: number; records: number; transactions: number; durationMs: number }): void;
  consumerFailed(fact: { group: string; topic: string; error: unknown }): void;
}

export interface ScoreOptions<Patterns extends PatternSetIdentity> {
  readonly log: Log;
  readonly state: State;
  readonly patternStore: PatternSource<Patterns>;
  readonly createEngine: (set: Patterns) => Engine<Patterns>;
  readonly clock: { now(): number };
  /** Gives ids that no other process gives: a random UUID. */
  readonly newId: () => string;
  readonly settings?: Partial<ScoreSettings>;
  readonly telemetry?: ScoreTelemetry;
}

export async function createScore<Patterns extends PatternSetIdentity>(options: ScoreOptions<Patterns>): Promise<Score> {
  const settings = { ...scoreDefaults, ...options.settings };
  const engines = new Map<number, () => Engine<Patterns>>();
  let underWay = 0;
  const membership = await options.log.join('score', 'transactions', async (partition) => {
    const opened = await openScorePartition({ ...options, settings }, partition);
    engines.set(partition, opened.engine);
    return {
      ...opened.processor,
      process: async (batch) => {
        underWay++;
        try {
          await opened.processor.process(batch);
        } finally {
          underWay--;
        }
      },
      close: async () => {
        engines.delete(partition);
        await opened.processor.close();
      },
    };
  });
  return {
    done: membership.done,
    lag: () => membership.lag(),
    leave: () => membership.leave(),
    underWay: () => underWay,
    stats: () => statsOf([...engines.values()].map((engine) => engine())),
  };
}

function statsOf(engines: readonly Engine[]): ScoreStats {
  const stats = engines.map((engine) => engine.stats());
  const sum = (of: (one: (typeof stats)[number]) => number) => stats.reduce((total, one) => total + of(one), 0);
  return {
    partitions: engines.length,
    subjects: sum((one) => one.subjects),
    legs: sum((one) => one.legs),
    bytes: sum((one) => one.bytes),
    patternSets: [...new Set(engines.map((engine) => engine.patternSet.id))],
  };
}
