import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { createEngine } from '../scoring/engine.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { readTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';
import { createMaterial, type Material } from './material.js';
import { medianOf, type Measured } from './measure.js';

/** The engine alone: transactions that are read already, one core. */
export interface EngineFigures {
  readonly transactionsPerSecond: Measured;
  readonly hits: number;
  readonly readMicroseconds: Measured;
  readonly bytesPerRecord: number;
}

export async function benchEngine(set: PatternSet, options: { accounts: number; transactions: number; runs: number }): Promise<EngineFigures> {
  const material = createMaterial(options.accounts, options.transactions);
  let hits = 0;
  const transactionsPerSecond = await medianOf(options.runs + 1, () => {
    const outcome = scoreAll(set, material);
    hits = outcome.hits;
    return (material.views.length / outcome.milliseconds) * 1000;
  });
  const readMicroseconds = await medianOf(options.runs, () => (readAll(material) * 1000) / material.lines.length);
  return { transactionsPerSecond: withoutFirst(transactionsPerSecond), hits, readMicroseconds, bytesPerRecord: material.bytesPerRecord };
}

/** What a transaction costs, and what an account takes, as accounts grow. Each account moves money about twice. */
export interface GrowthFigures {
  readonly accounts: number;
  readonly microseconds: Measured;
  readonly subjects: number;
  readonly bytesPerSubject: number;
  readonly legsPerSubject: number;
}

export async function benchGrowth(set: PatternSet, options: { accounts: number; transactions: number; runs: number }): Promise<GrowthFigures> {
  const material = createMaterial(options.accounts, options.transactions);
  let stats = createEngine(set).stats();
  const microseconds = await medianOf(options.runs, () => {
    const view = new TransactionView();
    const engine = createEngine(set);
    const hits: Hit[] = [];
    const startedMs = performance.now();
    for (const line of material.lines) {
      readTransaction(line, 0, line.length, view);
      engine.score(view, role.debit | role.credit, 0, 0, hits);
    }
    const spentMs = performance.now() - startedMs;
    stats = engine.stats();
    return (spentMs * 1000) / material.lines.length;
  });
  return {
    accounts: options.accounts,
    microseconds,
    subjects: stats.subjects,
    bytesPerSubject: stats.bytes / stats.subjects,
    legsPerSubject: stats.legs / stats.subjects,
  };
}

function scoreAll(set: PatternSet, { views }: Material): { milliseconds: number; hits: number } {
  const engine = createEngine(set);
  const hits: Hit[] = [];
  const startedMs = performance.now();
  for (const view of views) engine.score(view, role.debit | role.credit, 0, 0, hits);
  return { milliseconds: performance.now() - startedMs, hits: hits.length };
}

function readAll({ lines }: Material): number {
  const view = new TransactionView();
  const startedMs = performance.now();
  for (const line of lines) readTransaction(line, 0, line.length, view);
  return performance.now() - startedMs;
}

/** The first run compiles the code. */
function withoutFirst({ all }: Measured): Measured {
  const rest = all.slice(1);
  return { median: rest.toSorted((a, b) => a - b)[Math.floor((rest.length - 1) / 2)] ?? Number.NaN, all: rest };
}
