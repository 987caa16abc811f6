import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  averagePrecision,
  connectedGroups,
  f1,
  noisyOr,
  quantile,
  recallWithin,
  type Ranked,
} from '../../src/pipeline/measures.js';

/** All items, those that no hit ranks with the score 0. Few scores, so that many are equal. */
const items = fc.array(fc.record({ score: fc.constantFrom(0, 0, 0, 0.3, 0.5, 0.7, 0.9), isTrue: fc.boolean() }), {
  maxLength: 40,
});
const rankedOf = (all: readonly Ranked[]) => all.filter(({ score }) => score > 0);
const populationOf = (all: readonly Ranked[]) => ({ items: all.length, positives: all.filter(({ isTrue }) => isTrue).length });

/** For each score that occurs, the highest first: precision and recall of everything at or above it. */
function averagePrecisionByHand(all: readonly Ranked[]): number | null {
  const positives = all.filter(({ isTrue }) => isTrue).length;
  if (positives === 0) return null;
  let area = 0;
  let recallBefore = 0;
  for (const threshold of [...new Set(all.map(({ score }) => score))].toSorted((a, b) => b - a)) {
    const above = all.filter(({ score }) => score >= threshold);
    const right = above.filter(({ isTrue }) => isTrue).length;
    area += (right / positives - recallBefore) * (right / above.length);
    recallBefore = right / positives;
  }
  return area;
}

function permutations<T>(values: readonly T[]): T[][] {
  if (values.length === 0) return [[]];
  return values.flatMap((value, i) => permutations(values.toSpliced(i, 1)).map((rest) => [value, ...rest]));
}

describe('measures of a ranking', () => {
  it('average precision is what counting at every threshold gives', () => {
    fc.assert(
      fc.property(items, (all) => {
        const area = averagePrecision(rankedOf(all), populationOf(all));
        const byHand = averagePrecisionByHand(all);
        if (byHand === null) expect(area).toBeNull();
        else expect(area).toBeCloseTo(byHand, 12);
      }),
      { numRuns: 500 },
    );
  });

  it('average precision is 1 for a perfect ranking and the base rate for none', () => {
    const perfect = [0.9, 0.8].map((score) => ({ score, isTrue: true }));
    expect(averagePrecision([...perfect, { score: 0.1, isTrue: false }], { items: 100, positives: 2 })).toBe(1);
    expect(averagePrecision([], { items: 100, positives: 2 })).toBeCloseTo(0.02, 12);
    expect(averagePrecision([], { items: 100, positives: 0 })).toBeNull();
  });

  it('recall within a budget is the mean over every order that equal scores may have', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ score: fc.constantFrom(0, 0.5, 0.9), isTrue: fc.boolean() }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 7 }),
        (all, budget) => {
          const { positives } = populationOf(all);
          const recall = recallWithin(rankedOf(all), populationOf(all), budget);
          if (positives === 0) {
            expect(recall).toBeNull();
            return;
          }
          const orders = permutations(all).filter((order) =>
            order.every(({ score }, i) => i === 0 || order[i - 1]!.score >= score),
          );
          const found = orders.map((order) => order.slice(0, budget).filter(({ isTrue }) => isTrue).length / positives);
          expect(recall).toBeCloseTo(found.reduce((a, b) => a + b, 0) / orders.length, 10);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('noisy-or is the chance that not all signs are wrong', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 }), (scores) => {
        // Every way in which the signs may turn out, with its chance.
        let someRight = 0;
        for (let outcome = 1; outcome < 1 << scores.length; outcome++) {
          someRight += scores.reduce((chance, score, i) => chance * ((outcome >> i) & 1 ? score : 1 - score), 1);
        }
        expect(noisyOr(scores)).toBeCloseTo(someRight, 10);
      }),
    );
  });

  it('F1 lies between precision and recall, and is 0 where both are', () => {
    expect(f1(0, 0)).toBe(0);
    expect(f1(null, 0.5)).toBeNull();
    expect(f1(1, 0.5)).toBeCloseTo(2 / 3, 12);
    expect(f1(0.25, 0.25)).toBe(0.25);
  });

  it('a quantile is the smallest value that the share does not exceed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
        const value = quantile(values, share)!;
        expect(values).toContain(value);
        expect(values.filter((other) => other <= value).length).toBeGreaterThanOrEqual(Math.ceil(share * values.length));
        expect(values.filter((other) => other < value).length).toBeLessThan(Math.ceil(share * values.length));
      }),
    );
    expect(quantile([], 0.5)).toBeNull();
  });

  it('groups are what walking from neighbour to neighbour finds', () => {
    const keys = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'), { maxLength: 3 }), { maxLength: 12 });
    fc.assert(
      fc.property(keys, (keysOf) => {
        const reach = (from: number): number[] => {
          const seen = new Set([from]);
          for (let grew = true; grew;) {
            grew = false;
            for (const [i, of] of keysOf.entries()) {
              if (seen.has(i) || ![...seen].some((j) => keysOf[j]!.some((key) => of.includes(key)))) continue;
              seen.add(i);
              grew = true;
            }
          }
          return [...seen].toSorted((a, b) => a - b);
        };
        const groups = connectedGroups(keysOf);
        expect(groups.flat().toSorted((a, b) => a - b)).toEqual([...keysOf.keys()]);
        for (const group of groups) expect(group.toSorted((a, b) => a - b)).toEqual(reach(group[0]!));
      }),
      { numRuns: 300 },
    );
  });
});
