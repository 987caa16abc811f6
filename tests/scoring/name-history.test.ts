import { jaroWinkler } from '@skyra/jaro-winkler';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holderName, resembles } from '../../src/scoring/holder-name.js';
import { createNameHistory } from '../../src/scoring/name-history.js';

const dayMs = 86_400_000;
const startMs = Date.parse('2026-07-01T00:00:00+08:00');

/** Names as they are written, with their parts told apart by hand. */
const written = [
  { name: '郑州华信商贸有限公司', stem: '郑州华信商贸', form: 'limited' },
  { name: ' 郑州华信商贸（有限责任公司）', stem: '郑州华信商贸', form: 'limited' },
  { name: '郑州华信商贸股份有限公司', stem: '郑州华信商贸', form: 'shares' },
  { name: '郑州华鑫商贸有限公司', stem: '郑州华鑫商贸', form: 'limited' },
  { name: '郑州大信商贸有限公司', stem: '郑州大信商贸', form: 'limited' },
  { name: '洛阳牡丹花卉有限公司', stem: '洛阳牡丹花卉', form: 'limited' },
  { name: 'Ｈｕａｘｉｎ Trading Co., Ltd.', stem: 'huaxintrading', form: 'ltd' },
  { name: 'huaxin-trading', stem: 'huaxintrading', form: '' },
  { name: '张伟', stem: '张伟', form: '' },
  { name: '张 玮', stem: '张玮', form: '' },
];
type Written = (typeof written)[number];

function isAlike(a: Written, b: Written, similarity: number): boolean {
  if (a.form !== b.form) return false;
  const [first, second] = a.stem < b.stem ? [a.stem, b.stem] : [b.stem, a.stem];
  return first === second || jaroWinkler(first, second) >= similarity;
}

interface Debit {
  readonly subject: number;
  readonly other: number;
  readonly written: Written;
  readonly amountFen: number;
  readonly timeMs: number;
}

/** Looks through all debits; `isExact` where the history promises the very number. */
function slow(all: readonly Debit[], asked: Debit, similarity: number, sinceMs: number) {
  const candidates = all.filter(
    (debit) =>
      debit.subject === asked.subject && debit.other !== asked.other && isAlike(debit.written, asked.written, similarity),
  );
  const inside = candidates.filter(({ timeMs }) => timeMs > sinceMs && timeMs <= asked.timeMs);
  const isParty = (a: Debit, b: Debit): boolean => a.other === b.other && a.written.stem === b.written.stem;
  const isExact = candidates.every((party) => {
    const own = candidates.filter((debit) => isParty(debit, party));
    const isWhole = own.every(({ timeMs }) => timeMs > sinceMs && timeMs <= asked.timeMs);
    return isWhole || own.filter(({ timeMs }) => timeMs > sinceMs).length <= 8;
  });
  return { count: inside.length, sumFen: inside.reduce((sum, { amountFen }) => sum + amountFen, 0), isExact };
}

function note(
  history: ReturnType<typeof createNameHistory>,
  subject: number,
  other: number,
  name: string,
  amountFen: number,
  timeMs: number,
): void {
  const bytes = Buffer.from(JSON.stringify(name));
  history.note(subject, other, bytes, 1, bytes.length - 1, amountFen, timeMs);
}

describe('names that a subject has paid', () => {
  it('are found as in a list of all debits, late ones included', () => {
    const debit: fc.Arbitrary<Debit> = fc.record({
      subject: fc.constantFrom(0, 0, 300),
      other: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 6 })),
      written: fc.oneof(fc.constantFrom(...written.slice(0, 3)), fc.constantFrom(...written)),
      amountFen: fc.integer({ min: 1, max: 1e12 }),
      timeMs: fc.integer({ min: 0, max: 30 }).map((day) => startMs + day * dayMs),
    });
    let exact = 0;
    let bounded = 0;
    fc.assert(
      fc.property(
        fc.array(debit, { minLength: 5, maxLength: 80, size: 'max' }),
        fc.array(debit, { minLength: 3, maxLength: 10 }),
        fc.constantFrom(0.7, 0.9, 0.92, 1),
        fc.constantFrom(1, 10, 31),
        (all, asked, similarity, days) => {
          const history = createNameHistory();
          for (const each of all) note(history, each.subject, each.other, each.written.name, each.amountFen, each.timeMs);
          for (const each of asked) {
            const sinceMs = each.timeMs - days * dayMs;
            const { isExact, ...expected } = slow(all, each, similarity, sinceMs);
            const found = {
              ...history.resembling(each.subject, each.other, each.written.name, similarity, sinceMs, each.timeMs),
            };
            if (isExact) {
              exact++;
              expect(found).toEqual(expected);
            } else {
              bounded++;
              expect(found.count).toBeLessThanOrEqual(expected.count);
              expect(found.sumFen).toBeLessThanOrEqual(expected.sumFen);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
    expect([exact > 1000, bounded > 10]).toEqual([true, true]);
  });

  it('are forgotten and found as in lists, while counterparties come, go and come again under shared names', () => {
    const debit = fc.record({
      subject: fc.constantFrom(0, 1, 2),
      other: fc.integer({ min: 1, max: 150 }),
      days: fc.integer({ min: 0, max: 12 }),
    });
    const nameOf = (other: number): string => `张伟${other % 50}`;
    fc.assert(
      fc.property(fc.array(debit, { minLength: 150, maxLength: 250, size: 'max' }), (all) => {
        const history = createNameHistory();
        const slow = new Map([0, 1, 2].map((subject) => [subject, new Map<number, number[]>()]));
        let nowMs = startMs;
        for (const { subject, other, days } of all) {
          nowMs += days * dayMs;
          note(history, subject, other, nameOf(other), 1, nowMs);
          const own = slow.get(subject)!;
          own.set(other, [...(own.get(other) ?? []), nowMs]);
          for (const [party, times] of own) if (times.at(-1)! < nowMs - 400 * dayMs) own.delete(party);
          const alike = [...own].filter(([party]) => nameOf(party) === nameOf(other) && party !== other);
          expect(history.resembling(subject, other, nameOf(other), 2, 0, nowMs).count).toBe(
            alike.flatMap(([, times]) => times).length,
          );
        }
        for (const [subject, own] of slow)
          for (const [party, times] of own)
            expect(history.resembling(subject, party + 50, nameOf(party), 2, 0, nowMs).count).toBeGreaterThanOrEqual(
              times.length,
            );
      }),
      { numRuns: 200 },
    );
  });

  it('do not count for the account itself, nor from `sinceMs` back', () => {
    const history = createNameHistory();
    note(history, 1, 10, '张伟', 500, startMs);
    note(history, 1, 11, '张伟', 700, startMs + 1);
    const ask = (other: number, sinceMs: number, atMs: number) => ({ ...history.resembling(1, other, '张伟', 1, sinceMs, atMs) });
    expect(ask(10, 0, startMs + 1)).toEqual({ count: 1, sumFen: 700 });
    expect(ask(12, 0, startMs + 1)).toEqual({ count: 2, sumFen: 1200 });
    expect(ask(12, startMs, startMs + 1)).toEqual({ count: 1, sumFen: 700 });
    expect(ask(12, 0, startMs)).toEqual({ count: 1, sumFen: 500 });
    expect({ ...history.resembling(2, 12, '张伟', 1, 0, Infinity) }).toEqual({ count: 0, sumFen: 0 });
  });

  it('are told apart by eight debits where a window cuts through more', () => {
    const history = createNameHistory();
    for (let i = 1; i <= 20; i++) note(history, 1, 10, '张伟', 100, startMs + i);
    const count = (sinceMs: number, atMs: number): number => history.resembling(1, 11, '张伟', 1, sinceMs, atMs).count;
    expect(count(startMs, startMs + 20)).toBe(20);
    expect(count(startMs + 1, startMs + 20)).toBe(8);
    expect(count(startMs + 12, startMs + 20)).toBe(8);
    expect(count(startMs + 13, startMs + 20)).toBe(7);
  });

  it('say nothing without a name', () => {
    const history = createNameHistory();
    note(history, 1, 10, '', 100, startMs);
    note(history, 1, 11, ' （）', 100, startMs);
    expect(history.resembling(1, 12, '', 0, 0, Infinity).count).toBe(0);
    expect(history.resembling(1, 12, '张伟', 0, 0, Infinity).count).toBe(0);
  });

  it('are those of the 2,000 counterparties paid last, and their room is used again', () => {
    const history = createNameHistory();
    const pay = (from: number) => {
      for (let i = 0; i < 2_500; i++) note(history, 1, from + i, `张伟${from + i}`, 100, startMs + from + i);
    };
    const isKnown = (other: number): boolean => history.resembling(1, 0, `张伟${other}`, 2, 0, Infinity).count === 1;
    // One table is as long as the largest number of an account.
    note(history, 2, 22_499, '王某', 100, startMs);
    pay(10_000);
    expect([10_000, 10_499, 10_500, 12_499].map(isKnown)).toEqual([false, false, true, true]);
    const bytes = history.bytesUsed();
    pay(20_000);
    expect([12_499, 20_499, 20_500, 22_499].map(isKnown)).toEqual([false, false, true, true]);
    expect(history.bytesUsed()).toBe(bytes);
    note(history, 1, 5, '李某', 100, startMs);
    expect(history.resembling(1, 0, '李某', 1, 0, Infinity).count).toBe(0);
  });

  it('are forgotten after 400 days', () => {
    const history = createNameHistory();
    note(history, 1, 10, '张伟', 100, startMs);
    note(history, 1, 11, '李某', 100, startMs + 400 * dayMs);
    expect(history.resembling(1, 12, '张伟', 1, 0, Infinity).count).toBe(1);
    note(history, 1, 11, '李某', 100, startMs + 400 * dayMs + 1);
    expect(history.resembling(1, 12, '张伟', 1, 0, Infinity).count).toBe(0);
  });
});

describe('names of holders', () => {
  it('are alike as the package measures what is left of them, though most are told apart without it', () => {
    const text = fc.string({ unit: fc.constantFrom(...'郑州市华信商贸大中新ab𠮷'), maxLength: 10 });
    const near = fc.tuple(text, text, text).map(([a, b, c]) => [a + b + c, a + c] as const);
    fc.assert(
      fc.property(fc.oneof(near, fc.tuple(text, text)), fc.constantFrom(0.5, 0.8, 0.9, 0.95, 1), ([a, b], similarity) => {
        const [first, second] = a < b ? [a, b] : [b, a];
        const expected = a !== '' && b !== '' && (a === b || jaroWinkler(first, second) >= similarity);
        expect(resembles(holderName(a), holderName(b), similarity)).toBe(expected);
        expect(resembles(holderName(b), holderName(a), similarity)).toBe(expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('are parted as by hand', () => {
    for (const a of written)
      for (const b of written)
        expect(`${a.name} ${b.name} ${resembles(holderName(a.name), holderName(b.name), 0.92)}`).toBe(
          `${a.name} ${b.name} ${isAlike(a, b, 0.92)}`,
        );
  });

  it('that share no more than a legal form are not alike', () => {
    expect(resembles(holderName('甲乙有限责任公司'), holderName('丙丁有限责任公司'), 0.1)).toBe(false);
    expect(resembles(holderName('甲乙有限公司'), holderName('甲乙合伙企业（有限合伙）'), 0.1)).toBe(false);
    expect(resembles(holderName('甲乙有限公司'), holderName('甲乙有限责任公司'), 1)).toBe(true);
  });
});
