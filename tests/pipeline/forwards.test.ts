import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Forward } from '../../src/domain/forward.js';
import { encodeForward, encodeFrame, readForward, readFrame, role, type ForwardOrigin } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { partitionOf } from '../../src/domain/partition.js';
import { createIntake } from '../../src/pipeline/intake.js';
import type { RejectedRecord } from '../../src/pipeline/rejections.js';
import { outputRecords } from '../../src/pipeline/score-outputs.js';
import { memoriesHere } from '../../src/pipeline/score-memory.js';
import { createScore, type Engine, type PatternSetIdentity, type Score } from '../../src/pipeline/score.js';
import { LogDamaged } from '../../src/pipeline/transaction-frames.js';
import { createTelemetry } from '../../src/telemetry/telemetry.js';
import { eventsOn, temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { createForwardingEngine, keysThatHear } from '../support/forwarding-engine.js';
import { metricsOf } from '../support/metrics.js';
import { exampleRecords } from '../support/references.js';
import { body, makeStream } from '../support/stream.js';
import { drain } from '../support/pipeline.js';

const lines = makeStream({ transactions: 600, seed: 17 });
const set = { id: 'set-1', planId: 'plan-1' };
const otherPlan = { id: 'set-2', planId: 'plan-2' };
type EngineOf = typeof createForwardingEngine;

let parts: ReturnType<typeof temporaryEmbedded>;
let scores: Score[];

beforeEach(() => {
  parts = temporaryEmbedded();
  scores = [];
});

afterEach(async () => {
  for (const score of scores) await score.leave();
  await parts.remove();
});

describe('what one partition tells another', () => {
  test('reaches the partition of its key, after the journal entry that names its batch, numbered without a gap', async () => {
    await send(lines);
    await drain(await open());
    const told = await forwardsOnLog();
    expect(told.length).toBeGreaterThan(300);
    for (const { partition, forward } of told) expect(partitionOf(forward.to, 3)).toBe(partition);
    for (const batch of new Set(told.map(({ origin }) => batchOf(origin)))) {
      const indexes = told.filter(({ origin }) => batchOf(origin) === batch).map(({ origin }) => origin.index);
      expect(indexes.toSorted((a, b) => a - b)).toEqual(indexes.map((_, i) => i));
    }
  });

  test('brings the payment along that it is about, and goes on for some hops', async () => {
    await send(lines);
    await drain(await open());
    const told = await forwardsOnLog();
    const uses = told.filter(({ forward }) => forward.kind === 'use');
    expect(uses.every(({ transaction }) => lines.includes(transaction ?? ''))).toBe(true);
    const hops = told.flatMap(({ forward }) => (forward.kind === 'notice' ? [forward.firms] : []));
    expect(new Set(hops)).toEqual(new Set([1, 2, 3]));
  });

  test('comes in one record for each receiver and batch', async () => {
    await send(lines);
    await drain(await open({ recordsMax: 2 }));
    const records = new Map<string, number>();
    for (let partition = 0; partition < 3; partition++) {
      for (const value of await valuesOn(parts.log, 'transactions', partition)) {
        const origins = [...readFrame(value)].filter(({ roles }) => roles === role.forward);
        const names = new Set(origins.map(({ start, end }) => batchOf(readForward(value, start, end).origin)));
        expect(names.size).toBeLessThanOrEqual(2);
        for (const name of names) records.set(`${name}>${partition}`, (records.get(`${name}>${partition}`) ?? 0) + 1);
      }
    }
    expect(records.size).toBeGreaterThan(5);
    expect(new Set(records.values())).toEqual(new Set([1]));
  });

  test('is cut where one record would become too large for a broker, in order', () => {
    const batch = {
      partition: 0,
      timeMs: 0,
      partitions: 3,
      hitPartitions: 1,
      rejectedPartitions: 1,
    };
    const transaction = Buffer.alloc(100 * 1024, 0x20);
    const told = Array.from({ length: 13 }, () => ({ forward: noticeOf(), transaction, receivedAtMs: 5 }));
    const outputs = [{ offset: 6, hits: [], quarantined: [], told }];
    const records = outputRecords({ ...batch, outputs });
    const receiver = partitionOf(noticeOf().to, 3);
    expect(records.map(({ topic, partition }) => `${topic}/${partition}`)).toEqual(Array(3).fill(`transactions/${receiver}`));
    const indexes = records.map(({ value }) =>
      [...readFrame(value)].map(({ start, end }) => readForward(value, start, end).origin.index),
    );
    expect(indexes).toEqual([[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11], [12]]);
    const again = outputRecords({ ...batch, outputs });
    expect(again.every(({ value }, i) => Buffer.compare(value, records[i]!.value) === 0)).toBe(true);
  });

  test('leads to the same hits however the log is cut into batches, with restarts between', async () => {
    await send(lines);
    await drain(await open());
    const expected = distinct(await hits());
    expect(expected.size).toBeGreaterThan(600);

    const other = temporaryEmbedded();
    try {
      await send(lines, other);
      for (const recordsMax of [1, 3, 7]) {
        const score = await open({ recordsMax }, createForwardingEngine, other);
        await wait(15);
        await score.leave();
      }
      await drain(await open({ recordsMax: 2 }, createForwardingEngine, other));
      expect(distinct(await hits(other))).toEqual(expected);
    } finally {
      await Promise.all(scores.splice(0).map((score) => score.leave()));
      await other.remove();
    }
  });

  test('is said again after a clean stop, byte for byte, and taken once', async () => {
    await send(lines.slice(0, -1));
    await drain(await open());
    await send([lastWord()]);
    await drain(scores[0]!);
    const before = await forwardsOnLog();
    const expected = distinct(await hits());
    for (let restart = 0; restart < 3; restart++) {
      await scores.pop()?.leave();
      await drain(await open());
    }
    const after = await forwardsOnLog();
    expect(after.length).toBeGreaterThan(before.length);
    expect(new Set(after.map(({ bytes }) => bytes))).toEqual(new Set(before.map(({ bytes }) => bytes)));
    expect(distinct(await hits())).toEqual(expected);
  });

  test('is not said again while a new pattern set takes in what is kept', async () => {
    await send(lines.slice(0, 300));
    const store = { current: set };
    const score = await open({}, createForwardingEngine, parts, store);
    await drain(score);
    const before = await forwardsOnLog();
    store.current = otherPlan;
    await send(lines.slice(300));
    await drain(score);
    expect(score.patternSets()).toEqual([otherPlan.id]);
    const payments = (told: typeof before) =>
      told.flatMap(({ forward, transaction }) => (forward.kind === 'use' ? [transaction] : []));
    const all = payments(await forwardsOnLog());
    expect(new Set(all).size).toBe(all.length);

    const apart = temporaryEmbedded();
    try {
      await send(lines, apart);
      await drain(await open({}, createForwardingEngine, apart));
      expect(distinct(await hits())).toEqual(distinct(await hits(apart)));
    } finally {
      await Promise.all(scores.splice(0).map((one) => one.leave()));
      await apart.remove();
    }
  });

  test('from a sender that was thought dead is taken only where it is news', async () => {
    const [from, to] = [account(0), account(1)];
    const forwardAt = (sequence: number, index: number) =>
      encodeFrame([forwardEntry({ from: 0, sequence, index }, { ...notice, to, account: from })]);
    for (const [sequence, index] of [
      [3, 0],
      [3, 2],
      [3, 1],
      [2, 9],
      [3, 2],
      [4, 0],
    ] as const) {
      await parts.log.append([{ topic: 'transactions', partition: 1, value: forwardAt(sequence, index) }]);
    }
    await parts.log.append([
      {
        topic: 'transactions',
        partition: 1,
        value: encodeFrame([forwardEntry({ from: 2, sequence: 1, index: 0 }, { ...notice, to, account: from })]),
      },
    ]);
    const telemetry = createTelemetry({ level: 'silent', now: Date.now });
    await drain(await open({}, createForwardingEngine, parts, { current: set }, telemetry));
    expect((await hits()).filter(({ transaction }) => transaction === `notice/${from}>${to}`)).toHaveLength(4);
    const counted = metricsOf(await telemetry.metrics());
    expect(counted('huqi_forwards_total')).toBe(7);
    expect(counted('huqi_transactions_scored_total')).toBe(0);
  });
});

describe('entries are taken in the order of the log', () => {
  test('transactions that came before a record are scored before it, those behind it after', async () => {
    const order: string[] = [];
    const recording: EngineOf = (patterns, context) => {
      const engine = createForwardingEngine(patterns, context);
      return {
        ...engine,
        patternSet: patterns,
        scoreBatch: (batch) => order.push(...batch.views.slice(0, batch.count).map(({ id }) => id)),
        takeReference: ({ id }) => order.push(id),
        takeForward: (_, view) => order.push(`about ${view?.id ?? 'nothing'}`),
      };
    };
    const payments = Array.from({ length: 140 }, (_, n) => paymentWithin(1, `T${n}`));
    const entries = payments.map((json) => ({
      roles: role.debit | role.credit,
      flags: 0,
      receivedAtMs: 5,
      bytes: Buffer.from(json),
    }));
    const record = {
      roles: role.reference,
      flags: 0,
      receivedAtMs: 5,
      bytes: Buffer.from(JSON.stringify({ ...exampleRecords.list, bank: '102' })),
    };
    const origin = { from: 2, sequence: 1, index: 0 };
    const about = {
      roles: role.forward,
      flags: 0,
      receivedAtMs: 5,
      bytes: encodeForward(origin, { ...notice, to: account(1) }, Buffer.from(payments[7] ?? '')),
    };
    const value = encodeFrame([...entries.slice(0, 70), record, about, ...entries.slice(70)]);
    await parts.log.append([{ topic: 'transactions', partition: 1, value }]);
    await drain(await open({}, recording));
    const ids = payments.map((_, n) => `T${n}`);
    expect(order).toEqual([...ids.slice(0, 70), 'W1', 'about T7', ...ids.slice(70)]);
  });

  test('a reference record reaches the engine with the keys that the partition owns, from intake on', async () => {
    await send([...lines.slice(0, 50), ...Object.values(exampleRecords).map((record) => JSON.stringify(record))]);
    const telemetry = createTelemetry({ level: 'silent', now: Date.now });
    await drain(await open({}, createForwardingEngine, parts, { current: set }, telemetry));
    const found = (await hits()).filter(({ transaction }) => transaction.startsWith('reference/'));
    expect(found.map(({ transaction }) => transaction.slice(10)).toSorted()).toEqual(['A1', 'C1', 'L1', 'P1', 'S1']);
    const counted = metricsOf(await telemetry.metrics());
    expect(counted('huqi_transactions_scored_total')).toBe(50);
    expect(counted('huqi_references_taken_total')).toBeGreaterThanOrEqual(7 + 6);
  });
});

describe('faults', () => {
  test('a record or a forward on which scoring fails is kept aside, told, and the rest goes on', async () => {
    const failing: EngineOf = (patterns, context) => {
      const engine = createForwardingEngine(patterns, context);
      return {
        ...engine,
        patternSet: patterns,
        takeReference: (reference, owned, receivedAtMs, found) => {
          engine.takeReference?.(reference, owned, receivedAtMs, found);
          if (reference.id === 'L1') throw new TypeError('made to fail');
        },
        takeForward: (forward, view, receivedAtMs, found) => {
          engine.takeForward?.(forward, view, receivedAtMs, found);
          if (view?.id === failingId) throw new TypeError('made to fail');
        },
      };
    };
    await send([...lines.slice(0, 100), JSON.stringify(exampleRecords.login), JSON.stringify(exampleRecords.profile)]);
    const failingId = crossing(lines.slice(0, 100));
    await drain(await open({}, failing));
    const rejected = (await eventsOn(parts.log, 'rejected')).map(({ data }) => data as RejectedRecord);
    expect(rejected.map(({ id, reason }) => `${id}/${reason}`).toSorted()).toEqual(
      ['L1/scoring-fault', `${failingId}/scoring-fault`].toSorted(),
    );
    expect(rejected.map(({ raw }) => (JSON.parse(raw) as { id: string }).id).toSorted()).toEqual(['L1', failingId].toSorted());
    const found = (await hits()).map(({ transaction }) => transaction);
    expect(found).toContain('reference/P1');
    expect(found).not.toContain('reference/L1');
  });

  test.each<[string, number, Uint8Array]>([
    ['a forward', role.forward, Buffer.from([9, 0, 0, 0, 0x7b])],
    [
      'a forward about no transaction',
      role.forward,
      encodeForward({ from: 0, sequence: 1, index: 0 }, noticeOf(), Buffer.from('{}')),
    ],
    ['a reference record', role.reference, Buffer.from('{"type":"login"}')],
    ['an entry of unknown roles', 192, Buffer.from('{}')],
  ])('%s that cannot be read stops the partition and is never skipped', async (_, roles, bytes) => {
    const value = encodeFrame([{ roles, flags: 0, receivedAtMs: 0, bytes }]);
    await parts.log.append([{ topic: 'transactions', partition: 2, value }]);
    const score = await open();
    await expect(score.done).rejects.toThrow(LogDamaged);
    await expect(score.done).rejects.toThrow(/transactions\/2: the record at offset 0 is damaged/);
  });

  test('an engine that tells nothing and takes nothing passes over them', async () => {
    await send([...lines.slice(0, 50), JSON.stringify(exampleRecords.profile)]);
    await parts.log.append([
      { topic: 'transactions', partition: 0, value: encodeFrame([forwardEntry({ from: 1, sequence: 1, index: 0 }, noticeOf())]) },
    ]);
    const plain: EngineOf = (patterns, context) => {
      const { takeReference: _r, takeForward: _f, drainForwards: _d, ...engine } = createForwardingEngine(patterns, context);
      return engine;
    };
    await drain(await open({}, plain));
    expect(await forwardsOnLog()).toHaveLength(1);
  });
});

test('nothing is told to be left while a forward is on its way', async () => {
  const score = await open({ recordsMax: 1 });
  for (let at = 0; at < 160; at += 8) {
    await send(lines.slice(at, at + 8));
    await drain(score);
    const ends = await Promise.all([0, 1, 2].map((partition) => parts.log.bounds('transactions', partition)));
    await wait(3);
    expect(await Promise.all([0, 1, 2].map((partition) => parts.log.bounds('transactions', partition)))).toEqual(ends);
  }
});

const notice = { kind: 'notice', to: '', account: '', what: 'firms', shared: 'device', value: 'v', firms: 3, timeMs: 5 } as const;

function noticeOf(): Forward {
  return { ...notice, to: '41001000000000010001', account: '41001000000000020002' };
}

function forwardEntry(origin: ForwardOrigin, forward: Forward) {
  return { roles: role.forward, flags: 0, receivedAtMs: 5, bytes: encodeForward(origin, forward, null) };
}

/** An account number of the partition. */
function account(partition: number): string {
  for (let n = 1; ; n++) if (partitionOf(`4100${n}`.padEnd(12, '0'), 3) === partition) return `4100${n}`.padEnd(12, '0');
}

function paymentWithin(partition: number, id: string): string {
  const party = { account: account(partition) };
  return JSON.stringify({ id, time: '2026-07-01T09:30:00+08:00', amountFen: 100, payer: party, payee: party });
}

/** Id of a payment whose parties belong to different partitions. */
function crossing(of: readonly string[]): string {
  const records = of.map((line) => JSON.parse(line) as Payment);
  return records.find(({ payer, payee }) => partitionOf(payer.account, 3) !== partitionOf(payee.account, 3))?.id ?? '';
}

/** A payment that its payer's partition tells others of and hears nothing more about: its last batch has told something. */
function lastWord(): string {
  const isHeardOf = ({ payer, payee }: Payment) =>
    keysThatHear(payer.account, payee.account).some((key) => partitionOf(key, 3) === partitionOf(payer.account, 3));
  const line = makeStream({ transactions: 200, seed: 18 }).find((text) => !isHeardOf(JSON.parse(text) as Payment)) ?? '';
  return JSON.stringify({ ...(JSON.parse(line) as object), id: 'last' });
}

interface Payment {
  readonly id: string;
  readonly payer: { readonly account: string };
  readonly payee: { readonly account: string };
}

function batchOf({ from, sequence }: ForwardOrigin): string {
  return `${from}/${sequence}`;
}

async function send(part: readonly string[], to: Pick<typeof parts, 'log' | 'state'> = parts): Promise<void> {
  const intake = createIntake({ ...to, clock: { now: () => Date.parse('2026-07-02T00:00:00+08:00') }, newId: randomUUID });
  for (let at = 0; at < part.length; at += 60) await intake.accept(body(part.slice(at, at + 60)));
  await intake.settled();
}

async function open(
  { recordsMax = 64 }: { recordsMax?: number } = {},
  createEngine: (set: PatternSetIdentity, context: { owns: (key: string) => boolean }) => Engine = createForwardingEngine,
  on: Pick<typeof parts, 'log' | 'state'> = parts,
  store: { current: PatternSetIdentity } = { current: set },
  telemetry?: ReturnType<typeof createTelemetry>,
): Promise<Score> {
  const known = new Map([set, otherPlan].map((one) => [one.id, one]));
  const score = await createScore<PatternSetIdentity>({
    log: on.log,
    state: on.state,
    patternStore: {
      currentId: () => Promise.resolve(store.current.id),
      load: (id) => Promise.resolve(known.get(id) ?? set),
    },
    openMemory: memoriesHere({ createEngine, clock: Date }),
    clock: Date,
    newId: randomUUID,
    settings: { pollMs: 0, limit: { recordsMax, bytesMax: 2 ** 20 } },
    ...(telemetry ? { telemetry } : {}),
  });
  scores.push(score);
  return score;
}

async function hits(from: Pick<typeof parts, 'log'> = parts): Promise<Hit[]> {
  return (await eventsOn(from.log, 'hits')).map(({ data }) => data as Hit);
}

/** By id; what came twice must say the same. */
function distinct(found: readonly Hit[]): Map<string, string> {
  const byId = new Map<string, string>();
  for (const hit of found) {
    const text = JSON.stringify(hit);
    if ((byId.get(hit.id) ?? text) !== text) throw new Error(`hit ${hit.id} has two contents`);
    byId.set(hit.id, text);
  }
  return new Map([...byId].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function forwardsOnLog() {
  const found = [];
  for (let partition = 0; partition < 3; partition++) {
    for (const value of await valuesOn(parts.log, 'transactions', partition)) {
      for (const { roles, start, end } of readFrame(value)) {
        if (roles !== role.forward) continue;
        const { origin, forward, transaction } = readForward(value, start, end);
        const payment = transaction && Buffer.from(value.subarray(transaction.start, transaction.end)).toString();
        found.push({
          partition,
          origin,
          forward,
          transaction: payment,
          bytes: Buffer.from(value.subarray(start, end)).toString(),
        });
      }
    }
  }
  return found;
}
