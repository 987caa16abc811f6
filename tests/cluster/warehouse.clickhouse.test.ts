import { randomUUID } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import { afterAll, describe, expect, it } from 'vitest';
import { checkClickHouse } from '../../src/adapters/warehouse/check-clickhouse.js';
import { openClickHouseWarehouse } from '../../src/adapters/warehouse/clickhouse.js';
import { describeWarehouseContract } from '../contracts/warehouse.contract.js';

/** A real server, named by HUQI_CLICKHOUSE_URL (without a database in it); two databases are made on it and removed. */
const url = process.env['HUQI_CLICKHOUSE_URL'] ?? '';
const database = `huqi_test_${randomUUID().replaceAll('-', '')}`;
const elsewhere = `${database}_b`;

describe.skipIf(url === '')('on a ClickHouse server', () => {
  afterAll(async () => {
    const client = createClient({ url });
    for (const name of [database, elsewhere]) await client.command({ query: `DROP DATABASE IF EXISTS ${name}` });
    await client.close();
  });

  describeWarehouseContract('a real server', () => {
    const warehouse = openClickHouseWarehouse({ url, database });
    return Promise.resolve({
      warehouse,
      elsewhere: {
        module: new URL('../adapters/clickhouse-opener.ts', import.meta.url).href,
        config: { url, database: elsewhere },
      },
      close: () => warehouse.close(),
    });
  });

  it('is found good after the first start', async () => {
    const warehouse = openClickHouseWarehouse({ url, database });
    await warehouse.migrate();
    await warehouse.close();
    const findings = await checkClickHouse({ url, database });
    expect(findings.filter(({ verdict }) => verdict === 'bad')).toEqual([]);
    expect(findings.map(({ check }) => check)).toContain('tables');
  });
});
