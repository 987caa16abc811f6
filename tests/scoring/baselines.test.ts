import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBaselines } from '../../src/scoring/baselines.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = Date.parse('2026-07-01T00:00:00+08:00');

/** All buckets in a list, each with its weight. */
function createSlow(bucketMs: number, halfLifeMs: number) {
  const buckets = new Map<number, { sum: number; count: number }>();
  const bucketOf = (timeMs: number): number => Math.floor((timeMs - startMs) / bucketMs);
  return {
    add(timeMs: number, amountFen: number): void {
      const bucket = bucketOf(timeMs);
      if (bucket < Math.max(...buckets.keys())) return;
      const { sum, count } = buckets.get(bucket) ?? { sum: 0, count: 0 };
      buckets.set(bucket, { sum: sum + amountFen, count: count + 1 });
    },
    norm(timeMs: number, what: 'sum' | 'count') {
      const bucket = bucketOf(timeMs);
      const first = Math.min(...buckets.keys());
      if (buckets.size === 0 || bucket < Math.max(...buckets.keys()) || bucket - first < 20) return undefined;
      const closed = Array.from({ length: bucket - first }, (_, i) => ({
        value: buckets.get(first + i)?.[what] ?? 0,
        weight: 2 ** ((-(bucket - first - i) * bucketMs) / halfLifeMs),
      }));
      const weights = closed.reduce((sum, { weight }) => sum + weight, 0);
      const mean = closed.reduce((sum, { value, weight }) => sum + value * weight, 0) / weights;
      const variance = closed.reduce((sum, { value, weight }) => sum + (value - mean) ** 2 * weight, 0) / weights;
      return { mean, deviation: Math.sqrt(variance), turnover: buckets.get(bucket)?.[what] ?? 0 };
    },
  };
}

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-7 * Math.max(1e-6, Math.abs(a), Math.abs(b));

describe('baselines', () => {
  it('have the mean and deviation of a weighted list of all buckets, gaps and late amounts included', () => {
    const add = fc.record({
      subject: fc.constantFrom(0, 5, 70_000),
      /** Buckets on from the latest. */
      after: fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 3 }) },
        { weight: 1, arbitrary: fc.constantFrom(-1, -30, 19, 20, 21, 200) },
      ),
      amountFen: fc.oneof(fc.constantFrom(0, 1, 100_000), fc.integer({ min: 0, max: 1e12 })),
    });
    let compared = 0;
    fc.assert(
      fc.property(
        fc.array(add, { minLength: 5, maxLength: 60, size: 'max' }),
        fc.constantFrom([hourMs, 30 * dayMs], [dayMs, 7 * dayMs], [dayMs, 90 * dayMs]),
        fc.constantFrom(0, 1, 400),
        (adds, [bucketMs, halfLifeMs], later) => {
          const baselines = createBaselines();
          baselines.define(12_345, dayMs);
          const own = baselines.define(bucketMs, halfLifeMs);
          const slow = new Map([0, 5, 70_000].map((subject) => [subject, createSlow(bucketMs, halfLifeMs)]));
          let nowMs = startMs;
          const compare = (subject: number, timeMs: number): void => {
            for (const what of ['sum', 'count'] as const) {
              const expected = slow.get(subject)!.norm(timeMs, what);
              const mean = baselines.mean(subject, own, timeMs, what);
              const zscore = baselines.zscore(subject, own, timeMs, what);
              if (!expected) expect([mean, zscore]).toEqual([NaN, NaN]);
              else {
                expect(close(mean, expected.mean), `${mean} ${expected.mean}`).toBe(true);
                // Below that the deviation is what the slow sums make of rounding.
                if (expected.deviation < 1e-6 * Math.max(1, expected.mean)) continue;
                const slowScore = (expected.turnover - expected.mean) / expected.deviation;
                expect(close(zscore, slowScore), `${zscore} ${slowScore}`).toBe(true);
                compared++;
              }
            }
          };
          for (const { subject, after, amountFen } of adds) {
            const timeMs = nowMs + after * bucketMs;
            nowMs = Math.max(nowMs, timeMs);
            baselines.add(subject, own, timeMs, amountFen);
            slow.get(subject)!.add(timeMs, amountFen);
            compare(subject, timeMs);
          }
          for (const subject of slow.keys()) compare(subject, nowMs + later * bucketMs);
        },
      ),
      { numRuns: 200 },
    );
    expect(compared).toBeGreaterThan(1000);
  });

  it('say nothing before 20 buckets are closed', () => {
    const baselines = createBaselines();
    const own = baselines.define(dayMs, 30 * dayMs);
    baselines.add(1, own, startMs, 100);
    const means = [19, 20, 21].map((day) => baselines.mean(1, own, startMs + day * dayMs, 'count'));
    expect(means.map((mean) => Number.isNaN(mean))).toEqual([true, false, false]);
    expect(baselines.mean(2, own, startMs + 30 * dayMs, 'sum')).toBeNaN();
    expect(baselines.mean(999_999, own, startMs + 30 * dayMs, 'sum')).toBeNaN();
  });

  it('have days that begin at midnight in China', () => {
    const baselines = createBaselines();
    const own = baselines.define(dayMs, 30 * dayMs);
    for (let day = 0; day < 20; day++) baselines.add(1, own, startMs + day * dayMs, day % 2);
    const end = startMs + 21 * dayMs;
    baselines.add(1, own, end - 1, 500);
    expect(baselines.zscore(1, own, end - 1, 'sum')).toBeGreaterThan(100);
    expect(baselines.zscore(1, own, end, 'sum')).toBeLessThan(0);
  });

  it('leave an amount that comes late out, and change nothing when asked about later', () => {
    const baselines = createBaselines();
    const own = baselines.define(hourMs, dayMs);
    for (let hour = 0; hour < 30; hour++) baselines.add(1, own, startMs + hour * hourMs, 100 + (hour % 3));
    const at = startMs + 29 * hourMs;
    const before = baselines.zscore(1, own, at, 'sum');
    baselines.add(1, own, at - hourMs, 1e9);
    baselines.mean(1, own, at + 1000 * hourMs, 'sum');
    expect(baselines.zscore(1, own, at, 'sum')).toBe(before);
    expect(baselines.zscore(1, own, at - hourMs, 'sum')).toBeNaN();
  });

  it('have no deviation where all buckets were alike', () => {
    const baselines = createBaselines();
    const own = baselines.define(hourMs, dayMs);
    for (let hour = 0; hour <= 30; hour++) baselines.add(1, own, startMs + hour * hourMs, 100);
    expect(baselines.mean(1, own, startMs + 30 * hourMs, 'sum')).toBe(100);
    expect(baselines.zscore(1, own, startMs + 30 * hourMs, 'sum')).toBeNaN();
  });

  it('are one for the same buckets and half-life, and keep subjects apart', () => {
    const baselines = createBaselines();
    const own = baselines.define(hourMs, dayMs);
    const other = baselines.define(hourMs, 2 * dayMs);
    expect(baselines.define(hourMs, dayMs)).toBe(own);
    expect(other).not.toBe(own);
    for (let hour = 0; hour <= 30; hour++) {
      baselines.add(1, own, startMs + hour * hourMs, 100);
      baselines.add(2, own, startMs + hour * hourMs, 300);
    }
    expect([1, 2].map((subject) => baselines.mean(subject, own, startMs + 30 * hourMs, 'sum'))).toEqual([100, 300]);
    expect(baselines.mean(1, other, startMs + 30 * hourMs, 'sum')).toBeNaN();
    expect(baselines.bytesUsed()).toBeGreaterThan(0);
  });
});
