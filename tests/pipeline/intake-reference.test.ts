import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { frameFlag, readFrame, role } from '../../src/domain/frame.js';
import { partitionOf } from '../../src/domain/partition.js';
import { decodeReference, routesOf } from '../../src/domain/reference-record.js';
import { createIntake, type Intake, type IntakeOptions } from '../../src/pipeline/intake.js';
import type { RejectedRecord } from '../../src/pipeline/rejections.js';
import { createTelemetry } from '../../src/telemetry/telemetry.js';
import { eventsOn, temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { metricsOf } from '../support/metrics.js';
import { exampleRecords } from '../support/references.js';

const nowMs = Date.parse('2026-07-01T12:00:00+08:00');
const bank = '102491002011';
const { profile, login, list } = exampleRecords;

let parts: ReturnType<typeof temporaryEmbedded>;
let intake: Intake;

beforeEach(() => {
  parts = temporaryEmbedded();
  intake = open();
});

afterEach(async () => {
  await intake.settled();
  await parts.remove();
});

describe('reference records among transactions', () => {
  test('each line gets its answer, and each partition holds what concerns it in the order sent', async () => {
    const lines = [payment('T1'), profile, payment('T2'), list, payment('T3'), login, payment('T4')];
    const results = await accept(lines);
    expect(results.map(({ line, id, status }) => [line, id, status])).toEqual(
      ['T1', 'P1', 'T2', 'W1', 'T3', 'L1', 'T4'].map((id, i) => [i + 1, id, 'accepted']),
    );
    const order = new Map(['T1', 'P1', 'T2', 'W1', 'T3', 'L1', 'T4'].map((id, i) => [id, i]));
    for (let partition = 0; partition < 3; partition++) {
      const places = (await entries(partition)).map(({ id }) => order.get(id) ?? -1);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(places).toContain(order.get('W1'));
    }
  });

  test('a record lies in the partitions of its keys, once in each, and one of them stands for it', async () => {
    await accept(Object.values(exampleRecords));
    for (const record of Object.values(exampleRecords)) {
      const found = [];
      for (let partition = 0; partition < 3; partition++) {
        for (const entry of await entries(partition)) if (entry.id === record.id) found.push({ partition, ...entry });
      }
      const { reference } = found[0] ?? {};
      if (!reference) throw new Error(`${record.id} is not on the log`);
      const keys = routesOf(reference);
      const expected = keys === 'all' ? [0, 1, 2] : [...new Set(keys.map((key) => partitionOf(key, 3)))];
      expect(found.map(({ partition }) => partition)).toEqual(expected.toSorted((a, b) => a - b));
      expect(found.every(({ roles }) => roles === role.reference)).toBe(true);
      expect(found.filter(({ flags }) => (flags & frameFlag.home) !== 0)).toHaveLength(1);
      const home = found.find(({ flags }) => (flags & frameFlag.home) !== 0)?.partition;
      expect(home).toBe(keys === 'all' ? 0 : partitionOf(keys[0] ?? '', 3));
    }
  });

  test('who reported it stands in the record, written or not', async () => {
    await accept([login], { bank });
    const [entry] = await entries(partitionOf(login.account, 3));
    expect(entry?.reference).toMatchObject({ ...login, bank, step: 'login' });
  });

  test('a transaction with another type, or with a type further in, stays one', async () => {
    const odd = [
      { ...payment('T1'), type: 'transfer' },
      { ...payment('T2'), extra: { type: 'login' } },
      { ...payment('T3'), type: { type: 'login' } },
    ];
    expect((await accept(odd)).map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted']);
    const all = (await Promise.all([0, 1, 2].map(entries))).flat();
    expect(all.every(({ reference }) => reference === undefined)).toBe(true);
  });

  test('a payment with the type of a record is refused as that record', async () => {
    const [result] = await accept([{ ...payment('T1'), type: 'login' }]);
    expect(result).toMatchObject({ status: 'rejected', reason: 'invalid' });
    expect((await rejected())[0]?.raw).toContain('"type":"login"');
  });

  test('a type spelt with escapes is the same type', async () => {
    const text = JSON.stringify(login).replace('"type"', String.raw`"t\u0079pe"`);
    expect((await intake.accept(Buffer.from(text)))[0]).toMatchObject({ id: 'L1', status: 'accepted' });
    expect((await entries(partitionOf(login.account, 3)))[0]?.reference?.type).toBe('login');
  });
});

describe('the rules of transactions hold for reference records', () => {
  test('sent again it is a duplicate, whatever its form; in one body too', async () => {
    const reversed = Object.fromEntries(Object.entries(profile).toReversed());
    expect(await statuses([profile, profile])).toEqual(['accepted', 'duplicate']);
    expect(await statuses([reversed])).toEqual(['duplicate']);
    expect(await statuses([{ ...login }])).toEqual(['accepted']);
    expect(await statuses([{ ...login, step: 'login' }])).toEqual(['duplicate']);
    const home = (await entries(partitionOf(profile.account, 3))).filter(({ id }) => id === 'P1');
    expect(home).toHaveLength(1);
  });

  test('the same id with other words is a conflict, kept and told', async () => {
    await accept([list]);
    const [result] = await accept([{ ...list, entries: ['another'] }]);
    expect(result).toMatchObject({ status: 'conflict', reason: 'conflict', field: 'id' });
    expect((await rejected())[0]).toMatchObject({ reason: 'conflict', id: 'W1', earlierDay: '2026-07-01' });
  });

  test('numbers of transactions and of records are counted apart, and so are those of banks', async () => {
    expect(await statuses([payment('N1'), { ...login, id: 'N1', bank }, { ...login, id: 'N1', bank: '103491002011' }])).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ]);
  });

  test.each([
    [120_000, 'accepted'],
    [120_001, 'rejected'],
  ])('%d ms ahead of the clock it is %s', async (aheadMs, status) => {
    const [result] = await accept([{ ...login, time: new Date(nowMs + aheadMs).toISOString() }]);
    expect(result?.status).toBe(status);
    if (status === 'rejected') expect(result).toMatchObject({ reason: 'future-dated', field: 'time' });
  });

  test('a list may begin and end in the future', async () => {
    expect(await statuses([{ ...list, from: '2027-01-01T00:00:00+08:00' }])).toEqual(['accepted']);
  });

  test('a bank’s key does not report for another bank', async () => {
    const [result] = await accept([{ ...login, bank: '103491002011' }], { bank });
    expect(result).toMatchObject({ status: 'rejected', reason: 'invalid', field: 'bank', id: 'L1' });
  });

  const forAll = ['list', 'case-account', 'exchange-rate'] as const;
  test.each(forAll)('a %s counts for every bank: a bank may not send it, bound to a number or not', async (type) => {
    const record = exampleRecords[type];
    for (const options of [{ bank }, { sender: 'bank' }, { bank, sender: 'bank' }] as const) {
      const results = await accept([login, record, payment('T1')], options);
      expect(results[1]).toMatchObject({ line: 2, id: record.id, status: 'rejected', reason: 'invalid', field: 'type' });
      expect(results[1]?.message).toContain('send them with a key of the centre');
      expect([results[0]?.status, results[2]?.status]).not.toContain('rejected');
    }
    expect((await Promise.all([0, 1, 2].map(entries))).flat().map(({ id }) => id)).not.toContain(record.id);
    expect((await accept([record], { sender: 'centre' }))[0]).toMatchObject({ status: 'accepted' });
    expect((await rejected())[0]).toMatchObject({ reason: 'invalid', id: record.id });
  });

  test('what a bank knows of its own accounts it may send', async () => {
    const own = Object.values(exampleRecords).filter(({ type }) => !forAll.some((other) => other === type));
    expect(own).toHaveLength(4);
    const results = await accept(own, { bank, sender: 'bank' });
    expect(results.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted', 'accepted']);
  });

  test('a wrong one is refused alone, and kept', async () => {
    const results = await accept([login, { ...profile, capital: 5 }, payment('T1')]);
    expect(results.map(({ status }) => status)).toEqual(['accepted', 'rejected', 'accepted']);
    expect(results[1]).toMatchObject({ line: 2, reason: 'invalid', field: 'capital' });
    expect(await rejected()).toMatchObject([{ line: 2, raw: JSON.stringify({ ...profile, capital: 5 }) }]);
  });

  test('they are counted apart from transactions', async () => {
    const telemetry = createTelemetry({ level: 'silent', now: () => nowMs });
    intake = open({ telemetry });
    await accept([payment('T1'), login, profile, profile]);
    expect(telemetry.totals()).toMatchObject({ accepted: 1, duplicates: 0 });
    const counted = metricsOf(await telemetry.metrics());
    expect(counted('huqi_references_accepted_total')).toBe(2);
    expect(counted('huqi_references_duplicate_total')).toBe(1);
  });

  test('of a mixed body each bank has its own count', async () => {
    const counted: [string | undefined, number][] = [];
    const telemetry = {
      ...createTelemetry({ level: 'silent', now: () => nowMs }),
      transactionsAccepted: (count: number, of: string | undefined) => void counted.push([of, count]),
    };
    intake = open({ telemetry });
    const paid = (id: string, by?: string) => ({ ...payment(id), payer: { account: '410010001', ...(by ? { bank: by } : {}) } });
    await accept([paid('A1', '102'), login, paid('B1', '103'), paid('A2', '102'), paid('C1'), paid('A1', '102')]);
    expect(counted).toEqual([
      ['102', 2],
      ['103', 1],
      [undefined, 1],
    ]);
  });
});

describe('an address for reference records only', () => {
  test('refuses a transaction and says where it belongs, takes the rest', async () => {
    const results = await accept([login, payment('T1'), profile], { only: 'references' });
    expect(results.map(({ status }) => status)).toEqual(['accepted', 'rejected', 'accepted']);
    expect(results[1]).toMatchObject({ reason: 'invalid', field: 'type' });
    expect(results[1]?.message).toContain('/v1/transactions');
  });

  test.each<[string, string, string, string]>([
    ['what is no JSON', '{"type', 'malformed', ''],
    ['a record without a type', JSON.stringify({ ...login, type: undefined }), 'invalid', 'type'],
    ['a record of an unknown type', JSON.stringify({ ...login, type: 'logout' }), 'invalid', 'type'],
  ])('says what is wrong with %s', async (_, text, reason, field) => {
    const [result] = await intake.accept(Buffer.from(text), { only: 'references' });
    expect(result).toMatchObject({ status: 'rejected', reason, field });
  });
});

function open(options: Partial<IntakeOptions> = {}): Intake {
  return createIntake({
    log: parts.log,
    state: parts.state,
    clock: { now: () => nowMs },
    newId: randomUUID,
    settings: { claimSlots: 2 },
    ...options,
  });
}

function payment(id: string): object {
  return {
    id,
    time: '2026-07-01T09:30:00+08:00',
    amountFen: 12_345,
    payer: { account: '41001000000000010001', bank },
    payee: { account: '41001000000000020002', bank },
  };
}

function accept(records: readonly object[], options: Parameters<Intake['accept']>[1] = {}) {
  return intake.accept(Buffer.from(records.map((record) => JSON.stringify(record)).join('\n')), options);
}

async function statuses(records: readonly object[]): Promise<string[]> {
  return (await accept(records)).map(({ status }) => status);
}

async function rejected(): Promise<RejectedRecord[]> {
  return (await eventsOn(parts.log, 'rejected')).map(({ data }) => data as RejectedRecord);
}

async function entries(partition: number) {
  const found = [];
  for (const value of await valuesOn(parts.log, 'transactions', partition)) {
    for (const { roles, flags, start, end } of readFrame(value)) {
      const { id } = JSON.parse(Buffer.from(value.subarray(start, end)).toString()) as { id: string };
      const reference = roles === role.reference ? decodeReference(value, start, end) : undefined;
      found.push({ id, roles, flags, reference });
    }
  }
  return found;
}
