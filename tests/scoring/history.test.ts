import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import { createEngine } from '../../src/scoring/engine.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { compileOrThrow, workingDays } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';
import { bigFen, createSlowHistory, dayBigFen, type SlowTransaction } from '../support/slow-history.js';

/** Every question is written once and asked of both: of the engine as an expression, of the slow twin as a call. */
type Slow = ReturnType<ReturnType<typeof createSlowHistory>['add']>;
const windows = ['10m', '24h', '7d', 'day', '3days', '5wd'];
const streams = ['debit', 'credit', 'any', 'big', 'first', 'passed', 'dayBig'];
const questions: { expression: string; slow: (leg: Slow) => unknown }[] = [
  ...windows.flatMap((window) =>
    streams.flatMap((stream) => [
      { expression: `count(${stream}, "${window}")`, slow: (leg: Slow) => leg.count(stream, window) },
      { expression: `sum(${stream}, "${window}")`, slow: (leg: Slow) => leg.sum(stream, window) },
    ]),
  ),
  ...['10m', '24h', '5wd'].flatMap((window) =>
    ['debit', 'credit', 'any', 'big', 'first', 'passed'].map((stream) => ({
      expression: `distinct(${stream}, "${window}")`,
      slow: (leg: Slow) => leg.distinct(stream, window),
    })),
  ),
  ...['10m', '24h', 'ever'].flatMap((window) =>
    ['debit', 'first'].flatMap((stream) => [
      { expression: `max(${stream}, "${window}")`, slow: (leg: Slow) => leg.max(stream, window) },
      { expression: `min(${stream}, "${window}")`, slow: (leg: Slow) => leg.min(stream, window) },
    ]),
  ),
  { expression: 'count(big, "ever")', slow: (leg) => leg.count('big', 'ever') },
  { expression: 'count(any, "40d")', slow: (leg) => leg.count('any', '40d by day') },
  { expression: 'sum(debit, "40d")', slow: (leg) => leg.sum('debit', '40d by day') },
  { expression: 'count(big, "90d")', slow: (leg) => leg.count('big', '90d') },
  { expression: 'distinct(first, "90d")', slow: (leg) => leg.distinct('first', '90d') },
  { expression: 'max(big, "10m")', slow: (leg) => leg.max('big', '10m') },
  { expression: 'min(big, "24h")', slow: (leg) => leg.min('big', '24h') },
  { expression: 'distinctOf(first, "province", "24h")', slow: (leg) => leg.provinces('first', '24h') },
  { expression: 'distinctOf(any, "region", "7d")', slow: (leg) => leg.places('any', '7d', (province) => province) },
  { expression: 'distinctOf(first, "month", "60d")', slow: (leg) => leg.months('first', '60d') },
  { expression: 'similar(any, "24h", 0.2)', slow: (leg) => leg.similar('any', '24h', 0.2, false) },
  { expression: 'similar(big, "24h", 0.2)', slow: (leg) => leg.similar('big', '24h', 0.2, false) },
  { expression: 'pairSimilar(debit, "7d", 0.5)', slow: (leg) => leg.similar('debit', '7d', 0.5, true) },
  { expression: 'cv(credit, "24h")', slow: (leg) => leg.cv('credit', '24h') },
  { expression: 'cv(big, "24h")', slow: (leg) => leg.cv('big', '24h') },
  { expression: 'modeCount(any, "24h")', slow: (leg) => leg.modeCount('any', '24h') },
  { expression: 'modeCount(first, "7d")', slow: (leg) => leg.modeCount('first', '7d') },
  { expression: 'pairSum(any, "7d")', slow: (leg) => leg.pairSum('any', '7d') },
  { expression: 'pairSum(big, "60d")', slow: (leg) => leg.pairSum('big', '60d') },
  { expression: 'repeated(any, "3h", "7d")', slow: (leg) => leg.repeated('any', 3, '7d') },
  { expression: 'repeated(big, "3h", "7d")', slow: (leg) => leg.repeated('big', 3, '7d') },
  { expression: 'recent("round", 5)', slow: (leg) => leg.recentRound(5) },
  { expression: 'paidBefore()', slow: (leg) => leg.paidBefore() },
  { expression: 'receivedBefore()', slow: (leg) => leg.receivedBefore() },
  { expression: 'gap()', slow: (leg) => leg.gap(leg.isDebit ? 'debit' : 'credit') },
  { expression: 'reverseGap()', slow: (leg) => leg.gap(leg.isDebit ? 'credit' : 'debit') },
  { expression: 'since(big)', slow: (leg) => leg.since('big') },
  { expression: 'since(first)', slow: (leg) => leg.since('first') },
  { expression: 'now(first)', slow: (leg) => leg.now('first') },
  { expression: 'sum(any, "ever")', slow: (leg) => leg.sum('any', 'ever') },
  { expression: 'distinctOf(any, "province", "24h")', slow: (leg) => leg.provinces('any', '24h') },
  { expression: 'distinctOf(credit, "hour", "7d")', slow: (leg) => leg.hours('credit', '7d') },
  { expression: 'distinctOf(big, "day", "7d")', slow: (leg) => leg.days('big', '7d') },
  { expression: 'pairCount(first, "24h")', slow: (leg) => leg.pairCount('first', '24h') },
  { expression: 'pairCount(any, "7d")', slow: (leg) => leg.pairCount('any', '7d') },
  { expression: 'matched(credit, "7d", 0.05)', slow: (leg) => leg.matched('credit', '7d', 0.05) },
  { expression: 'matched(big, "24h", 0.05)', slow: (leg) => leg.matched('big', '24h', 0.05) },
  { expression: 'matched(big, "60d", 0.05)', slow: (leg) => leg.matched('big', '60d', 0.05) },
  { expression: 'matched(first, "3days", 0.2)', slow: (leg) => leg.matched('first', '3days', 0.2) },
  { expression: 'pairSimilar(big, "7d", 0.5)', slow: (leg) => leg.similar('big', '7d', 0.5, true) },
  { expression: 'pairSimilar(first, "10m", 0.5)', slow: (leg) => leg.similar('first', '10m', 0.5, true) },
  { expression: 'newPayee("1d")', slow: (leg) => leg.newPayee(1) },
  { expression: 'newPayer("2d")', slow: (leg) => leg.newPayer(2) },
  { expression: 'idle("1d")', slow: (leg) => leg.idle(1) },
];

const pattern = (asked: typeof questions) =>
  askingPattern({
    on: 'both',
    said: asked.map(({ expression }) => expression),
    extra: `streams:
  big: { of: debit, when: tx.amountFen >= ${bigFen} }
  first: { of: any, when: 'newContact("30d")' }
  passed: { of: lots, share: 0.9, within: 30m }
  dayBig: { of: day, when: day.turnoverFen >= ${dayBigFen} }`,
  });
/** The reason of a pattern file is bounded, so the questions are asked in groups. */
const groups = Array.from({ length: Math.ceil(questions.length / 14) }, (_, i) => questions.slice(i * 14, i * 14 + 14));
const sets = groups.map((group) => compileOrThrow([{ file: 'T01.yaml', text: pattern(group) }]));

function bytesOf(transaction: SlowTransaction): Uint8Array {
  return encodeTransaction({
    id: transaction.id,
    time: formatShanghai(transaction.timeMs),
    amountFen: transaction.amountFen,
    currency: 'CNY',
    status: 'settled',
    payer: {
      account: transaction.payer,
      region: `${transaction.province[transaction.payer]}0000`,
      ...(transaction.payerBalanceFen === undefined ? {} : { balanceFen: transaction.payerBalanceFen }),
    },
    payee: {
      account: transaction.payee,
      region: `${transaction.province[transaction.payee]}0000`,
      ...(transaction.payeeBalanceFen === undefined ? {} : { balanceFen: transaction.payeeBalanceFen }),
    },
  });
}

function expectEqualHistories(transactions: readonly SlowTransaction[], partitions: number): void {
  groups.forEach((group, g) => {
    const engines = Array.from({ length: partitions }, () => createEngine(sets[g]!));
    const slow = createSlowHistory(workingDays);
    const view = new TransactionView();
    for (const transaction of transactions) {
      const bytes = bytesOf(transaction);
      expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
      for (const isDebit of [true, false]) {
        const hits: Hit[] = [];
        const subject = isDebit ? transaction.payer : transaction.payee;
        engines[Number(subject) % partitions]!.score(view, isDebit ? role.debit : role.credit, 0, 0, hits);
        const leg = slow.add(transaction, isDebit);
        expect(hits[0]?.explanation.en.split(' '), `${transaction.id} ${isDebit ? 'debit' : 'credit'}`).toEqual(
          group.map((question) => String(question.slow(leg))),
        );
      }
    }
  });
}

const startMs = Date.parse('2026-06-24T08:00:00+08:00');
const accounts = ['1000', '1001', '1002', '1003', '1004'];
const province = Object.fromEntries(accounts.map((account, i) => [account, 41 + (i % 3)]));

const arbitraryStream = fc
  .array(
    fc.record({
      // Mostly close together, so that windows fill; sometimes days apart; one in five out of order.
      gapMs: fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: 0, max: 15 * 60_000 }) },
        { weight: 2, arbitrary: fc.integer({ min: 0, max: 40 * 3_600_000 }) },
      ),
      lateMs: fc.oneof(
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: 30 * 3_600_000 }) },
      ),
      payer: fc.constantFrom(...accounts),
      payee: fc.constantFrom(...accounts),
      amountFen: fc.oneof(fc.constantFrom(1_000, 40_000, 49_999, 50_000, 50_001, 100_000), fc.integer({ min: 1, max: 90_000 })),
      payerBalanceFen: fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: undefined }),
    }),
    { minLength: 5, maxLength: 60 },
  )
  .map((steps) => {
    let nowMs = startMs;
    return steps.map((step, i): SlowTransaction => {
      nowMs += step.gapMs;
      return {
        id: `t${i}`,
        timeMs: nowMs - step.lateMs,
        amountFen: step.amountFen,
        payer: step.payer,
        payee: step.payee,
        province,
        ...(step.payerBalanceFen === undefined ? {} : { payerBalanceFen: step.payerBalanceFen }),
      };
    });
  });

describe('what the engine remembers of an account', () => {
  it('equals a recomputation from all legs, late and out-of-order ones included', () => {
    fc.assert(
      fc.property(arbitraryStream, (transactions) => expectEqualHistories(transactions, 1)),
      { numRuns: 120 },
    );
  });

  it('does not depend on how accounts are spread over partitions', () => {
    fc.assert(
      fc.property(arbitraryStream, fc.integer({ min: 2, max: 5 }), (transactions, partitions) =>
        expectEqualHistories(transactions, partitions),
      ),
      { numRuns: 30 },
    );
  });

  it('stays exact when the memory of old legs is given back', () => {
    // 26,000 legs over 130 days: chunks of legs older than the longest window and the lateness are used again.
    let seed = 7;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const many = Array.from({ length: 300 }, (_, i) => String(2000 + i));
    const provinces = Object.fromEntries(many.map((account, i) => [account, 41 + (i % 4)]));
    const transactions = Array.from({ length: 13_000 }, (_, i): SlowTransaction => {
      const late = random() < 0.1 ? random() * 3_600_000 * 20 : 0;
      return {
        id: `t${i}`,
        timeMs: Math.floor(startMs + i * 864_000 - late),
        amountFen: 1 + Math.floor(random() * 90_000),
        payer: many[Math.floor(random() * many.length)]!,
        payee: many[Math.floor(random() * many.length)]!,
        province: provinces,
      };
    });
    const engine = createEngine(sets[1]!);
    const slow = createSlowHistory(workingDays);
    const view = new TransactionView();
    for (const transaction of transactions) {
      const bytes = bytesOf(transaction);
      scanTransaction(bytes, 0, bytes.length, view);
      for (const isDebit of [true, false]) {
        const hits: Hit[] = [];
        engine.score(view, isDebit ? role.debit : role.credit, 0, 0, hits);
        const leg = slow.add(transaction, isDebit);
        expect(hits[0]?.explanation.en.split(' '), transaction.id).toEqual(
          groups[1]!.map((question) => String(question.slow(leg))),
        );
      }
    }
    expect(engine.stats().legs).toBeLessThan(2 * 13_000 * 0.8);
  });
});
