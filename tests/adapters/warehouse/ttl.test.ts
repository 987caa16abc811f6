import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChdbWarehouse } from '../../../src/adapters/warehouse/chdb.js';
import { openClickHouseWarehouse } from '../../../src/adapters/warehouse/clickhouse.js';
import { defaultTtlDays, ttlStatement, type TtlDays } from '../../../src/adapters/warehouse/ttl.js';
import type { WarehouseTable } from '../../../src/ports/warehouse-rows.js';
import type { Warehouse } from '../../../src/ports/warehouse.js';
import { openClickHouseFront, type ClickHouseFront } from '../../support/clickhouse-front.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { runStatements } from './statements.js';

const directory = temporaryDirectory();
const place = join(directory.path, 'here');
let front: ClickHouseFront;
beforeAll(async () => {
  front = await openClickHouseFront({ directory: place });
});
afterAll(async () => {
  await front.close();
  directory.remove();
});

const ttls = async (warehouse: Warehouse) => {
  const rows = await warehouse.query<{ name: string; ttl: string }>(
    `SELECT name, extract(create_table_query, ' TTL (.+?)(?: SETTINGS|$)') AS ttl FROM system.tables
     WHERE database = currentDatabase() AND ttl != '' ORDER BY name`,
  );
  return Object.fromEntries(rows.map(({ name, ttl }) => [name, ttl]));
};

const opens = {
  chdb: (database: string, ttlDays?: TtlDays) =>
    openChdbWarehouse({ directory: place, database, ...(ttlDays ? { ttlDays } : {}) }),
  http: (database: string, ttlDays?: TtlDays) =>
    Promise.resolve(openClickHouseWarehouse({ url: front.url, database, ...(ttlDays ? { ttlDays } : {}) })),
} as const;

describe.each(Object.entries(opens))('how long rows are kept, over %s', (name, open) => {
  it('follows the settings, is changed only where it differs, and ends where the days are 0', async () => {
    const database = `kept_${name}`;
    const first = await open(database, { transactions: 430, references: 0, warnings: 1830 });
    await first.migrate();
    const set = {
      transactions: 'toDateTime(time) + toIntervalDay(430)',
      warnings: 'toDateTime(last_time) + toIntervalDay(1830)',
    };
    expect(await ttls(first)).toEqual(set);
    await first.close();

    const before = front.ran.length;
    const second = await open(database, { transactions: 430, references: 0, warnings: 1830 });
    await second.migrate();
    await second.migrate();
    expect(await ttls(second)).toEqual(set);
    await second.close();
    expect(front.ran.slice(before).filter(({ query }) => /TTL/.test(query.replace(/^SELECT.*/s, '')))).toEqual([]);

    // Whoever does not say how long leaves it as it is.
    const reader = await open(database);
    await reader.migrate();
    expect(await ttls(reader)).toEqual(set);
    await reader.close();

    const third = await open(database, { transactions: 0, references: 30, warnings: 31 });
    await third.migrate();
    expect(await ttls(third)).toEqual({
      references: 'toDateTime(received_at) + toIntervalDay(30)',
      warnings: 'toDateTime(last_time) + toIntervalDay(31)',
    });
    await third.close();
  });
});

describe('rows that are older than they are kept', () => {
  it('leave their table, and no others do', async () => {
    const warehouse = await openChdbWarehouse({ directory: place, database: 'expired', ttlDays: defaultTtlDays });
    await warehouse.migrate();
    const dayMs = 86_400_000;
    const ago = (days: number) => new Date(Date.now() - days * dayMs).toISOString();
    const encode = (...rows: readonly object[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const payment = (days: number) => ({
      id: `${days}`,
      bank: 'b',
      time: ago(days),
      amount_fen: 1,
      currency: 'CNY',
      status: 'settled',
      payer_account: 'p',
      payee_account: 'q',
      received_at: ago(days),
      raw: '{}',
    });
    const refused = (days: number) => ({
      id: `${days}`,
      received_at: ago(days),
      bank: 'b',
      line: 1,
      reason: 'invalid',
      raw: '{}',
    });
    const reference = (days: number) => ({
      id: `${days}`,
      bank: 'b',
      type: 'profile',
      account: 'a',
      time: ago(days),
      received_at: ago(1),
      body: '{}',
    });
    await warehouse.insert('transactions', encode(payment(470), payment(429), payment(0)), 'a');
    await warehouse.insert('rejected', encode(refused(191), refused(189)), 'b');
    await warehouse.insert('references', encode(reference(9_000), reference(1)), 'c');
    await runStatements(
      place,
      'expired',
      ...(['transactions', 'rejected', 'references'] as const).map((table) => `OPTIMIZE TABLE ${table} FINAL`),
    );
    const idsOf = async (table: WarehouseTable) =>
      (await warehouse.query<{ id: string }>(`SELECT id FROM ${table} ORDER BY toInt64(id)`)).map(({ id }) => id);
    expect(await idsOf('transactions')).toEqual(['0', '429']);
    expect(await idsOf('rejected')).toEqual(['189']);
    expect(await idsOf('references')).toEqual(['1', '9000']);
    await warehouse.close();
  });
});

describe('the statement that sets how long', () => {
  const table = (ttl: string) =>
    `CREATE TABLE huqi.hits (\`id\` String) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(time) ORDER BY (time, id)${ttl} SETTINGS index_granularity = 8192`;

  it.each([
    ['is not there', '', 30, 'ALTER TABLE hits MODIFY TTL toDateTime(time) + toIntervalDay(30)'],
    ['is the same', ' TTL toDateTime(time) + toIntervalDay(30)', 30, null],
    [
      'is another',
      ' TTL toDateTime(time) + toIntervalDay(31)',
      30,
      'ALTER TABLE hits MODIFY TTL toDateTime(time) + toIntervalDay(30)',
    ],
    ['is to end', ' TTL toDateTime(time) + toIntervalDay(31)', 0, 'ALTER TABLE hits REMOVE TTL'],
    ['is not there, nor wanted', '', 0, null],
  ])('where it %s', (_, ttl, days, expected) => {
    expect(ttlStatement('hits', days, table(ttl))).toBe(expected);
  });
});
