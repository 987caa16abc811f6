import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amountClassOf, createAmountSketches } from '../../src/scoring/amount-sketch.js';

const dayMs = 86_400_000;
const windowMs = 90 * dayMs;
const halfMs = windowMs / 2;
const startMs = Math.ceil(Date.parse('2026-01-01T00:00:00+08:00') / halfMs) * halfMs;
/** Classes are wider by this than they are apart: 14 % either way, see the module. */
const errorMax = 0.15;

interface Paid {
  readonly amountFen: number;
  readonly half: number;
}

/** The amounts of the half that holds the time, and of the one before. */
const inWindow = (paid: readonly Paid[], timeMs: number): number[] => {
  const now = Math.floor(timeMs / halfMs);
  return paid.filter(({ half }) => half >= now - 1).map(({ amountFen }) => amountFen);
};

const payment = fc.record({
  subject: fc.constantFrom(0, 1, 2),
  times: fc.constantFrom(1, 1, 1, 2, 29, 40),
  amountFen: fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1e6, max: 1e11 }), fc.constant(5_000_000)),
  afterMs: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 3 * dayMs }) },
    { weight: 1, arbitrary: fc.constantFrom(halfMs, 2 * halfMs, 400 * dayMs, -5 * dayMs) },
  ),
});

describe('amount sketches', () => {
  it('know how many amounts there were and where they lie, few or many, over the turns of their halves', () => {
    let compared = 0;
    fc.assert(
      fc.property(fc.array(payment, { minLength: 3, maxLength: 60, size: 'max' }), (payments) => {
        const sketches = createAmountSketches(windowMs);
        const subjects = [0, 1, 2].map(() => ({ row: Float64Array.of(7, -1, 0), clockMs: startMs, paid: [] as Paid[] }));
        for (const { subject, times, amountFen, afterMs } of payments) {
          const of = subjects[subject]!;
          of.clockMs = Math.max(of.clockMs, of.clockMs + afterMs);
          for (let i = 0; i < times; i++) {
            // A late amount counts as one of the present half.
            const isOpen = of.paid.some(({ half }) => half === Math.floor(of.clockMs / halfMs));
            sketches.add(of.row, 1, amountClassOf(amountFen), of.clockMs + (isOpen ? Math.min(afterMs, 0) : 0));
            of.paid.push({ amountFen, half: Math.floor(of.clockMs / halfMs) });
          }
          const amounts = inWindow(of.paid, of.clockMs).toSorted((a, b) => a - b);
          // Beyond 255 of one class the counts are halved.
          if (amounts.length > 250) continue;
          compared++;
          expect(sketches.samples(of.row, 1, of.clockMs)).toBe(amounts.length);
          for (const rank of [0.05, 0.5, 0.95]) {
            const exact = amounts[Math.max(0, Math.ceil(rank * amounts.length) - 1)]!;
            const found = sketches.percentile(of.row, 1, rank, of.clockMs);
            if (exact <= 10_000) expect(found).toBe(10_000);
            else expect(Math.abs(found / exact - 1)).toBeLessThan(errorMax);
          }
          expect(of.row[0]).toBe(7);
        }
      }),
      { numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(3_000);
  });

  it('keep the shape where a class overflows', () => {
    const sketches = createAmountSketches(windowMs);
    const row = Float64Array.of(-1, 0);
    for (let i = 0; i < 3_000; i++) sketches.add(row, 0, amountClassOf(i % 10 === 0 ? 100_000_000 : 1_000_000), startMs);
    expect(sketches.samples(row, 0, startMs)).toBeLessThan(3_000);
    expect(Math.abs(sketches.percentile(row, 0, 0.5, startMs) / 1_000_000 - 1)).toBeLessThan(errorMax);
    expect(Math.abs(sketches.percentile(row, 0, 0.97, startMs) / 100_000_000 - 1)).toBeLessThan(errorMax);
  });

  it('have nothing to say before the first amount and after a window without one', () => {
    const sketches = createAmountSketches(windowMs);
    const row = Float64Array.of(-1, 0);
    expect([sketches.samples(row, 0, startMs), sketches.percentile(row, 0, 0.5, startMs)]).toEqual([0, Number.NaN]);
    sketches.add(row, 0, amountClassOf(500_000), startMs);
    const laterMs = startMs + windowMs;
    expect([sketches.samples(row, 0, laterMs), sketches.percentile(row, 0, 0.5, laterMs)]).toEqual([0, Number.NaN]);
  });
});
