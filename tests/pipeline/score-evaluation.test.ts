import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import { createEvaluator, labelSchema, type Evaluation } from '../../src/pipeline/score-evaluation.js';
import { readTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { makeHit } from '../support/hits.js';

interface Given {
  readonly payer: number;
  readonly payee: number;
  readonly minute: number;
  readonly typology: string | null;
  readonly scheme: number | undefined;
  readonly hits: readonly { readonly pattern: string; readonly score: number; readonly onPayee: boolean }[];
}

const firstMs = Date.parse('2026-07-01T08:00:00+08:00');
const account = (number: number) => `41000000${number}`;
const timeOf = ({ minute }: Given) => formatShanghai(firstMs + minute * 60_000);

function evaluate(given: readonly Given[], unscored: readonly string[] = []): Evaluation {
  const labels = given.flatMap(({ typology, scheme }, i) =>
    typology === null ? [{ transaction: `T${i}`, label: 0 }] : [{ transaction: `T${i}`, label: 1, typology, scheme }],
  );
  const evaluator = createEvaluator(
    [...labels, ...unscored.map((transaction) => ({ transaction, label: 1, typology: 'a' }))].map((label) =>
      labelSchema.parse(label),
    ),
  );
  for (const [i, one] of given.entries()) {
    const view = new TransactionView();
    const record = {
      id: `T${i}`,
      time: timeOf(one),
      amountFen: 100,
      payer: { account: account(one.payer) },
      payee: { account: account(one.payee) },
    };
    const bytes = new TextEncoder().encode(JSON.stringify(record));
    expect(readTransaction(bytes, 0, bytes.length, view)).toBeNull();
    evaluator.addTransaction(view);
    evaluator.addHits(
      one.hits.map(({ pattern, score, onPayee }) =>
        makeHit({
          pattern,
          score,
          transaction: `T${i}`,
          time: timeOf(one),
          subject: { kind: 'account', id: account(onPayee ? one.payee : one.payer) },
        }),
      ),
    );
  }
  return evaluator.result();
}

const given: fc.Arbitrary<Given[]> = fc.array(
  fc.record({
    payer: fc.integer({ min: 0, max: 6 }),
    payee: fc.integer({ min: 7, max: 13 }),
    minute: fc.integer({ min: 0, max: 500 }),
    typology: fc.constantFrom(null, null, 'fan_in', 'cycle'),
    scheme: fc.constantFrom(undefined, undefined, 1, 2),
    hits: fc.array(
      fc.record({ pattern: fc.constantFrom('P1', 'P2'), score: fc.constantFrom(0.3, 0.5, 0.9), onPayee: fc.boolean() }),
      { maxLength: 2 },
    ),
  }),
  { maxLength: 25 },
);
const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);

describe('how well hits meet labels', () => {
  it('is counted as anybody would count it by hand, by transaction, account, pattern and typology', () => {
    fc.assert(
      fc.property(given, (all) => {
        const result = evaluate(all);
        const isLabelled = ({ typology }: Given) => typology !== null;
        const isHit = ({ hits }: Given) => hits.length > 0;
        const labelled = all.filter(isLabelled);
        const hit = all.filter(isHit);
        const right = labelled.filter(isHit);
        expect(result).toMatchObject({
          labelled: labelled.length,
          notScored: 0,
          hitTransactions: hit.length,
          overall: { precision: share(right.length, hit.length), recall: share(right.length, labelled.length) },
        });
        const accountsOf = (some: readonly Given[]) => new Set(some.flatMap(({ payer, payee }) => [payer, payee]));
        const flaggedBy = (keep: (pattern: string) => boolean) =>
          new Set(
            all.flatMap(({ payer, payee, hits }) =>
              hits.filter(({ pattern }) => keep(pattern)).map(({ onPayee }) => (onPayee ? payee : payer)),
            ),
          );
        const flagged = flaggedBy(() => true);
        const bad = accountsOf(labelled);
        expect(result.accounts).toMatchObject({
          labelled: bad.size,
          flagged: flagged.size,
          precision: share([...flagged].filter((one) => bad.has(one)).length, flagged.size),
          recall: share([...bad].filter((one) => flagged.has(one)).length, bad.size),
        });
        for (const pattern of ['P1', 'P2']) {
          const of = hit.filter(({ hits }) => hits.some((one) => one.pattern === pattern));
          if (of.length === 0) {
            expect(result.byPattern).not.toHaveProperty(pattern);
            continue;
          }
          const mine = flaggedBy((one) => one === pattern);
          expect(result.byPattern[pattern]).toMatchObject({
            hitTransactions: of.length,
            truePositives: of.filter(isLabelled).length,
            precision: share(of.filter(isLabelled).length, of.length),
            recall: share(of.filter(isLabelled).length, labelled.length),
            accounts: { flagged: mine.size, truePositives: [...mine].filter((one) => bad.has(one)).length },
          });
        }
        for (const typology of ['fan_in', 'cycle']) {
          const of = labelled.filter((one) => one.typology === typology);
          if (of.length === 0) continue;
          const mine = accountsOf(of);
          expect(result.byTypology[typology]).toMatchObject({
            labelled: of.length,
            found: of.filter(isHit).length,
            accounts: { labelled: mine.size, found: [...mine].filter((one) => flagged.has(one)).length },
          });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('tells cases by their scheme, and measures from the first transaction of a case to the first that hit', () => {
    fc.assert(
      fc.property(given, (all) => {
        const schemed = all.filter(({ scheme }) => scheme !== undefined);
        const result = evaluate(schemed);
        const delays: number[] = [];
        let total = 0;
        for (const key of ['fan_in1', 'fan_in2', 'cycle1', 'cycle2']) {
          const of = schemed.filter(({ typology, scheme }) => `${typology}${scheme}` === key);
          if (of.length === 0) continue;
          total++;
          const hits = of.filter(({ hits }) => hits.length > 0).map(({ minute }) => minute);
          if (hits.length > 0) delays.push((Math.min(...hits) - Math.min(...of.map(({ minute }) => minute))) * 60);
        }
        const inOrder = delays.toSorted((a, b) => a - b);
        expect(result.cases).toEqual({
          total,
          found: delays.length,
          recall: share(delays.length, total),
          delaySeconds: {
            median: inOrder[Math.ceil(inOrder.length / 2) - 1] ?? null,
            p90: inOrder[Math.ceil(inOrder.length * 0.9) - 1] ?? null,
          },
        });
      }),
      { numRuns: 200 },
    );
  });

  const quiet = { scheme: undefined, hits: [] };
  it('takes transactions of one typology that hang together by their accounts for one case', () => {
    const hits = [{ pattern: 'P1', score: 0.5, onPayee: true }];
    const result = evaluate([
      { ...quiet, payer: 1, payee: 2, minute: 0, typology: 'cycle' },
      { ...quiet, payer: 2, payee: 3, minute: 30, typology: 'cycle', hits },
      { ...quiet, payer: 8, payee: 9, minute: 0, typology: 'cycle' },
      { ...quiet, payer: 3, payee: 8, minute: 0, typology: 'fan_in' },
    ]);
    expect(result.cases).toMatchObject({ total: 3, found: 1, delaySeconds: { median: 1_800, p90: 1_800 } });
    expect(result.byTypology['cycle']?.cases).toMatchObject({ total: 2, found: 1, recall: 0.5 });
  });

  it('takes the accounts of a label where it names them', () => {
    const evaluator = createEvaluator([labelSchema.parse({ transaction: 'T1', label: 1, accounts: ['A', 'B', 'C'] })]);
    const view = new TransactionView();
    const bytes = new TextEncoder().encode(
      JSON.stringify({
        id: 'T1',
        time: '2026-07-01T08:00:00+08:00',
        amountFen: 1,
        payer: { account: 'AAAA' },
        payee: { account: 'BBBB' },
      }),
    );
    readTransaction(bytes, 0, bytes.length, view);
    evaluator.addTransaction(view);
    evaluator.addHits([makeHit({ transaction: 'T1', subject: { kind: 'account', id: 'C' } })]);
    expect(evaluator.result().accounts).toMatchObject({ labelled: 3, flagged: 1, found: 1 });
  });

  it('does not count against the patterns what was never scored, and says how much that is', () => {
    const result = evaluate([{ ...quiet, payer: 1, payee: 2, minute: 0, typology: 'cycle' }], ['T98', 'T99']);
    expect(result).toMatchObject({ labelled: 1, notScored: 2, overall: { recall: 0 } });
  });

  it('counts the hits of shadow patterns by pattern and in the ranking with shadows alone', () => {
    const evaluator = createEvaluator([labelSchema.parse({ transaction: 'T1', label: 1 })]);
    const view = new TransactionView();
    for (const id of ['T1', 'T2', 'T3']) {
      const record = {
        id,
        time: '2026-07-01T08:00:00+08:00',
        amountFen: 1,
        payer: { account: 'AAAA' },
        payee: { account: 'BBBB' },
      };
      const bytes = new TextEncoder().encode(JSON.stringify(record));
      readTransaction(bytes, 0, bytes.length, view);
      evaluator.addTransaction(view);
    }
    const subject = { kind: 'account', id: 'AAAA' } as const;
    evaluator.addHits([
      makeHit({ pattern: 'N01', transaction: 'T1', state: 'shadow', score: 0.9, subject }),
      makeHit({ pattern: 'M01', transaction: 'T2', score: 0.3, subject }),
    ]);
    const result = evaluator.result();
    expect(result).toMatchObject({ hitTransactions: 1, overall: { precision: 0, recall: 0 }, cases: { found: 0 } });
    expect(result.withShadows).toMatchObject({ hitTransactions: 2, overall: { precision: 0.5, recall: 1, prAuc: 1 } });
    expect(result.byPattern).toMatchObject({ N01: { truePositives: 1 }, M01: { truePositives: 0 } });
    expect(result.byTypology['unnamed']).toMatchObject({ found: 0, foundBy: {} });
  });

  it('counts what a reference record alone led to for its account, and for no transaction', () => {
    const evaluator = createEvaluator([]);
    evaluator.addHits([makeHit({ transaction: 'P1', amountFen: 0 })]);
    expect(evaluator.result()).toMatchObject({ hitTransactions: 0, accounts: { flagged: 1 } });
  });

  it('goes on from what it saved', () => {
    const labels = [labelSchema.parse({ transaction: 'T1', label: 1 })];
    const hit = (pattern: string) => makeHit({ pattern, transaction: 'T1', subject: { kind: 'account', id: pattern } });
    const whole = createEvaluator(labels);
    whole.addHits([hit('P1'), hit('P2')]);
    const first = createEvaluator(labels);
    first.addHits([hit('P1')]);
    const second = createEvaluator(labels, JSON.parse(JSON.stringify(first.save())) as ReturnType<typeof first.save>);
    second.addHits([hit('P2')]);
    expect(second.result()).toEqual(whole.result());
    expect(second.save()).toEqual(whole.save());
  });

  it('looks at the strongest hits first when the budget is small', () => {
    const strong = [
      { pattern: 'P1', score: 0.9, onPayee: false },
      { pattern: 'P2', score: 0.5, onPayee: false },
    ];
    const weak = [{ pattern: 'P1', score: 0.3, onPayee: false }];
    const base = { scheme: undefined, payer: 1, payee: 2, minute: 0 };
    const all: Given[] = [
      ...Array.from({ length: 995 }, () => ({ ...base, typology: null, hits: [] })),
      ...Array.from({ length: 4 }, () => ({ ...base, typology: null, hits: weak })),
      { ...base, typology: 'cycle', hits: strong },
    ];
    const result = evaluate(all);
    expect(result.budgets).toEqual([
      { share: 0.001, transactions: 1, recall: 1 },
      { share: 0.005, transactions: 5, recall: 1 },
      { share: 0.01, transactions: 10, recall: 1 },
    ]);
    expect(result.overall.prAuc).toBe(1);
  });
});
