import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChdbWarehouse } from '../../../src/adapters/warehouse/chdb.js';
import { migrations } from '../../../src/adapters/warehouse/schema.js';
import type { Warehouse } from '../../../src/ports/warehouse.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { runStatements } from './statements.js';

const directory = temporaryDirectory();
const place = join(directory.path, 'here');
let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await openChdbWarehouse({ directory: place });
  await warehouse.migrate();
});
afterAll(async () => {
  await warehouse.close();
  directory.remove();
});

const encode = (rows: readonly object[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
const hit = (id: string, time: string, more: object = {}) => ({
  id,
  pattern: 'V01',
  version: 1,
  transaction: `t-${id}`,
  time,
  subject: 's',
  side: 'payer',
  severity: 'high',
  score: 0.5,
  state: 'active',
  family: 'f',
  amount_fen: 1,
  payer_account: 'p',
  payee_account: 'q',
  late: false,
  received_at: time,
  data: '{}',
  ...more,
});
const warning = (id: string, revision: number, level: string, status: string, region: string) => ({
  id,
  revision,
  level,
  family: 'f',
  status,
  score: 0.5,
  subject: 's',
  amount_fen: 1,
  hit_count: revision,
  first_time: '2026-07-01T09:30:00+08:00',
  last_time: '2026-07-01T09:30:00+08:00',
  raised_at: '2026-07-01T09:30:01+08:00',
  data: JSON.stringify({ id, subject: { key: 's', region } }),
});

describe('counts by day', () => {
  it('count a hit once, repeated under its token, under another one, and cut in another way', async () => {
    const early = hit('1', '2026-07-31T23:59:59.999+08:00');
    const late = hit('2', '2026-08-01T00:00:00.000+08:00');
    const shadow = hit('3', '2026-08-01T00:00:00.000+08:00', { state: 'shadow' });
    await warehouse.insert('hits', encode([early, late]), 'a');
    await warehouse.insert('hits', encode([early, late]), 'a');
    await warehouse.insert('hits', encode([early, late]), 'b');
    await warehouse.insert('hits', encode([late, shadow]), 'c');
    expect(await warehouse.query('SELECT day, pattern, state, hits FROM hits_by_day ORDER BY day, state')).toEqual([
      { day: '2026-07-31', pattern: 'V01', state: 'active', hits: 1 },
      { day: '2026-08-01', pattern: 'V01', state: 'active', hits: 1 },
      { day: '2026-08-01', pattern: 'V01', state: 'shadow', hits: 1 },
    ]);
  });

  it('count a warning with its latest revision alone, whichever came last', async () => {
    await warehouse.insert('warnings', encode([warning('w1', 1, 'blue', 'open', '410100')]), '1');
    await warehouse.insert('warnings', encode([warning('w1', 3, 'red', 'disposed', '410100')]), '3');
    await warehouse.insert('warnings', encode([warning('w1', 2, 'orange', 'open', '410100')]), '2');
    await warehouse.insert('warnings', encode([warning('w2', 1, 'red', 'disposed', '410200')]), '4');
    for (let time = 0; time < 2; time++)
      await warehouse.insert('warnings', encode([warning('w3', 1, 'red', 'disposed', '410100')]), `again-${time}`);
    expect(await warehouse.query('SELECT day, region, level, status, warnings FROM warnings_by_day ORDER BY region')).toEqual([
      { day: '2026-07-01', region: '410100', level: 'red', status: 'disposed', warnings: 2 },
      { day: '2026-07-01', region: '410200', level: 'red', status: 'disposed', warnings: 1 },
    ]);
  });

  it('count transactions and their money once, refusals once however often they were sent, deliveries by attempt', async () => {
    const payment = (id: string, amount_fen: number) => ({
      id,
      bank: 'b',
      time: '2026-07-01T10:00:00+08:00',
      amount_fen,
      currency: 'CNY',
      status: 'settled',
      payer_account: 'p',
      payee_account: 'q',
      received_at: '2026-07-01T10:00:00+08:00',
      raw: '{}',
    });
    const refused = (received_at: string) => ({ id: 'r1', received_at, bank: 'b', line: 1, reason: 'invalid', raw: '{}' });
    const attempt = (id: string) => ({
      id,
      warning: 'w1',
      recipient: 'r',
      channel: 'webhook',
      attempt: 1,
      outcome: 'delivered',
      time: '2026-07-01T10:00:00+08:00',
      data: '{}',
    });
    for (const token of ['1', '2']) {
      await warehouse.insert('transactions', encode([payment('t1', 100), payment('t2', 23)]), token);
      await warehouse.insert('rejected', encode([refused('2026-07-01T10:00:00+08:00')]), token);
      await warehouse.insert('deliveries', encode([attempt('d1'), attempt('d2')]), token);
    }
    await warehouse.insert('rejected', encode([refused('2026-07-01T11:00:00+08:00')]), '3');
    expect(await warehouse.query('SELECT * FROM transactions_by_day')).toEqual([
      { day: '2026-07-01', bank: 'b', status: 'settled', transactions: 2, amount_fen: 123 },
    ]);
    expect(await warehouse.query('SELECT * FROM rejected_by_day')).toEqual([
      { day: '2026-07-01', bank: 'b', reason: 'invalid', rejected: 1 },
    ]);
    expect(await warehouse.query('SELECT * FROM deliveries_by_day')).toEqual([
      { day: '2026-07-01', channel: 'webhook', outcome: 'delivered', deliveries: 2 },
    ]);
  });
});

describe("an operator's own materialized view", () => {
  const counted = () => warehouse.query('SELECT sum(count) AS count FROM own_counts');

  it('does not count a slice twice that comes again under its token, and is made good where it failed the first time', async () => {
    await runStatements(
      place,
      'huqi',
      `CREATE TABLE own_counts (type String, count UInt64, CONSTRAINT no CHECK type != 'refused')
       ENGINE = SummingMergeTree ORDER BY type SETTINGS non_replicated_deduplication_window = 100`,
      'CREATE MATERIALIZED VIEW own_view TO own_counts AS SELECT type, count() AS count FROM events GROUP BY type',
    );
    const event = (id: string, type: string) => ({ id, type, subject: 's', time: '2026-07-01T10:00:00+08:00', data: '{}' });
    for (let time = 0; time < 3; time++) await warehouse.insert('events', encode([event('1', 'a'), event('2', 'a')]), 'one');
    expect(await counted()).toEqual([{ count: 2 }]);

    // The rows are stored, and the view behind them fails: whoever sent them is told that they are not in, and sends them again.
    await expect(warehouse.insert('events', encode([event('3', 'refused')]), 'two')).rejects.toThrow(/Constraint/);
    await runStatements(place, 'huqi', 'ALTER TABLE own_counts DROP CONSTRAINT no');
    for (let time = 0; time < 2; time++) await warehouse.insert('events', encode([event('3', 'refused')]), 'two');
    expect(await warehouse.query(`SELECT count() AS rows FROM events WHERE type = 'refused'`)).toEqual([{ rows: 1 }]);
    expect(await counted()).toEqual([{ count: 3 }]);
  });
});

describe('a database of an older release', () => {
  it('gets the views over the rows that it has', async () => {
    // chdb has one directory in a process, and a database of its own in it.
    const old = await openChdbWarehouse({ directory: place, database: 'old_release' });
    const row = JSON.stringify(warning('w1', 1, 'red', 'open', '410100'));
    await runStatements(
      place,
      'old_release',
      'CREATE TABLE schema_migrations (version UInt32, applied_at DateTime DEFAULT now()) ENGINE = ReplacingMergeTree ORDER BY version',
      ...migrations
        .slice(0, 2)
        .flatMap(({ version, statements }) => [...statements, `INSERT INTO schema_migrations (version) VALUES (${version})`]),
      `INSERT INTO warnings SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow ${row}`,
    );
    await old.migrate();
    await old.migrate();
    expect(await old.query('SELECT region, level, warnings FROM warnings_by_day')).toEqual([
      { region: '410100', level: 'red', warnings: 1 },
    ]);
    await old.close();
  });
});
