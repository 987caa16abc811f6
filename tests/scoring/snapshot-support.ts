import fc from 'fast-check';
import { formatShanghai } from '../../src/domain/bank-day.js';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { partitionOf, partitionOfHash } from '../../src/domain/partition.js';
import { routesOf } from '../../src/domain/reference-record.js';
import { type Reference, referenceSchema } from '../../src/domain/reference.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import { createEngine, type ScoringEngine } from '../../src/scoring/engine.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { readTransaction } from '../../src/scoring/reader.js';
import { copyState, createStateReader } from '../../src/scoring/snapshot-codec.js';
import type { RestoredTree } from '../../src/scoring/snapshot-state.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { askingPattern } from '../support/pattern-text.js';

export type Item = { readonly transaction: Uint8Array } | { readonly reference: Reference };

/** Patterns that say what every part of the engine knows. */
export const asking = [
  askingPattern({
    id: 'T01',
    on: 'arrival',
    when: 'carried.hops >= 1',
    said: [
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
    ],
  }),
  askingPattern({
    id: 'T02',
    on: 'use',
    when: 'use.firms("24h") >= 1',
    said: ['use.kind', 'use.firms("24h")', 'use.accounts("7d")', 'use.opened("7d")'],
  }),
  askingPattern({
    id: 'T03',
    on: 'both',
    said: [
      'self.caseLevel',
      'profile(self).legalRepFirms',
      'profile(self).capitalFen',
      'kinStopped("24h")',
      'stopped("24h")',
      'newDevice("7d")',
      'newOperator("7d")',
      'other in list("black")',
      'knownName(0.92, "7d")',
      'knownNameMeanFen(0.92, "7d")',
      'changes(["limit", "phone"], "24h")',
      'related(other)',
      'employee(other)',
      'roundForeign(0.001)',
    ],
  }),
  askingPattern({
    id: 'T04',
    on: 'record',
    when: 'record.type != ""',
    said: ['record.type', 'record.what', 'count(any, "24h")', 'stopped("1h")'],
  }),
  askingPattern({
    id: 'T05',
    on: 'both',
    extra: `streams:
  big: { of: debit, when: tx.amountFen > 5000000 }
  quiet: { of: day, when: day.count < 3 }
  passed: { of: lots, share: 0.8, within: 24h }`,
    said: [
      'count(any, "1h")',
      'sum(debit, "24h")',
      'max(debit, "24h")',
      'min(credit, "7d")',
      'distinct(credit, "3d")',
      'count(debit, "90d")',
      'sum(any, "ever")',
      'count(big, "7d")',
      'sum(big, "400d")',
      'distinct(big, "7d")',
      'max(big, "7d")',
      'since(big)',
      'count(quiet, "30d")',
      'count(passed, "7d")',
      'sum(passed, "24h")',
    ],
  }),
  askingPattern({
    id: 'T07',
    on: 'both',
    said: [
      'median(debit, "90d")',
      'samples(debit, "90d")',
      'zscore(debit, "1h", "7d")',
      'baselineCount(any, "1h", "3d")',
      'similar(debit, "7d", 0.01)',
    ],
  }),
  askingPattern({
    id: 'T08',
    on: 'both',
    said: [
      'pairCount(debit, "7d")',
      'pairSimilar(debit, "7d", 0.01)',
      'matched(credit, "3d", 0.01)',
      'rising(debit, "7d", 1.1)',
      'mode(debit, "24h")',
      'recent("round", 5)',
      'paidBefore()',
      'receivedBefore()',
      'gap()',
      'reverseGap()',
      'newContact("30d")',
      'idle("3d")',
      'sinceChange(["limit", "phone"])',
    ],
  }),
  askingPattern({ id: 'T06', when: 'login.ageSeconds < 864000.0', said: ['login.ageSeconds', 'login.newProvince', 'login.ips'] }),
].map((text, i) => ({ file: `asking-${i}.yaml`, text }));

const startMs = Date.parse('2026-06-24T08:00:00+08:00');
const account = fc.constantFrom('1000', '1001', '1002', '1003', '1004', '1005', '1006');
const device = fc.constantFrom('dev-1', 'dev-2', 'dev-3');
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const transaction = fc.record({
  kind: fc.constant('transaction' as const),
  payer: account,
  payee: account,
  isPerson: fc.boolean(),
  amountFen: fc.oneof(
    fc.constantFrom(10_000, 100_000, 60_000_000, 59_000_000, 55_000_000, 35_617_00),
    fc.integer({ min: 1, max: 20_000_000 }),
  ),
  device: optional(device),
  operator: optional(fc.constantFrom('op-1', 'op-2')),
  balanceFen: optional(fc.nat(1_000_000)),
});
interface Step {
  readonly payer: string;
  readonly payee: string;
  readonly isPerson: boolean;
  readonly amountFen: number;
  readonly device: string | undefined;
  readonly operator: string | undefined;
  readonly balanceFen: number | undefined;
}
const record = fc.oneof(
  fc.record({
    type: fc.constant('profile'),
    account,
    legalRep: fc.constantFrom('甲', '乙', '\u{d83d}'),
    capitalFen: fc.nat(1_000),
    related: fc.constantFrom(['公司1001'], []),
    employees: fc.constantFrom(['公司1002'], []),
  }),
  fc.record({ type: fc.constant('stop-pay'), account, action: fc.constantFrom('stop', 'release') }),
  fc.record({ type: fc.constant('account-change'), account, what: fc.constantFrom('limit', 'phone', 'opened'), agent: device }),
  fc.record({ type: fc.constant('case-account'), account, level: fc.nat(2) }),
  fc.record({
    type: fc.constant('login'),
    account,
    device: fc.record({ ip: fc.constantFrom('10.0.0.1', '10.0.0.2') }),
    province: fc.constantFrom(41, 11),
    session: fc.constantFrom('s1', 's2'),
  }),
  fc.record({
    type: fc.constant('list'),
    list: fc.constantFrom('black', 'other'),
    action: fc.constantFrom('add', 'remove'),
    entries: fc.array(account, { minLength: 1, maxLength: 2 }),
  }),
  fc.record({
    type: fc.constant('exchange-rate'),
    currency: fc.constantFrom('USD', 'EUR'),
    fenPer100: fc.constantFrom(71_234, 80_000),
  }),
);

/** Minutes to days go by between two steps; now and then something is late. */
const gapMs = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 90 * 60_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 5 * 86_400_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -10 * 3_600_000, max: 0 }) },
);

export const arbitraryStream: fc.Arbitrary<Item[]> = fc
  .array(fc.tuple(gapMs, fc.oneof({ weight: 5, arbitrary: transaction }, { weight: 1, arbitrary: record })), {
    minLength: 20,
    maxLength: 120,
  })
  .map((steps) => {
    let nowMs = startMs;
    return steps.map(([gap, step], i): Item => {
      const time = formatShanghai(nowMs + gap);
      if (gap > 0) nowMs += gap;
      if (!('kind' in step)) return { reference: referenceSchema.parse({ ...step, id: `r${i}`, time }) };
      return { transaction: transactionBytes(step, i, time) };
    });
  });

function transactionBytes(step: Step, i: number, time: string): Uint8Array {
  const { payer, payee, isPerson, amountFen, device: id, operator, balanceFen } = step;
  const party = (number: string) => ({ account: number, name: `公司${number}`, kind: 'corporate' as const });
  return encodeTransaction({
    id: `t${i}`,
    time,
    amountFen,
    currency: 'CNY',
    status: 'settled',
    payer: { ...party(payer), ...(balanceFen === undefined ? {} : { balanceFen }) },
    payee: isPerson ? { account: `6${payee}`, name: '甲', kind: 'personal' } : party(payee),
    ...(id === undefined ? {} : { device: { id } }),
    ...(operator === undefined ? {} : { operator }),
  });
}

/** Days of some firms, ever less busy where `skew` is above 1, that pay ever new counterparties by ever new devices: much is forgotten again on the way. */
export function* longHistory(transactions: number, days: number, skew: number): Generator<Uint8Array> {
  const spanMs = days * 86_400_000;
  for (let i = 0; i < transactions; i++) {
    // A number that looks like none before it: multiples of a prime, far apart.
    const any = Math.imul(i, 0x9e3779b1 | 0) >>> 0;
    yield transactionBytes(
      {
        payer: String(1000 + (any % 7) + 10 * Math.floor(i / 5_000)),
        payee: String(100_000 + (i % 3 === 0 ? i : any % 50)),
        isPerson: false,
        amountFen: 1 + (any % 9_000_000),
        device: `dev-${i}`,
        operator: `op-${any % 5}`,
        balanceFen: undefined,
      },
      i,
      formatShanghai(startMs + Math.floor(spanMs * (i / transactions) ** skew)),
    );
  }
}

/** Some engines, one a partition, that tell each other what they have to. */
export interface Engines {
  /** Takes the next item and says all that came of it: hits, and what was told. */
  take(item: Item): string;
  save(): Uint8Array[][];
}

export function createEngines(set: PatternSet, partitions: number, states?: readonly RestoredTree[]): Engines {
  const engines: ScoringEngine[] = [];
  const ownsOf = Array.from({ length: partitions }, (_, p) => (key: string) => partitionOf(key, partitions) === p);
  for (const [p, owns] of ownsOf.entries()) {
    const engine = createEngine(set, { owns });
    if (states) engine.load(states[p]!);
    engines.push(engine);
  }
  const view = new TransactionView();
  const told = new TransactionView();

  function settle(hits: Hit[], said: unknown[]): void {
    for (;;) {
      const pending = engines.flatMap((engine) => [...engine.drainForwards()]);
      if (pending.length === 0) return;
      for (const { forward, transaction: bytes, receivedAtMs } of pending) {
        said.push(forward);
        if (bytes) readTransaction(bytes, 0, bytes.length, told);
        engines[partitionOf(forward.to, partitions)]!.takeForward(forward, bytes && told, receivedAtMs, hits);
      }
    }
  }

  return {
    take(item) {
      const hits: Hit[] = [];
      const said: unknown[] = [];
      if ('reference' in item) {
        const routes = routesOf(item.reference);
        engines.forEach((engine, p) => {
          if (routes === 'all' || routes.some(ownsOf[p]!)) engine.takeReference(item.reference, ownsOf[p]!, 5, hits);
        });
      } else {
        const fault = readTransaction(item.transaction, 0, item.transaction.length, view);
        if (fault) throw new Error(fault.message);
        const payer = partitionOfHash(view.payer.accountHash, partitions);
        const payee = partitionOfHash(view.payee.accountHash, partitions);
        if (payer === payee) engines[payer]!.score(view, role.debit | role.credit, 0, 5, hits);
        else {
          engines[payer]!.score(view, role.debit, 0, 5, hits);
          engines[payee]!.score(view, role.credit, 0, 5, hits);
        }
      }
      settle(hits, said);
      return JSON.stringify({ hits, said });
    },
    save: () => engines.map((engine) => chunksOf(engine)),
  };
}

export function chunksOf(engine: Pick<ScoringEngine, 'save'>): Uint8Array[] {
  const copying = copyState(engine.save());
  for (;;) {
    const step = copying.next();
    if (step.done) return [...step.value.chunks()];
  }
}

export function restored(chunks: readonly Uint8Array[]): RestoredTree {
  const reader = createStateReader();
  // What was sent is thrown away behind the reader: nothing may go on living in it.
  for (const chunk of chunks) {
    const sent = Uint8Array.from(chunk);
    reader.take(sent);
    sent.fill(0xff);
  }
  return reader.end();
}
