import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import type { Hit } from '../../src/domain/hit.js';
import { type Reference, referenceSchema } from '../../src/domain/reference.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import { createFileEngines } from '../../src/pipeline/file-engines.js';
import { createBatch } from '../../src/scoring/batch.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { compileOrThrow } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';

/** Patterns that say all they know of what crosses partitions: money on its way, shared things, kin, lists, records. */
const pattern = (id: string, on: string, when: string, said: readonly string[]): string => askingPattern({ id, on, when, said });

const set = compileOrThrow(
  [
    pattern('T01', 'arrival', 'carried.hops >= 1', [
      'carried.hops',
      'carried.quick',
      'carried.cycle',
      'carried.cycleShare',
      'carried.caseLevel',
      'carried.circle',
      'carried.circleHops',
      'carried.payerNew',
      'gathered("3d")',
      'gatheredOf(2, "24h")',
      'count(credit, "24h")',
    ]),
    pattern('T02', 'use', 'use.firms("24h") >= 2', ['use.kind', 'use.firms("24h")', 'use.accounts("7d")']),
    pattern('T03', 'both', 'tx.amountFen > 0', [
      'self.caseLevel',
      'profile(self).legalRepFirms',
      'profile(self).capitalFen',
      'kinStopped("24h")',
      'stopped("24h")',
      'newDevice("7d")',
      'other in list("black")',
      'knownName(0.92, "7d")',
      'changes(["limit", "phone"], "24h")',
      'count(debit, "24h")',
      'related(other)',
    ]),
    pattern('T04', 'record', 'record.type != ""', ['record.type', 'record.what', 'count(any, "24h")', 'stopped("1h")']),
  ].map((text, i) => ({ file: `T0${i + 1}.yaml`, text })),
);

type Item = { readonly transaction: Uint8Array } | { readonly reference: Reference };

const startMs = Date.parse('2026-06-24T08:00:00+08:00');
const accounts = ['1000', '1001', '1002', '1003', '1004', '1005'];
const arbitraryAccount = fc.constantFrom(...accounts);
const device = fc.constantFrom('dev-1', 'dev-2', 'dev-3');

const arbitraryTransaction = fc.record({
  kind: fc.constant('transaction' as const),
  payer: arbitraryAccount,
  payee: arbitraryAccount,
  amountFen: fc.constantFrom(10_000, 60_000_000, 59_000_000, 55_000_000),
  device: fc.option(device, { nil: undefined }),
});
const arbitraryRecord = fc.oneof(
  fc.record({
    type: fc.constant('profile'),
    account: arbitraryAccount,
    legalRep: fc.constantFrom('甲', '乙'),
    capitalFen: fc.nat(1_000),
  }),
  fc.record({ type: fc.constant('stop-pay'), account: arbitraryAccount, action: fc.constantFrom('stop', 'release') }),
  fc.record({
    type: fc.constant('account-change'),
    account: arbitraryAccount,
    what: fc.constantFrom('limit', 'phone', 'opened'),
    agent: fc.constantFrom('x', 'y'),
  }),
  fc.record({ type: fc.constant('case-account'), account: arbitraryAccount, level: fc.nat(2) }),
  fc.record({
    type: fc.constant('list'),
    list: fc.constant('black'),
    action: fc.constantFrom('add', 'remove'),
    entries: fc.array(arbitraryAccount, { minLength: 1, maxLength: 2 }),
  }),
);
const arbitraryStream = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 90 * 60_000 }),
      fc.oneof({ weight: 4, arbitrary: arbitraryTransaction }, { weight: 1, arbitrary: arbitraryRecord }),
    ),
    { minLength: 5, maxLength: 60 },
  )
  .map((steps) => {
    let nowMs = startMs;
    return steps.map(([gapMs, step], i): Item => {
      nowMs += gapMs;
      const time = formatShanghai(nowMs);
      if ('kind' in step) return { transaction: transactionBytes(step, i, time) };
      return { reference: referenceSchema.parse({ ...step, id: `r${i}`, time }) };
    });
  });

function transactionBytes(
  { payer, payee, amountFen, device: id }: { payer: string; payee: string; amountFen: number; device: string | undefined },
  i: number,
  time: string,
): Uint8Array {
  const party = (account: string) => ({ account, name: `公司${account}`, kind: 'corporate' as const });
  return encodeTransaction({
    id: `t${i}`,
    time,
    amountFen,
    currency: 'CNY',
    status: 'settled',
    payer: party(payer),
    payee: party(payee),
    ...(id === undefined ? {} : { device: { id } }),
  });
}

/** Hits in the order of their transactions; those of one transaction in an order of their own. */
function hitsOf(items: readonly Item[], partitions: number): Hit[] {
  const engines = createFileEngines(set, partitions);
  const batch = createBatch();
  batch.roles.fill(3);
  batch.count = 1;
  return items.flatMap((item) => {
    const hits: Hit[] = [];
    if ('reference' in item) engines.takeReference(item.reference, hits);
    else {
      expect(scanTransaction(item.transaction, 0, item.transaction.length, batch.views[0]!)).toBe(true);
      engines.scoreBatch(batch, hits);
    }
    return hits.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  });
}

describe('what crosses partitions', () => {
  it('gives the same hits however accounts and shared things are spread', () => {
    let arrivals = 0;
    let uses = 0;
    fc.assert(
      fc.property(arbitraryStream, fc.integer({ min: 2, max: 5 }), (items, partitions) => {
        const hits = hitsOf(items, 1);
        expect(hitsOf(items, partitions)).toEqual(hits);
        arrivals += hits.filter(({ pattern: id }) => id === 'T01').length;
        uses += hits.filter(({ pattern: id }) => id === 'T02').length;
      }),
      { numRuns: 150 },
    );
    expect(Math.min(arrivals, uses)).toBeGreaterThan(50);
  });
});
