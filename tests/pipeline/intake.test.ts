import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatShanghai } from '../../src/domain/bank-day.js';
import { frameFlag, readFrame, role } from '../../src/domain/frame.js';
import { partitionOf } from '../../src/domain/partition.js';
import {
  BodyTooLong,
  createIntake,
  IntakeBusy,
  type Intake,
  type IntakeSettings,
  type LineResult,
} from '../../src/pipeline/intake.js';
import { firstCounts } from '../../src/domain/refusal.js';
import type { RejectedRecord } from '../../src/pipeline/rejections.js';
import { eventsOn, temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { Crash, withFault } from '../support/faults.js';
import { makeStream } from '../support/stream.js';

const nowMs = Date.parse('2026-07-01T12:00:00+08:00');
const bank = '102491002011';
const otherBank = '103491002011';

let parts: ReturnType<typeof temporaryEmbedded>;
let intake: Intake;

const stores = [
  { name: 'on two stores', isOneStore: false },
  { name: 'on one store', isOneStore: true },
];

describe.each(stores)('$name', ({ isOneStore }) => {
  beforeEach(() => {
    const made = temporaryEmbedded();
    parts = isOneStore ? { ...made, state: made.oneStore } : made;
    intake = open();
  });

  afterEach(async () => {
    await intake.settled();
    await parts.remove();
  });

  describe('a transaction goes to the partitions of both accounts, once', () => {
    test('each line gets its own answer, in the order sent, blank lines counted', async () => {
      const results = await accept(`${line({ id: 'A1' })}\n\r\n${line({ id: 'A2' })}\n{"id":"A3"}\n`);
      expect(results.map((one) => [one.line, one.status])).toEqual([
        [1, 'accepted'],
        [3, 'accepted'],
        [4, 'rejected'],
      ]);
      expect(results[0]).toEqual({ line: 1, id: 'A1', status: 'accepted' });
    });

    test('the payer’s partition holds the debit leg and the payee’s the credit leg', async () => {
      await accept(makeStream({ transactions: 100, seed: 5, startMs: nowMs - 3_600_000, stepMs: 1_000 }).join('\n'));
      const legs = await legsOnLog();
      expect(legs).toHaveLength(100 * 2);
      for (const { partition, leg, account } of legs) {
        expect(partitionOf(account, 3), leg).toBe(partition);
      }
    });

    test('where one partition owns both accounts, one entry carries both legs', async () => {
      await accept(line({ id: 'A1', payer: { account: '410010001' }, payee: { account: '410010001' } }));
      const entries = await entriesOnLog();
      expect(entries.map(({ roles }) => roles)).toEqual([role.debit | role.credit]);
    });

    test('the bytes on the log are the bank’s own', async () => {
      const sent = line({ id: 'A1', unknownToUs: { kept: true } });
      await accept(sent);
      expect((await entriesOnLog())[0]?.text).toBe(sent);
    });
  });

  describe('the same transaction again', () => {
    test('sent again later, it is a duplicate and not on the log twice', async () => {
      expect(await statuses(line({ id: 'A1' }))).toEqual(['accepted']);
      expect(await statuses(line({ id: 'A1' }))).toEqual(['duplicate']);
      expect(await idsOnLog()).toEqual(['A1']);
    });

    test('sent again after a restart, it is a duplicate', async () => {
      await statuses(line({ id: 'A1' }));
      await intake.settled();
      intake = open();
      expect(await statuses(line({ id: 'A1' }))).toEqual(['duplicate']);
    });

    test('white space, the order of keys, escapes and written-out defaults make no other transaction of it', async () => {
      const record = {
        id: 'A1',
        time: '2026-07-01T09:30:00+08:00',
        amountFen: 500,
        payer: { account: '410010001' },
        payee: { account: '622200002' },
        remark: '货款',
      };
      await statuses(JSON.stringify(record));
      const { id, time, ...rest } = record;
      expect(await statuses(JSON.stringify(record, null, 1).replaceAll('\n', ''))).toEqual(['duplicate']);
      expect(await statuses(JSON.stringify({ ...rest, time, id }))).toEqual(['duplicate']);
      expect(await statuses(JSON.stringify(record).replace('货', '\\u8d27'))).toEqual(['duplicate']);
      expect(await statuses(JSON.stringify({ ...record, currency: 'CNY', status: 'settled' }))).toEqual(['duplicate']);
      expect(await idsOnLog()).toEqual(['A1']);
    });

    test('twice in one body, the second is a duplicate', async () => {
      expect(await statuses(`${line({ id: 'A1' })}\n${line({ id: 'A1' })}`)).toEqual(['accepted', 'duplicate']);
      expect(await idsOnLog()).toEqual(['A1']);
    });

    test('in many bodies at once, exactly one is accepted', async () => {
      const bodies = Array.from(
        { length: 12 },
        (_, n) => `${line({ id: 'A1' })}\n${line({ id: `B${n}` })}\n${line({ id: 'A2' })}`,
      );
      const answers = await Promise.all(bodies.map((body) => statuses(body)));
      expect(answers.map(([first]) => first).filter((status) => status === 'accepted')).toHaveLength(1);
      expect(answers.map(([, , last]) => last).filter((status) => status === 'accepted')).toHaveLength(1);
      expect((await idsOnLog()).sort()).toEqual(['A1', 'A2', ...bodies.map((_, n) => `B${n}`)].sort());
    });

    test('two intakes on one store never both take it as new', async () => {
      const second = open();
      const answers = await Promise.all([statuses(line({ id: 'A1' })), second.accept(bytes(line({ id: 'A1' })))]);
      await second.settled();
      // The loser cannot know whether the winner will live to append it: it appends it too, and says so on the log.
      const entries = (await entriesOnLog()).filter(({ roles }) => (roles & role.debit) !== 0);
      expect(answers.flat()).toHaveLength(2);
      expect(entries.filter(({ flags }) => (flags & frameFlag.maybeResent) === 0)).toHaveLength(1);
    });

    test('of which nobody knows whether it reached the log, it is appended again and marked so', async () => {
      const faulty = withFault(parts.log, parts.state, { point: 'append of transactions', number: 0, mode: 'after' });
      await expect(open({}, faulty).accept(bytes(line({ id: 'A1' })))).rejects.toThrow(Crash);
      expect(await statuses(line({ id: 'A1' }))).toEqual([isOneStore ? 'duplicate' : 'accepted']);
      // On one store a claim that stands has its transaction on the log.
      const again = isOneStore ? [0, 0] : [0, frameFlag.maybeResent, 0, frameFlag.maybeResent];
      expect((await entriesOnLog()).map(({ flags }) => flags)).toEqual(again);
      expect(await statuses(line({ id: 'A1' }))).toEqual(['duplicate']);
    });

    test('that did not reach the log is new when it is sent again', async () => {
      const faulty = withFault(parts.log, parts.state, { point: 'append of transactions', number: 0, mode: 'before' });
      const first = open({}, faulty);
      await expect(first.accept(bytes(line({ id: 'A1' })))).rejects.toThrow(Crash);
      expect(await entriesOnLog()).toEqual([]);
      expect(await statuses(line({ id: 'A1' }))).toEqual(['accepted']);
      expect(await idsOnLog()).toEqual(['A1']);
    });

    test('the same number from two banks is two transactions', async () => {
      expect(await statuses(`${line({ id: 'A1', bank })}\n${line({ id: 'A1', bank: otherBank })}`)).toEqual([
        'accepted',
        'accepted',
      ]);
    });
  });

  describe('a conflict is kept and told', () => {
    test('the same id with another amount is a conflict; the first stays', async () => {
      await statuses(line({ id: 'A1', amountFen: 100 }));
      const [result] = await accept(line({ id: 'A1', amountFen: 200 }));
      expect(result).toMatchObject({ status: 'conflict', reason: 'conflict', id: 'A1', field: 'id' });
      expect(result?.message).toBe(`this id was used on 2026-07-01 for a record that says something else; ${firstCounts}`);
      expect(await idsOnLog()).toEqual(['A1']);
      const [rejected] = await rejectedRecords();
      expect(rejected).toMatchObject({ reason: 'conflict', id: 'A1', bank, earlierDay: '2026-07-01' });
      expect(rejected?.raw).toBe(line({ id: 'A1', amountFen: 200 }));
      expect(rejected?.content).not.toBe(rejected?.earlierContent);
    });

    test.each(['settled', 'failed', 'reversed'])(
      'a later status, %s, changes nothing, and the bank is told what to do',
      async (status) => {
        await statuses(line({ id: 'A1', status: 'pending' }));
        const [result] = await accept(line({ id: 'A1', status }));
        expect(result).toMatchObject({
          status: 'conflict',
          message: expect.stringContaining('a later status is not taken') as unknown,
        });
        expect(await idsOnLog()).toEqual(['A1']);
      },
    );

    test('within one body the second is the conflict', async () => {
      expect(await statuses(`${line({ id: 'A1', amountFen: 100 })}\n${line({ id: 'A1', amountFen: 200 })}`)).toEqual([
        'accepted',
        'conflict',
      ]);
    });

    test('a field that only the bank knows counts as content', async () => {
      await statuses(line({ id: 'A1', voucher: 'one' }));
      expect(await statuses(line({ id: 'A1', voucher: 'two' }))).toEqual(['conflict']);
    });
  });

  describe('a bad line is refused alone, with its reason, and found again', () => {
    test.each<[string, string, string, string]>([
      ['cut-off JSON', '{"id":"A1",', 'malformed', ''],
      ['a negative amount', line({ id: 'A1', amountFen: -5 }), 'invalid', 'amountFen'],
      ['a missing account', line({ id: 'A1', payee: { name: '无' } }), 'invalid', 'payee.account'],
      ['a record of 20 kB', line({ id: 'A1', blob: 'x'.repeat(20_000) }), 'oversized', ''],
      [
        'nesting without end',
        line({ id: 'A1', deep: JSON.parse('['.repeat(40) + ']'.repeat(40)) as unknown }),
        'too-deep',
        'deep',
      ],
      ['a time without a zone', line({ id: 'A1', time: '2026-07-01T09:30:00' }), 'invalid', 'time'],
    ])('%s', async (_, bad, reason, field) => {
      const results = await accept(`${line({ id: 'G1' })}\n${bad}\n${line({ id: 'G2' })}`);
      expect(results.map(({ status }) => status)).toEqual(['accepted', 'rejected', 'accepted']);
      expect(results[1]).toMatchObject({ line: 2, reason });
      expect(results[1]?.field).toContain(field);
      const [rejected] = await rejectedRecords();
      expect(rejected).toMatchObject({ reason, line: 2 });
      expect(rejected?.raw.slice(0, 100)).toBe(bad.slice(0, 100));
      expect(rejected?.raw.length).toBeLessThanOrEqual(16_384);
    });

    test.each([
      [-1, 'accepted'],
      [0, 'accepted'],
      [1, 'rejected'],
    ])('an event time %d ms beyond two minutes ahead is %s', async (beyondMs, status) => {
      const time = formatShanghai(nowMs + 120_000 + beyondMs);
      const [result] = await accept(line({ id: 'A1', time }));
      expect(result?.status).toBe(status);
      if (status === 'rejected') expect(result).toMatchObject({ reason: 'future-dated', field: 'time' });
    });

    test.each(['0000-01-01T00:00:00+23:59', '1970-01-01T00:00:00Z', '9999-12-31T23:59:59Z'])(
      'a time that no payment can have, %s, is refused alone',
      async (time) => {
        const [result, next] = await accept(`${line({ id: 'A1', time })}\n${line({ id: 'A2' })}`);
        expect(result).toMatchObject({ status: 'rejected', reason: 'invalid', field: 'time' });
        expect(next?.status).toBe('accepted');
      },
    );

    test('a backfill of old days is taken', async () => {
      expect(await statuses(line({ id: 'A1', time: '2019-01-05T10:00:00+08:00' }))).toEqual(['accepted']);
    });

    test('the same wrong line sent again is the same refusal', async () => {
      await accept('{"id":');
      await accept('{"id":');
      const ids = (await eventsOn(parts.log, 'rejected')).map(({ id }) => id);
      expect(ids).toHaveLength(2);
      expect(new Set(ids).size).toBe(1);
    });
  });

  describe('a bank’s key reports that bank’s accounts only', () => {
    const ours = { account: '410010001', bank };
    const theirs = { account: '622200002', bank: otherBank };

    test.each<[string, object, string]>([
      ['its customer pays', { payer: ours, payee: theirs, bank: undefined }, 'accepted'],
      ['its customer is paid', { payer: theirs, payee: ours, bank: undefined }, 'accepted'],
      ['it names itself', { payer: { account: '410010001' }, payee: { account: '622200002' }, bank }, 'accepted'],
      ['neither is its customer', { payer: theirs, payee: theirs, bank: undefined }, 'rejected'],
      ['it names another bank', { payer: ours, payee: theirs, bank: otherBank }, 'rejected'],
    ])('%s', async (_, record, status) => {
      const [result] = await accept(line({ id: 'A1', ...record }), bank);
      expect(result?.status).toBe(status);
      if (status === 'rejected') expect(result?.reason).toBe('invalid');
    });

    test('it cannot use up the ids of the payer’s bank', async () => {
      const record = { id: 'A1', payer: theirs, payee: ours, bank: undefined };
      expect((await accept(line({ ...record, amountFen: 1 }), bank))[0]?.status).toBe('accepted');
      expect((await accept(line({ ...record, amountFen: 2 }), otherBank))[0]?.status).toBe('accepted');
    });
  });

  describe('bounds', () => {
    test('a body of one line more than allowed is refused whole, one at the limit is taken', async () => {
      intake = open({ linesMax: 3 });
      const lines = ['A1', 'A2', 'A3', 'A4'].map((id) => line({ id }));
      await expect(accept(lines.join('\n'))).rejects.toThrow(BodyTooLong);
      expect(await idsOnLog()).toEqual([]);
      expect(await statuses(`${lines.slice(0, 3).join('\n')}\n`)).toHaveLength(3);
    });

    test('more bodies at once than allowed are turned away, to be sent again', async () => {
      intake = open({ bodiesInHandMax: 2 });
      const answers = await Promise.allSettled(['A1', 'A2', 'A3'].map((id) => accept(line({ id }))));
      expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
      const busy = answers[2]?.status === 'rejected' ? (answers[2].reason as IntakeBusy) : undefined;
      expect(busy).toBeInstanceOf(IntakeBusy);
      expect(busy?.retriable).toBe(true);
      expect(await statuses(line({ id: 'A3' }))).toEqual(['accepted']);
    });

    test('an empty body is answered with nothing', async () => {
      expect(await accept('')).toEqual([]);
      expect(await accept('\n\n')).toEqual([]);
    });

    test('the rest of the process gets its turn while a large body is taken', async () => {
      const body = makeStream({ transactions: 8_000, seed: 9, startMs: nowMs - 86_400_000, stepMs: 1_000 }).join('\n');
      let turns = 0;
      let running = true;
      const count = () => {
        turns++;
        if (running) setImmediate(count);
      };
      setImmediate(count);
      await accept(body);
      running = false;
      expect(turns).toBeGreaterThan(20);
    });

    test('old claims are swept a few at a time, young ones stay', async () => {
      await statuses(['A1', 'A2', 'A3'].map((id) => line({ id })).join('\n'));
      await intake.settled();
      const later = { now: () => nowMs + 36 * 86_400_000 };
      intake = createIntake({ ...parts, clock: later, newId: randomUUID, settings: { claimSlots: 2 } });
      await intake.accept(bytes(line({ id: 'B1' })));
      await intake.settled();
      let swept = 0;
      for (let i = 0; i < 4; i++) swept += await intake.sweepClaims();
      expect(swept).toBe(3);
      expect((await intake.accept(bytes(line({ id: 'B1' })))).map(({ status }) => status)).toEqual(['duplicate']);
    });
  });
});

function open(settings: Partial<IntakeSettings> = {}, on: Pick<typeof parts, 'log' | 'state'> = parts): Intake {
  return createIntake({
    log: on.log,
    state: on.state,
    clock: { now: () => nowMs },
    newId: randomUUID,
    settings: { claimSlots: 2, ...settings },
  });
}

function line(record: Record<string, unknown>): string {
  return JSON.stringify({
    time: '2026-07-01T09:30:00+08:00',
    amountFen: 12_345,
    payer: { account: '410010001', bank },
    payee: { account: '622200002' },
    ...record,
  });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function accept(text: string, keyBank?: string): Promise<readonly LineResult[]> {
  return intake.accept(bytes(text), { bank: keyBank });
}

async function statuses(text: string): Promise<string[]> {
  return (await accept(text)).map(({ status }) => status);
}

async function rejectedRecords(): Promise<RejectedRecord[]> {
  return (await eventsOn(parts.log, 'rejected')).map(({ data }) => data as RejectedRecord);
}

async function entriesOnLog() {
  const entries = [];
  for (let partition = 0; partition < 3; partition++) {
    for (const value of await valuesOn(parts.log, 'transactions', partition)) {
      for (const { roles, flags, start, end } of readFrame(value)) {
        const text = Buffer.from(value.subarray(start, end)).toString();
        entries.push({ partition, roles, flags, text, record: JSON.parse(text) as ParsedRecord });
      }
    }
  }
  return entries;
}

interface ParsedRecord {
  readonly id: string;
  readonly payer: { readonly account: string };
  readonly payee: { readonly account: string };
}

async function legsOnLog() {
  return (await entriesOnLog()).flatMap(({ partition, roles, record }) => [
    ...((roles & role.debit) !== 0 ? [{ partition, leg: 'debit', account: record.payer.account }] : []),
    ...((roles & role.credit) !== 0 ? [{ partition, leg: 'credit', account: record.payee.account }] : []),
  ]);
}

async function idsOnLog(): Promise<string[]> {
  return (await entriesOnLog()).filter(({ roles }) => (roles & role.debit) !== 0).map(({ record }) => record.id);
}
