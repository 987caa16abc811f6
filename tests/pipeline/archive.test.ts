import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeForward, encodeFrame, role } from '../../src/domain/frame.js';
import type { Warehouse } from '../../src/ports/warehouse.js';
import { temporaryEmbedded, type EmbeddedParts } from '../support/embedded.js';
import { startPipeline } from '../support/pipeline.js';
import { exampleRecords } from '../support/references.js';
import { body } from '../support/stream.js';
import { contentsOfLog, contentsOfWarehouse, fillLog, openWarehouse, startArchive } from './archive-support.js';
import { until } from './dispatch-support.js';

let parts: EmbeddedParts & { remove(): Promise<void> };
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

/** Fails again and again: before storing, and after it, so that the reply is lost. */
function unreliable(warehouse: Warehouse, every: number): Warehouse & { readonly failures: number } {
  let calls = 0;
  let failures = 0;
  const lost = (what: string) => {
    failures++;
    return Object.assign(new Error(what), { retriable: true });
  };
  return {
    ...warehouse,
    get failures() {
      return failures;
    },
    async insert(table, rows, token) {
      calls++;
      if (calls % every === 0) throw lost('connection refused');
      await warehouse.insert(table, rows, token);
      if (calls % every === 1) throw lost('connection reset after the rows were stored');
    },
  };
}

describe('the archive', () => {
  test('ends equal to the log, through restarts, refused inserts and lost replies', { timeout: 180_000 }, async () => {
    await fillLog(parts, 1500);
    const expected = await contentsOfLog(parts.log);
    for (const [table, ids] of Object.entries(expected)) expect([table, ids.length > 0]).toEqual([table, true]);
    const warehouse = await openWarehouse(parts.directory);
    const flaky = unreliable(warehouse, 3);
    for (let restart = 0; restart < 5; restart++) {
      const archive = await startArchive(parts, flaky);
      await sleep(60);
      await archive.leave();
    }
    const archive = await startArchive(parts, flaky);
    await archive.drained();
    expect(await archive.lag()).toBe(0);
    await archive.leave();
    expect(flaky.failures).toBeGreaterThan(10);
    expect(await contentsOfWarehouse(warehouse)).toEqual(expected);
    await warehouse.close();
  });

  test('ends equal to the log when the process is killed again and again', { timeout: 180_000 }, async () => {
    await fillLog(parts, 1000);
    const expected = await contentsOfLog(parts.log);
    let kills = 0;
    for (let finished = false; !finished;) {
      const child = spawn(
        process.execPath,
        ['--import', 'tsx', fileURLToPath(new URL('archive-child.ts', import.meta.url)), parts.directory],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const exit = once(child, 'exit') as Promise<[number | null]>;
      await once(child.stdout, 'data');
      if (kills < 4) {
        await sleep(20 + kills * 40);
        child.kill('SIGKILL');
        kills++;
      }
      finished = (await exit)[0] === 0;
    }
    const warehouse = await openWarehouse(parts.directory);
    expect(await contentsOfWarehouse(warehouse)).toEqual(expected);
    await warehouse.close();
  });

  test("takes over a transaction's fields, money exact and text untouched", async () => {
    const pipeline = await startPipeline(parts);
    const record = {
      id: 'T-1',
      time: '2026-07-01T23:59:59.123+08:00',
      amountFen: 9_999_999_999_999,
      payer: {
        account: '410012345678',
        name: '郑州"样例"\\有限公司',
        kind: 'corporate',
        bank: '102491002011',
        creditCode: '91410100MA00000001',
      },
      payee: { account: '6222021234567890', kind: 'personal' },
      channel: 'ebank',
      remark: "'; DROP TABLE transactions; --",
      extra: { unknown: { deep: [1, '二'] } },
    };
    const [result] = await pipeline.intake.accept(body([JSON.stringify(record)]));
    expect(result).toMatchObject({ status: 'accepted' });
    const warehouse = await openWarehouse(parts.directory);
    const archive = await startArchive(parts, warehouse);
    await archive.drained();
    await archive.leave();
    await pipeline.stop();
    const rows = await warehouse.query<Record<string, unknown>>('SELECT * FROM transactions FINAL');
    await warehouse.close();
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      id: 'T-1',
      bank: '102491002011',
      time: '2026-07-01 23:59:59.123',
      amount_fen: 9_999_999_999_999,
      currency: 'CNY',
      status: 'settled',
      payer_name: '郑州"样例"\\有限公司',
      payer_kind: 'corporate',
      payee_kind: 'personal',
      payee_bank: '',
      remark: "'; DROP TABLE transactions; --",
    });
    expect(JSON.parse(String(rows[0]?.['raw']))).toMatchObject(record);
  });

  test('takes over reference records, each in one row, and nothing of what partitions tell one another', async () => {
    const pipeline = await startPipeline(parts);
    const { profile, login, list } = exampleRecords;
    const bank = '102491002011';
    await pipeline.intake.accept(body([profile, login].map((record) => JSON.stringify(record))), { bank });
    await pipeline.intake.accept(body([JSON.stringify({ ...list, bank })]), { sender: 'centre' });
    const forward = {
      kind: 'notice',
      to: login.account,
      account: login.account,
      what: 'firms',
      shared: 'device',
      value: 'v',
    } as const;
    const bytes = encodeForward({ from: 0, sequence: 1, index: 0 }, { ...forward, firms: 1, timeMs: 5 }, Buffer.from('{}'));
    const value = encodeFrame([{ roles: role.forward, flags: 0, receivedAtMs: 5, bytes }]);
    const warehouse = await openWarehouse(parts.directory);
    const archive = await startArchive(parts, warehouse);
    await pipeline.drained();
    await pipeline.stop();
    await parts.log.append([{ topic: 'transactions', partition: 1, value }]);
    await archive.drained();
    await archive.leave();
    const rows = await warehouse.query<Record<string, unknown>>('SELECT * FROM references ORDER BY id');
    expect(await warehouse.query('SELECT count() AS n FROM transactions')).toEqual([{ n: 0 }]);
    await warehouse.close();
    expect(rows).toMatchObject([
      { id: 'L1', bank: '102491002011', type: 'login', account: login.account, time: '2026-07-01 08:10:00.000' },
      { id: 'P1', bank: '102491002011', type: 'profile', account: profile.account, time: '2026-07-01 08:00:00.000' },
      { id: 'W1', bank: '102491002011', type: 'list', account: '', time: '2026-07-01 08:25:00.000' },
    ]);
    expect(JSON.parse(String(rows[1]?.['body']))).toEqual({ ...profile, bank: '102491002011' });
  });

  test('waits for a warehouse that is away without holding up scoring, and catches up when it is back', async () => {
    const warehouse = await openWarehouse(parts.directory);
    let away = true;
    const absent: Warehouse = {
      ...warehouse,
      insert: (...slice) =>
        away ? Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { retriable: true })) : warehouse.insert(...slice),
    };
    const archive = await startArchive(parts, absent);
    await fillLog(parts, 500);
    expect(await archive.lag()).toBeGreaterThan(0);
    away = false;
    await archive.drained();
    await archive.leave();
    expect(await contentsOfWarehouse(warehouse)).toEqual(await contentsOfLog(parts.log));
    await warehouse.close();
  });

  test('lets transactions wait while there is more urgent work, hits and warnings never, and not without end', async () => {
    await fillLog(parts, 600);
    const expected = await contentsOfLog(parts.log);
    const warehouse = await openWarehouse(parts.directory);
    let nowMs = Date.now();
    const archive = await startArchive(parts, warehouse, {}, { isBusy: () => true, clock: { now: () => nowMs } });
    await archive.drained(undefined, ['rejected', 'hits', 'warnings', 'deliveries']);
    expect(await contentsOfWarehouse(warehouse)).toEqual({ ...expected, transactions: [], references: [] });
    nowMs += 29_000;
    await sleep(100);
    expect((await contentsOfWarehouse(warehouse)).transactions).toEqual([]);
    await until(
      () => {
        nowMs += 1_000;
        return archive.lag();
      },
      (left) => left === 0,
    );
    expect(await contentsOfWarehouse(warehouse)).toEqual(expected);
    await archive.leave();
    await warehouse.close();
  });

  test('does not let transactions wait for whom somebody waits', async () => {
    await fillLog(parts, 100);
    const warehouse = await openWarehouse(parts.directory);
    const archive = await startArchive(parts, warehouse, {}, { isBusy: () => true });
    await archive.drained();
    expect(await contentsOfWarehouse(warehouse)).toEqual(await contentsOfLog(parts.log));
    await archive.leave();
    await warehouse.close();
  });

  test('stops visibly at a damaged record instead of skipping it', async () => {
    await parts.log.append([{ topic: 'transactions', partition: 1, value: Buffer.from('no frame') }]);
    const warehouse = await openWarehouse(parts.directory);
    const archive = await startArchive(parts, warehouse);
    await expect(archive.done).rejects.toThrow(/transactions\/1: the record at offset 0 is damaged/);
    await expect(archive.drained()).rejects.toThrow(/damaged/);
    await warehouse.close();
  });

  test('leaves at once while the warehouse is away', async () => {
    await fillLog(parts, 100);
    const warehouse = await openWarehouse(parts.directory);
    const absent: Warehouse = {
      ...warehouse,
      insert: () => Promise.reject(Object.assign(new Error('away'), { retriable: true })),
    };
    const archive = await startArchive(parts, absent, { retryMsMin: 60_000, retryMsMax: 60_000 });
    await sleep(200);
    const startedMs = Date.now();
    await archive.leave();
    expect(Date.now() - startedMs).toBeLessThan(2000);
    await warehouse.close();
  });
});
