import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeFrame, role } from '../../src/domain/frame.js';
import { createIntake } from '../../src/pipeline/intake.js';
import { createPatternDesk, type PatternDesk } from '../../src/pipeline/pattern-desk.js';
import { createPatternStore, PatternSetBroken } from '../../src/pipeline/pattern-store.js';
import { lookBackMs, reachOf, warmingUntilMs } from '../../src/pipeline/pattern-warming.js';
import { temporaryEmbedded } from '../support/embedded.js';
import { patternText } from '../support/pattern-text.js';
import { workingDays } from '../support/patterns.js';

const dayMs = 86_400_000;
const clock = { nowMs: Date.parse('2026-07-20T12:00:00Z'), now: () => clock.nowMs };
const needy = patternText({ id: 'T02', extra: 'needs: [login, "list:otc"]', fen: 500 });
const looking = patternText({
  id: 'T03',
  fen: 600,
  when: 'tx.amountFen == params.peculiarFen && (newPayee("10d") || count(debit, "24h") >= 1)',
});

let parts: ReturnType<typeof temporaryEmbedded>;
let seen: ReadonlySet<string> | null = null;
let desk: PatternDesk;
beforeEach(async () => {
  parts = temporaryEmbedded();
  seen = null;
  clock.nowMs = Date.parse('2026-07-20T12:00:00Z');
  const store = createPatternStore(parts.state, workingDays);
  const sources = [
    { file: 'T01.yaml', text: patternText() },
    { file: 'T02.yaml', text: needy },
    { file: 'T03.yaml', text: looking },
  ];
  await store.seed(sources, clock.nowMs);
  const live = { id: 'T01', version: 1, hits: 10, asked: 2_000, faults: 0, nanoseconds: 100_000, nearMisses: {} };
  const meter = { read: () => Promise.resolve({ scored: 4_000, patterns: [live], seen }) };
  desk = createPatternDesk({ store, workingDays, reach: () => reachOf(parts.log), retentionMs: 400 * dayMs, clock, meter });
});
afterEach(() => parts.remove());

async function pay(id: string, day: string): Promise<void> {
  const intake = createIntake({ log: parts.log, state: parts.state, clock, newId: () => id });
  const party = (account: string) => ({ account, kind: 'corporate' });
  const line = {
    id,
    time: `${day}T10:00:00+08:00`,
    amountFen: 100,
    payer: party('4100000000001'),
    payee: party('4100000000002'),
  };
  const results = await intake.accept(Buffer.from(JSON.stringify(line)), { bank: undefined });
  expect(results).toMatchObject([{ status: 'accepted' }]);
  // What the log reaches back to is looked up now and then only.
  clock.nowMs += 60_000;
}

const item = async (id: string) => (await desk.list()).items.find((one) => one.id === id);

describe('a pattern', () => {
  test('is warming until the kept transactions reach as far back as it looks', async () => {
    expect(await item('T03')).toMatchObject({ warming: { until: null } });
    await pay('first', '2026-07-01');
    expect(await item('T03')).toMatchObject({ warming: { until: '2026-07-11T02:00:00.000Z' } });
    await pay('later', '2026-07-10');
    expect(await item('T03')).toMatchObject({ warming: { until: '2026-07-11T02:00:00.000Z' } });
    expect(await desk.get('T03')).toMatchObject({ warming: { until: '2026-07-11T02:00:00.000Z' } });
    expect((await item('T01'))?.warming).toBeUndefined();
    await pay('last', '2026-07-11');
    expect((await item('T03'))?.warming).toBeUndefined();
  });

  test('warms by the transactions that stand between reference records and forwards', async () => {
    const others = async (count: number) => {
      const entry = { flags: 0, receivedAtMs: clock.nowMs, bytes: Buffer.from('{}') };
      const value = (roles: number) => encodeFrame([{ ...entry, roles }]);
      const partitions = Array.from({ length: parts.log.partitions('transactions') }, (_, partition) => partition);
      const records = partitions.flatMap((partition) =>
        Array.from({ length: count }, (_, i) => value(i % 2 === 0 ? role.reference : role.forward)).map((bytes) => ({
          topic: 'transactions' as const,
          partition,
          value: bytes,
        })),
      );
      await parts.log.append(records);
      clock.nowMs += 60_000;
    };
    await others(300);
    expect(await item('T03')).toMatchObject({ warming: { until: null } });
    await pay('first', '2026-07-01');
    expect(await item('T03')).toMatchObject({ warming: { until: '2026-07-11T02:00:00.000Z' } });
    await others(300);
    expect(await item('T03')).toMatchObject({ warming: { until: '2026-07-11T02:00:00.000Z' } });
    await pay('last', '2026-07-11');
    await others(600);
    expect((await item('T03'))?.warming).toBeUndefined();
  });

  test('is silent for want of data that was never sent, and not where it is unknown what was', async () => {
    expect((await item('T02'))?.silent).toBeUndefined();
    seen = new Set(['profile']);
    expect((await item('T02'))?.silent).toBe('silent: no login, otc list data was ever sent');
    seen = new Set(['login', 'list:otc']);
    expect((await item('T02'))?.silent).toBeUndefined();
    expect((await item('T01'))?.silent).toBeUndefined();
  });

  test('shows what it has done since the start', async () => {
    expect(await item('T01')).toMatchObject({ live: { hits: 10, perThousand: 2.5, microseconds: 0.05, faults: 0 } });
    expect(await item('T02')).toMatchObject({ live: { hits: 0, perThousand: 0, microseconds: null } });
  });

  test('shows each of its versions, who proposed and who approved it', async () => {
    await desk.propose([{ file: 'T01.yaml', text: patternText({ version: 2, fen: 900 }) }], 'Li', 'less');
    await desk.command({ kind: 'activate', pattern: 'T01', version: 2 }, 'Wang');
    const found = await desk.get('T01');
    expect(found).toMatchObject({ version: 2, state: 'active', activatedBy: 'Wang', proposedBy: 'Li' });
    expect(found?.versions).toMatchObject([
      { version: 2, state: 'active', proposed: { by: 'Li' }, approved: { by: 'Wang' }, note: 'less' },
      { version: 1, state: 'retired', proposed: { by: 'seed' } },
    ]);
    expect(await desk.get('T01', 1)).toMatchObject({ version: 1, state: 'retired', text: patternText() });
    expect(await desk.get('T01', 9)).toBeNull();
    expect(await desk.diff('T01')).toMatchObject({ from: 1, to: 2 });
  });

  test('that is decided on shows as pending until every partition has taken the set', async () => {
    const { patternSet } = await desk.list();
    expect(await desk.decided([patternSet, patternSet])).toEqual({});
    await desk.command({ kind: 'retire', pattern: 'T02' }, 'Wang');
    const now = (await desk.list()).patternSet;
    expect(now).not.toBe(patternSet);
    expect(await desk.decided([now, patternSet])).toEqual({ patternSetPending: now });
    expect(await desk.decided([now])).toEqual({});
  });
});

test('patterns are counted under a set that this release cannot load as well', async () => {
  const newer = { ...createPatternStore(parts.state, workingDays), load: () => Promise.reject(new PatternSetBroken([])) };
  const over = createPatternDesk({ store: newer, workingDays, reach: () => reachOf(parts.log), retentionMs: dayMs, clock });
  const { patterns } = await over.counts();
  expect(patterns).toEqual((await desk.counts()).patterns.map((one) => ({ ...one, hits: 0, seconds: null })));
  expect(patterns.map(({ pattern, version, state }) => [pattern, version, state])).toEqual([
    ['T01', 1, 'active'],
    ['T02', 1, 'active'],
    ['T03', 1, 'active'],
  ]);
});

test.each([
  ['tx.amountFen == 1', {}, 0],
  ['count(debit, "24h") >= 1', {}, dayMs],
  ['sum(debit, \'3days\') >= 1 || newPayee("180d")', {}, 180 * dayMs],
  ['count(credit, "ever") >= 1', {}, 0],
  ['count(probe, "24h") >= 1', { probe: { of: 'debit', when: 'newPayee("365d")' } }, 366 * dayMs],
  ['count(passed, "1d") >= 1', { passed: { of: 'lots', share: 0.9, within: '30m' } }, 8 * dayMs],
])('%s looks back as far as its longest window, on top of the streams it looks at', (when, streams, expected) => {
  expect(lookBackMs({ when, streams } as Parameters<typeof lookBackMs>[0], workingDays)).toBe(expected);
});

test('what looks back exactly as far as the log reaches has warmed up; the log never reaches further than it is kept', () => {
  const reach = { oldestMs: 0, newestMs: 10 * dayMs };
  expect(warmingUntilMs(10 * dayMs, reach, 400 * dayMs)).toBeNull();
  expect(warmingUntilMs(10 * dayMs + 1, reach, 400 * dayMs)).toBe(10 * dayMs + 1);
  expect(warmingUntilMs(500 * dayMs, { oldestMs: 0, newestMs: 400 * dayMs }, 400 * dayMs)).toBeNull();
});
