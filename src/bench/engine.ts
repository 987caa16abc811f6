import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { batchMost, createBatch } from '../scoring/batch.js';
import { createEngine, type EngineStats, type ScoringEngine } from '../scoring/engine.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { readTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';
import { createMaterial, type Material } from './material.js';
import { medianOf, type Measured } from './measure.js';

/**
 * What reading and scoring cost on one core. The engine alone is what reading and scoring together take, less what reading
 * takes: so its input is as warm in the cache as it is in real work.
 */
export interface EngineFigures {
  readonly transactionsPerSecond: Measured;
  readonly readMicroseconds: Measured;
  readonly bothMicroseconds: Measured;
  readonly bytesPerRecord: number;
  readonly hits: number;
  readonly stats: EngineStats;
}

/** Transactions scored before anything is measured. */
const warmTransactions = 1_000_000;

export async function benchEngine(
  set: PatternSet,
  options: { accounts: number; transactions: number; runs: number; material?: Material },
): Promise<EngineFigures> {
  const material = options.material ?? createMaterial(options.accounts, options.transactions);
  const read: number[] = [];
  let last = scoreAll(set, material);
  // The compiler has seen as much before a small day is measured as before a large one.
  for (let scored = material.count; scored < warmTransactions; scored += material.count) last = scoreAll(set, material);
  const bothMicroseconds = await medianOf(options.runs, () => {
    read.push((readAll(material) * 1000) / material.count);
    last = scoreAll(set, material);
    return (last.milliseconds * 1000) / material.count;
  });
  const readMicroseconds = await medianOf(read.length, (run) => read[run]!);
  const transactionsPerSecond = await medianOf(read.length, (run) => 1_000_000 / (bothMicroseconds.all[run]! - read[run]!));
  return {
    transactionsPerSecond,
    readMicroseconds,
    bothMicroseconds,
    bytesPerRecord: material.starts[material.count]! / material.count,
    hits: last.hits,
    stats: last.stats,
  };
}

function scoreAll(set: PatternSet, material: Material): { milliseconds: number; hits: number; stats: EngineStats } {
  const engine = createEngine(set);
  const { milliseconds, hits } = feedEngine(engine, material);
  return { milliseconds, hits, stats: engine.stats() };
}

/** Reads and scores all of it, batch by batch. */
export function feedEngine(
  engine: ScoringEngine,
  { bytes, starts, count }: Material,
): { readonly milliseconds: number; readonly hits: number } {
  const batch = createBatch();
  batch.roles.fill(role.debit | role.credit);
  const hits: Hit[] = [];
  const startedMs = performance.now();
  for (let i = 0; i < count; i++) {
    readTransaction(bytes, starts[i]!, starts[i + 1]!, batch.views[batch.count++]!);
    if (batch.count < batchMost && i < count - 1) continue;
    engine.scoreBatch(batch, hits);
    batch.count = 0;
  }
  return { milliseconds: performance.now() - startedMs, hits: hits.length };
}

function readAll({ bytes, starts, count }: Material): number {
  const view = new TransactionView();
  const startedMs = performance.now();
  for (let i = 0; i < count; i++) readTransaction(bytes, starts[i]!, starts[i + 1]!, view);
  return performance.now() - startedMs;
}
