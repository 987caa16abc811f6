import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPatternGuard, createRateWindow } from '../../src/pipeline/pattern-guard.js';
import { createPatternMeter, type MeterCounts } from '../../src/pipeline/pattern-meter.js';
import { createPatternStore, PatternSetBroken, type PatternStore } from '../../src/pipeline/pattern-store.js';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import { createEngine } from '../../src/scoring/engine.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { temporaryEmbedded } from '../support/embedded.js';
import { patternText } from '../support/pattern-text.js';
import { compileOrThrow, workingDays } from '../support/patterns.js';

const dayMs = 86_400_000;
const startMs = Date.parse('2026-07-01T00:00:00Z');
const settings = { guardDays: 7, guardTransactionsMin: 5_000, guardEveryMs: 3_600_000, faultsMax: 0 };

let parts: ReturnType<typeof temporaryEmbedded>;
let store: PatternStore;
let nowMs = startMs;
let counts: MeterCounts = { scored: 0, patterns: [] };
let told: object[] = [];
let guard: ReturnType<typeof createPatternGuard>;

beforeEach(async () => {
  parts = temporaryEmbedded();
  store = createPatternStore(parts.state, workingDays);
  nowMs = startMs;
  told = [];
  counts = { scored: 0, patterns: [] };
  await store.seed([{ file: 'T01.yaml', text: patternText() }], nowMs);
  guard = createPatternGuard({
    store,
    meter: { read: () => Promise.resolve(counts) },
    settings,
    clock: { now: () => nowMs },
    telemetry: {
      patternTakenBack: (fact) => void told.push(fact),
      patternGuardFailed: (error) => {
        throw error;
      },
    },
  });
});
afterEach(async () => {
  await guard.stop();
  await parts.remove();
});

async function activate(version: number, extra = ''): Promise<void> {
  await store.propose([{ file: 'T01.yaml', text: patternText({ version, fen: 900 + version, extra }) }], 'Li', nowMs);
  expect(await store.command({ kind: 'activate', pattern: 'T01' }, 'Wang', nowMs)).toMatchObject({ kind: 'done' });
}

async function after(scored: number, hits: number, version = 2, faults = 0): Promise<void> {
  counts = { scored, patterns: [{ id: 'T01', version, hits, asked: scored, faults, nanoseconds: 0, nearMisses: {} }] };
  await guard.check();
}

const line = async () => (await store.life()).lines['T01'];

describe('the guard', () => {
  test('leaves a set alone that this release cannot load, without a word each time', async () => {
    let reads = 0;
    const over = createPatternGuard({
      store: { ...store, load: () => Promise.reject(new PatternSetBroken([])) },
      meter: { read: () => Promise.resolve({ ...counts, scored: ++reads }) },
      settings,
      clock: { now: () => nowMs },
      telemetry: { patternTakenBack: (fact) => void told.push(fact), patternGuardFailed: (error) => void told.push({ error }) },
    });
    await over.check();
    await over.stop();
    expect([told, reads]).toEqual([[], 0]);
  });

  test('takes a new pattern back to shadow at more than its ceiling over 5,000 transactions, and brings back what it replaced', async () => {
    await activate(2);
    await after(1_000, 500);
    await after(5_999, 600);
    expect(await line()).toMatchObject({ active: 2 });
    await after(6_000, 601);
    expect(await line()).toMatchObject({ active: 1, shadows: [2] });
    const { entries } = await store.log({ limit: 1 });
    expect(entries[0]).toMatchObject({
      by: 'guard',
      how: 'taken-back',
      reason: '20.2 hits per 1,000 transactions, more than its ceiling of 20',
      moves: [
        { pattern: 'T01', version: 2, from: 'active', to: 'shadow' },
        { pattern: 'T01', version: 1, from: 'retired', to: 'active' },
      ],
    });
    expect((await line())?.takenBack).toMatchObject({ version: 2, reason: entries[0]?.reason });
    expect(told).toEqual([{ pattern: 'T01', version: 2, to: 'shadow', reason: entries[0]?.reason }]);
    await after(60_000, 60_000);
    expect((await store.log({ limit: 1 })).entries).toEqual(entries);
  });

  test.each([
    [100, 2],
    [101, 1],
  ])('holds the pattern’s own ceiling: with %i hits, version %i is in force', async (hits, version) => {
    await activate(2, 'ceiling: 10');
    await after(0, 0);
    await after(10_000, hits);
    expect(await line()).toMatchObject({ active: version });
  });

  test('lets alone what ships, and what has been in force for seven days', async () => {
    await after(0, 0, 1);
    await after(10_000, 10_000, 1);
    expect(await line()).toMatchObject({ active: 1 });
    await activate(2);
    await after(10_000, 0);
    nowMs += 7 * dayMs + 1;
    await after(20_000, 10_000);
    expect(await line()).toMatchObject({ active: 2 });
  });

  test('asks for a second person before what it took back is in force again, and counts anew from then', async () => {
    await activate(2);
    await after(0, 0);
    await after(5_000, 5_000);
    expect(await line()).toMatchObject({ active: 1 });
    for (const kind of ['activate', 'rollback'] as const)
      expect(await store.command({ kind, pattern: 'T01', version: 2 }, 'Li', nowMs)).toMatchObject({ kind: 'refused' });
    nowMs += 1_000;
    expect(await store.command({ kind: 'activate', pattern: 'T01', version: 2 }, 'Wang', nowMs)).toMatchObject({ kind: 'done' });
    expect((await line())?.takenBack).toBeUndefined();
    await after(9_000, 5_000);
    await after(14_000, 5_001);
    expect(await line()).toMatchObject({ active: 2 });
  });

  test('stops a pattern whose condition fails by a fault, alone, whoever put it into force', async () => {
    await store.propose([{ file: 'T02.yaml', text: patternText({ id: 'T02' }) }], 'Li', nowMs);
    await store.command({ kind: 'activate', pattern: 'T02' }, 'Wang', nowMs);
    await after(10, 0, 1, 1);
    expect((await store.life()).lines).toMatchObject({
      T01: { draft: 1, takenBack: { version: 1, to: 'draft' } },
      T02: { active: 1 },
    });
    expect((await store.log({ limit: 1 })).entries[0]).toMatchObject({
      how: 'stopped',
      reason: 'its condition failed by a fault on 1 leg',
    });
    await store.command({ kind: 'activate', pattern: 'T01' }, 'Wang', nowMs);
    await after(20, 0, 1, 1);
    expect(await line()).toMatchObject({ active: 1 });
  });
});

test('the rate over a window is that of a recount, and is not told before there are enough transactions', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.double({ min: 0, max: 1, noNaN: true })), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, (given) => {
      const window = createRateWindow(5_000);
      let [scored, hits] = [0, 0];
      const points = [{ scored, hits }];
      window.take(scored, hits);
      for (const [more, share] of given) {
        scored += more;
        hits += Math.floor(more * share);
        const rate = window.take(scored, hits);
        const wholes = points.filter((point) => scored - point.scored >= 5_000);
        if (wholes.length === 0) expect(rate).toBeNull();
        else {
          // Points are kept every 500 transactions at least, so the window is never longer than it must be by more than a step.
          const rates = wholes.map((point) => ((hits - point.hits) / (scored - point.scored)) * 1_000);
          expect(rates).toContain(rate);
          const nearest = wholes.at(-1)!.scored;
          const used = wholes[rates.lastIndexOf(rate!)]!.scored;
          expect(nearest - used).toBeLessThan(500 + 3_000);
        }
        points.push({ scored, hits });
      }
    }),
  );
});

test('the meter counts each transaction once and each version by itself, and not what only warms up', async () => {
  const set = compileOrThrow([
    { file: 'T01.yaml', text: patternText() },
    { file: 'T01@2.yaml', text: patternText({ version: 2, state: 'shadow', when: 'tx.amountFen >= 1' }) },
  ]);
  const meter = createPatternMeter();
  const engine = meter.metering(createEngine)(set);
  const pay = (id: string, amountFen: number, roles: number, hits: Hit[] | null): void => {
    const party = (account: string) => ({ account, kind: 'corporate' as const });
    const bytes = encodeTransaction({
      id,
      time: '2026-07-01T10:00:00+08:00',
      amountFen,
      currency: 'CNY',
      status: 'settled',
      payer: party('4100000000000001'),
      payee: party('4100000000000002'),
    });
    const view = new TransactionView();
    expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
    engine.score(view, roles, 0, 0, hits);
  };
  pay('warm', 12_345_677, role.debit | role.credit, null);
  pay('one', 12_345_677, role.debit | role.credit, []);
  pay('two', 5, role.debit, []);
  pay('three', 5, role.credit, []);
  const { scored, patterns } = await meter.read();
  expect(scored).toBe(2);
  const found = patterns.map(({ id, version, hits, asked, faults }) => ({ id, version, hits, asked, faults }));
  expect(found.toSorted((a, b) => a.version - b.version)).toEqual([
    { id: 'T01', version: 1, hits: 1, asked: 2, faults: 0 },
    { id: 'T01', version: 2, hits: 2, asked: 2, faults: 0 },
  ]);
});
