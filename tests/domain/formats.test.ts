import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShanghai, shanghaiOffsetMs } from '../../src/domain/bank-day.js';
import { amountFenMax, formatWan, formatYuan } from '../../src/domain/money.js';

describe('an instant as text', () => {
  it('is what the platform writes, in Shanghai, with milliseconds only where there are some', () => {
    const from = Date.parse('1990-01-01T00:00:00Z');
    const to = Date.parse('2100-01-01T00:00:00Z');
    fc.assert(
      fc.property(fc.integer({ min: from, max: to }), fc.boolean(), (someMs, isWhole) => {
        const timeMs = isWhole ? Math.floor(someMs / 1_000) * 1_000 : someMs;
        const iso = new Date(timeMs + shanghaiOffsetMs).toISOString().replace('.000Z', '').replace('Z', '');
        expect(formatShanghai(timeMs)).toBe(`${iso}+08:00`);
      }),
      { numRuns: 2_000 },
    );
    expect(formatShanghai(Date.parse('2026-06-30T16:00:00Z'))).toBe('2026-07-01T00:00:00+08:00');
    expect(formatShanghai(Date.parse('2026-06-30T15:59:59.007Z'))).toBe('2026-06-30T23:59:59.007+08:00');
  });
});

describe('an amount as text', () => {
  it('groups yuan by thousands and keeps both decimals', () => {
    const intl = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    fc.assert(
      fc.property(fc.integer({ min: -amountFenMax, max: amountFenMax }), (amountFen) => {
        // Whole cents up to 10^13 are exact enough for two decimals.
        expect(formatYuan(amountFen)).toBe(intl.format(amountFen / 100));
      }),
      { numRuns: 2_000 },
    );
    expect([0, 5, 99, 100, 99_999, 100_000, 1_234_500].map(formatYuan)).toEqual([
      '0.00',
      '0.05',
      '0.99',
      '1.00',
      '999.99',
      '1,000.00',
      '12,345.00',
    ]);
  });

  it('is written in ten thousands and hundred millions without needless zeros', () => {
    expect([99_900, 1_000_000, 1_234_500, 12_000_000, 98_000_000, 1_010_000_000, 12_345_678_900].map(formatWan)).toEqual([
      '999.00元',
      '1万元',
      '1.23万元',
      '12万元',
      '98万元',
      '1010万元',
      '1.23亿元',
    ]);
    expect([1_200_000, 10_000_000_000, -1_500_000].map(formatWan)).toEqual(['1.2万元', '1亿元', '-1.5万元']);
  });
});
