import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import type { PatternStats } from '../scoring/asked.js';
import { batchMost, createBatch } from '../scoring/batch.js';
import { createEngine } from '../scoring/engine.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { readTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';
import type { Material } from './material.js';
import { percentile } from './measure.js';

const nanoseconds = (): number => performance.now() * 1_000_000;

const measuredEvery = 8;

type PatternCost = PatternStats & { readonly perTransaction: number };

/**
 * What asking each pattern costs, dearest first, in nanoseconds a transaction; measured on one leg in eight, so often that the
 * compiler has learnt each condition, and the lowest of so many runs: one pause of the collector in a leg that is measured would
 * be the dearest pattern. What a condition looks at was looked at just before, so it is near.
 */
export function measurePatterns(set: PatternSet, material: Material, runs: number): readonly PatternCost[] {
  const lowest = new Map<string, PatternCost>();
  for (let run = 0; run < runs; run++) {
    for (const cost of measureOnce(set, material)) {
      const known = lowest.get(cost.id);
      if (!known || cost.perTransaction < known.perTransaction) lowest.set(cost.id, cost);
    }
  }
  return [...lowest.values()].toSorted((a, b) => b.perTransaction - a.perTransaction);
}

function measureOnce(set: PatternSet, material: Material): readonly PatternCost[] {
  const engine = createEngine(set, { measure: nanoseconds, measuredEvery });
  const batch = createBatch();
  batch.roles.fill(role.debit | role.credit);
  const hits: Hit[] = [];
  for (let i = 0; i < material.count; i++) {
    readTransaction(material.bytes, material.starts[i]!, material.starts[i + 1]!, batch.views[batch.count++]!);
    if (batch.count < batchMost && i < material.count - 1) continue;
    engine.scoreBatch(batch, hits);
    batch.count = 0;
    hits.length = 0;
  }
  return engine.patternStats().map((stats) => ({ ...stats, perTransaction: stats.nanoseconds / material.count }));
}

/** The 99th percentile of the time that one transaction takes by itself, in microseconds, over the second half of the material. */
export function measureSlowest(set: PatternSet, material: Material): number {
  const engine = createEngine(set);
  const view = new TransactionView();
  const hits: Hit[] = [];
  const taken: number[] = [];
  for (let i = 0; i < material.count; i++) {
    readTransaction(material.bytes, material.starts[i]!, material.starts[i + 1]!, view);
    const fromNs = nanoseconds();
    engine.score(view, role.debit | role.credit, 0, 0, hits);
    if (i > material.count / 2) taken.push((nanoseconds() - fromNs) / 1_000);
    hits.length = 0;
  }
  return percentile(taken, 0.99);
}
