import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openClickHouseWarehouse } from '../../src/adapters/warehouse/clickhouse.js';
import { tokenOf } from '../../src/pipeline/archive-slice.js';
import type { Warehouse } from '../../src/ports/warehouse.js';
import { runStatements } from '../adapters/warehouse/statements.js';
import { openClickHouseFront, type ClickHouseFront, type FrontFault } from '../support/clickhouse-front.js';
import { temporaryDirectory, temporaryEmbedded, type EmbeddedParts } from '../support/embedded.js';
import { startPipeline } from '../support/pipeline.js';
import { body, makeStream } from '../support/stream.js';
import { contentsOfLog, contentsOfWarehouse, fillLog, startArchive } from './archive-support.js';
import { quiet, until } from './dispatch-support.js';

/** The archive on a ClickHouse server, over HTTP. */

const directory = temporaryDirectory();
const place = join(directory, 'server');
let front: ClickHouseFront;
let parts: EmbeddedParts & { remove(): Promise<void> };
let warehouse: Warehouse;
let database = 'none';
let number = 0;

beforeAll(async () => {
  front = await openClickHouseFront({ directory: place });
});
afterAll(async () => {
  await front.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  parts = temporaryEmbedded();
  database = `archive_${number++}`;
  warehouse = openClickHouseWarehouse({ url: front.url, database, writeMsMax: 5_000, readMsMax: 60_000 });
  await warehouse.migrate();
});
afterEach(async () => {
  front.mend();
  await warehouse.close();
  await parts.remove();
  expect(tokensWithOtherRows()).toEqual([]);
});

/** Tokens that the server was given with more than one set of rows: it would have dropped the second without a word. */
function tokensWithOtherRows(): string[] {
  const rows = new Map<string, string>();
  return front.ran.flatMap(({ query, body: sent, settings, database: where }) => {
    const token = settings['insert_deduplication_token'];
    if (token === undefined || sent === null) return [];
    const key = `${where} ${query} ${token}`;
    const digest = createHash('sha256').update(sent).digest('hex');
    const known = rows.get(key) ?? digest;
    rows.set(key, known);
    return known === digest ? [] : [key];
  });
}

const isInsert = ({ query }: { readonly query: string }) => query.startsWith('INSERT INTO');
const insertsInto =
  (table: string) =>
  ({ query }: { readonly query: string }) =>
    query.startsWith(`INSERT INTO ${table} `);
const quarantined = async () =>
  (await warehouse.query<{ row: string }>('SELECT row FROM quarantined FINAL ORDER BY id')).map(
    ({ row }) => JSON.parse(row) as { id: string; amount_fen: number },
  );

describe('the archive on a ClickHouse server', () => {
  test('ends equal to the log through restarts and every way in which an insert fails', { timeout: 180_000 }, async () => {
    await fillLog(parts, 250);
    const faults: FrontFault[] = [
      { kind: 'lostReply' },
      { kind: 'cutRequest', afterBytes: 100 },
      { kind: 'error', code: 252, name: 'TOO_MANY_PARTS' },
      { kind: 'error', code: 319, name: 'UNKNOWN_STATUS_OF_INSERT', afterwards: true },
      { kind: 'error', code: 241, name: 'MEMORY_LIMIT_EXCEEDED' },
      { kind: 'gateway', status: 504 },
      { kind: 'tail', code: 241, name: 'MEMORY_LIMIT_EXCEEDED', marked: true },
      { kind: 'error', code: 516, name: 'AUTHENTICATION_FAILED' },
      { kind: 'stall' },
    ];
    let inserts = 0;
    const struck = new Map<string, number>();
    const choose = (): FrontFault | null => {
      const fault = inserts % 2 === 0 ? faults[(inserts / 2) % faults.length] : undefined;
      inserts++;
      if (!fault) return null;
      const times = (struck.get(fault.kind) ?? 0) + 1;
      struck.set(fault.kind, times);
      // The server stands still for seconds each time.
      return fault.kind === 'stall' && times > 2 ? null : fault;
    };
    front.break({ fault: choose, when: isInsert });
    const expected = await contentsOfLog(parts.log);
    for (let restart = 0; restart < 3; restart++) {
      const archive = await startArchive(parts, warehouse, { sliceRecordsMax: 20 });
      await sleep(300);
      await archive.leave();
    }
    const archive = await startArchive(parts, warehouse, { sliceRecordsMax: 20 });
    await archive.drained();
    await archive.leave();
    expect(new Set(struck.keys())).toEqual(new Set(faults.map(({ kind }) => kind)));
    front.mend();
    expect(await contentsOfWarehouse(warehouse)).toEqual(expected);
    expect(await quarantined()).toEqual([]);
  });

  test(
    'lets scoring go on while the server is away, holds little meanwhile, and has everything once it is back',
    { timeout: 120_000 },
    async () => {
      const telemetry = quiet();
      const settings = { sliceRecordsMax: 5, retryMsMax: 200 };
      let read = 0;
      const counted: EmbeddedParts = {
        ...parts,
        log: {
          ...parts.log,
          join: (group, topic, open) =>
            parts.log.join(group, topic, async (partition) => {
              const processor = await open(partition);
              const process = async (...[batch]: Parameters<typeof processor.process>) => {
                if (topic === 'transactions') read += batch.records.length;
                await processor.process(batch);
              };
              return { ...processor, process };
            }),
        },
      };
      const archive = await startArchive(counted, warehouse, settings, { telemetry });
      await front.goDown();
      const pipeline = await startPipeline(parts);
      const lines = makeStream({ transactions: 800, seed: 5 });
      for (let at = 0; at < lines.length; at += 10) await pipeline.intake.accept(body(lines.slice(at, at + 10)));
      await pipeline.drained();
      await pipeline.stop();
      await until(
        () => telemetry.failingSlices().length,
        (failing) => failing > 0,
      );
      const expected = await contentsOfLog(parts.log);
      expect(expected.hits.length).toBeGreaterThan(10);
      expect(await archive.lag()).toBeGreaterThan(100);
      // One slice that is being stored, two that wait, and a batch in hand, of each of three partitions: the log holds the rest.
      expect(read).toBeLessThanOrEqual(3 * 4 * settings.sliceRecordsMax);
      await front.comeUp();
      await archive.drained();
      expect(telemetry.failingSlices()).toEqual([]);
      await archive.leave();
      expect(await contentsOfWarehouse(warehouse)).toEqual(expected);
    },
  );

  test('keeps the rows that the server refuses for good apart, and stores all others', { timeout: 120_000 }, async () => {
    await fillLog(parts, 250);
    const expected = await contentsOfLog(parts.log);
    // The server itself refuses them, for a reason of its own.
    await runStatements(place, database, 'ALTER TABLE transactions ADD CONSTRAINT whim CHECK cityHash64(id) % 40 != 0');
    front.break({ fault: { kind: 'lostReply' }, when: insertsInto('quarantined'), times: 3 });
    const telemetry = quiet();
    const archive = await startArchive(parts, warehouse, { sliceRecordsMax: 50 }, { telemetry });
    await archive.drained();
    await archive.leave();
    const apart = (await quarantined()).map(({ id, amount_fen }) => `${id} ${amount_fen}`);
    expect(apart.length).toBeGreaterThan(2);
    expect(new Set(apart).size).toBe(apart.length);
    const found = await contentsOfWarehouse(warehouse);
    expect({ ...found, transactions: [...found.transactions, ...apart].sort() }).toEqual(expected);
    expect(await warehouse.query('SELECT DISTINCT table_name, code FROM quarantined')).toEqual([
      { table_name: 'transactions', code: '469' },
    ]);
    expect(await telemetry.metrics()).toMatch(/archive_rows_quarantined_total\{table="transactions"\} \d/);
    expect(telemetry.failingSlices()).toEqual([]);
  });

  test('waits, visibly, where the server refuses every row: it is not the rows', { timeout: 120_000 }, async () => {
    await fillLog(parts, 250);
    const expected = await contentsOfLog(parts.log);
    await runStatements(place, database, `ALTER TABLE transactions ADD CONSTRAINT whim CHECK id = ''`);
    const telemetry = quiet();
    const archive = await startArchive(parts, warehouse, { sliceRecordsMax: 100 }, { telemetry });
    const failing = () => telemetry.failingSlices().filter((slice) => slice.startsWith('transactions/')).length;
    await until(failing, (slices) => slices > 0, 60_000);
    const apart = (await quarantined()).length;
    expect(apart).toBeGreaterThan(0);
    expect(apart).toBeLessThan(expected.transactions.length / 2);
    await archive.drained(undefined, ['hits', 'warnings', 'deliveries']);
    await runStatements(place, database, 'ALTER TABLE transactions DROP CONSTRAINT whim');
    await archive.drained();
    await archive.leave();
    const found = await contentsOfWarehouse(warehouse);
    const both = [...found.transactions, ...(await quarantined()).map(({ id, amount_fen }) => `${id} ${amount_fen}`)];
    expect([...new Set(both)].sort()).toEqual(expected.transactions);
  });

  test(
    'goes on through many rows in a row that are refused, where what was taken before still is',
    { timeout: 120_000 },
    async () => {
      const pipeline = await startPipeline(parts);
      const lines = makeStream({ transactions: 170, seed: 3 });
      const archive = await startArchive(parts, warehouse, { sliceRecordsMax: 100 });
      await pipeline.intake.accept(body(lines.slice(0, 30)));
      await archive.drained();
      const taken = (await contentsOfWarehouse(warehouse)).transactions.map((text) => text.split(' ')[0]);
      await runStatements(
        place,
        database,
        `ALTER TABLE transactions ADD CONSTRAINT whim CHECK has(['${taken.join(`','`)}'], id)`,
      );
      await pipeline.intake.accept(body(lines.slice(30)));
      await archive.drained();
      await archive.leave();
      await pipeline.drained();
      await pipeline.stop();
      const { transactions } = await contentsOfLog(parts.log);
      expect(transactions.length - taken.length).toBeGreaterThan(2 * 50);
      expect((await quarantined()).map(({ id, amount_fen }) => `${id} ${amount_fen}`).sort()).toEqual(
        transactions.filter((text) => !taken.includes(text.split(' ')[0])),
      );
    },
  );

  test(
    'waits for a person where a table or a right is missing, and goes on by itself afterwards',
    { timeout: 60_000 },
    async () => {
      await fillLog(parts, 100);
      const expected = await contentsOfLog(parts.log);
      await runStatements(place, database, 'RENAME TABLE hits TO lost_hits');
      const telemetry = quiet();
      const archive = await startArchive(parts, warehouse, {}, { telemetry });
      await until(
        () => telemetry.failingSlices(),
        (slices) => slices.some((slice) => slice.startsWith('hits/')),
      );
      await archive.drained(undefined, ['transactions', 'rejected', 'warnings', 'deliveries']);
      await runStatements(place, database, 'RENAME TABLE lost_hits TO hits');
      await archive.drained();
      await archive.leave();
      expect(await contentsOfWarehouse(warehouse)).toEqual(expected);
    },
  );

  test('is left within seconds where the server stands still, and loses nothing by it', { timeout: 60_000 }, async () => {
    await fillLog(parts, 100);
    const expected = await contentsOfLog(parts.log);
    const patient = openClickHouseWarehouse({ url: front.url, database, writeMsMax: 600_000 });
    front.break({ fault: { kind: 'stall' }, when: isInsert });
    const archive = await startArchive(parts, patient);
    await sleep(300);
    await archive.leave();
    await patient.close();
    front.mend();
    const again = await startArchive(parts, warehouse);
    await again.drained();
    await again.leave();
    expect(await contentsOfWarehouse(warehouse)).toEqual(expected);
  });

  test('is started beside a server that is away, and begins when it comes', { timeout: 60_000 }, async () => {
    await fillLog(parts, 50);
    const expected = await contentsOfLog(parts.log);
    await front.goDown();
    const late = openClickHouseWarehouse({ url: front.url, database: `${database}_late`, writeMsMax: 2_000 });
    const archive = await startArchive(parts, late);
    await sleep(200);
    await front.comeUp();
    await archive.drained();
    await archive.leave();
    expect(await contentsOfWarehouse(late)).toEqual(expected);
    await late.close();
  });
});

describe('the token of a slice', () => {
  const slice = { from: 0, to: 5 };
  const rows = (text: string) => ({ table: 'hits', bytes: Buffer.from(text), count: 1 }) as const;

  test('is the same for the same rows, in whatever process', async () => {
    expect(await tokenOf('hits', 1, slice, rows('{"id":"1"}\n'))).toBe('hits:1:0-5:hits:6B4KpXvh8K2LIQs-Y0h0Dj');
  });

  test('is another one for other rows, another table, another partition and other bounds', async () => {
    const tokens = await Promise.all([
      tokenOf('hits', 1, slice, rows('{"id":"1"}\n')),
      tokenOf('hits', 1, slice, rows('{"id":"2"}\n')),
      tokenOf('hits', 1, slice, { ...rows('{"id":"1"}\n'), table: 'events' }),
      tokenOf('hits', 2, slice, rows('{"id":"1"}\n')),
      tokenOf('hits', 1, { from: 0, to: 6 }, rows('{"id":"1"}\n')),
    ]);
    expect(new Set(tokens).size).toBe(5);
  });

  test('covers the last byte of many', async () => {
    const many = Buffer.alloc(5 * 2 ** 20, 0x20);
    const one = await tokenOf('hits', 1, slice, { table: 'hits', bytes: many, count: 1 });
    many[many.length - 1] = 0x21;
    expect(await tokenOf('hits', 1, slice, { table: 'hits', bytes: many, count: 1 })).not.toBe(one);
  });
});
