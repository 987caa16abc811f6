import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openClickHouseWarehouse, type ClickHouseOptions } from '../../../src/adapters/warehouse/clickhouse.js';
import { Unavailable } from '../../../src/ports/unavailable.js';
import { WarehouseError } from '../../../src/ports/warehouse-error.js';
import type { Warehouse } from '../../../src/ports/warehouse.js';
import { describeWarehouseContract } from '../../contracts/warehouse.contract.js';
import { openClickHouseFront, type ClickHouseFront } from '../../support/clickhouse-front.js';
import { temporaryDirectory } from '../temporary-directory.js';

const directory = temporaryDirectory();
const user = 'huqi';
const password = "p:ä@/'\\ %";
let front: ClickHouseFront;
let opened: Warehouse[] = [];

beforeAll(async () => {
  front = await openClickHouseFront({
    directory: join(directory.path, 'server'),
    users: { [user]: password, default: '' },
  });
});
afterEach(async () => {
  front.mend();
  front.pretendVersion(null);
  for (const warehouse of opened) await warehouse.close();
  opened = [];
});
afterAll(async () => {
  await front.close();
  directory.remove();
});

const optionsFor = (database: string, more: Partial<ClickHouseOptions> = {}): ClickHouseOptions => ({
  url: front.url,
  username: user,
  password,
  database,
  ...more,
});

function open(database: string, more: Partial<ClickHouseOptions> = {}): Warehouse {
  const warehouse = openClickHouseWarehouse(optionsFor(database, more));
  opened.push(warehouse);
  return warehouse;
}

const opener = new URL('../clickhouse-opener.ts', import.meta.url).href;

describeWarehouseContract('clickhouse over http', () => {
  const warehouse = openClickHouseWarehouse(optionsFor('contract'));
  return Promise.resolve({
    warehouse,
    elsewhere: { module: opener, config: optionsFor('contract_elsewhere') },
    close: () => warehouse.close(),
  });
});

const encode = (...ids: string[]) =>
  Buffer.from(
    ids
      .map((id) => `${JSON.stringify({ id, type: 't', subject: 's', time: '2026-07-01T09:30:00+08:00', data: '{}' })}\n`)
      .join(''),
  );
const idsIn = async (warehouse: Warehouse) =>
  (await warehouse.query<{ id: string }>('SELECT id FROM events ORDER BY id')).map(({ id }) => id);

/** The error, which must be there. */
async function refusalOf(work: Promise<unknown>): Promise<Error> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(outcome instanceof Error)) throw new Error(`expected a refusal, got ${String(outcome)}`);
  expect(outcome.message).not.toContain(password);
  return outcome;
}

describe('a ClickHouse server that is not as it should be', () => {
  it('is named in one sentence where nobody listens', async () => {
    const away = open('away', { url: 'http://127.0.0.1:1' });
    const error = await refusalOf(away.migrate());
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toMatch(/^warehouse: migrate: ClickHouse at 127\.0\.0\.1:1 cannot be reached .*ECONNREFUSED/);
  });

  it('is named with the user where the password is wrong', async () => {
    const error = await refusalOf(open('wrong', { password: 'no' }).migrate());
    expect(error).toMatchObject({ fault: 'setup', code: '516', retriable: false });
    expect(error.message).toMatch(/does not know the user "huqi" or its password; check/);
  });

  it('reads credentials and database from the address, and never repeats it', async () => {
    const address = new URL(front.url);
    address.username = user;
    address.password = encodeURIComponent(password);
    address.pathname = '/from_the_address';
    const warehouse = openClickHouseWarehouse({ url: address.href });
    opened.push(warehouse);
    await warehouse.migrate();
    expect(await warehouse.query('SELECT currentDatabase() AS name')).toEqual([{ name: 'from_the_address' }]);
    address.pathname = '/no-name';
    const wrong = await refusalOf(Promise.resolve().then(() => openClickHouseWarehouse({ url: address.href })));
    expect(wrong.message).toMatch(/"no-name" is no database name/);
    for (const url of ['clickhouse:8123', 'ftp://clickhouse:8123', 'http://clickhouse:8123/?a=1', 'clickhouse'])
      expect(() => openClickHouseWarehouse({ url })).toThrow(/the address of ClickHouse .*; write http:\/\//);
  });

  it('says which right is missing, and how to give it', async () => {
    front.break({
      fault: { kind: 'error', code: 497, name: 'ACCESS_DENIED', text: 'huqi: Not enough privileges' },
      when: ({ query }) => query.startsWith('CREATE DATABASE'),
    });
    const error = await refusalOf(open('denied').migrate());
    expect(error).toMatchObject({ fault: 'setup', code: '497' });
    expect(error.message).toMatch(/the user "huqi" has no right to that; GRANT ALL ON denied\.\* TO huqi/);
  });

  it('says that the database is missing when something is asked before the first start', async () => {
    const error = await refusalOf(open('nowhere').query('SELECT 1'));
    expect(error).toMatchObject({ fault: 'setup', code: '81' });
    expect(error.message).toMatch(/has no database "nowhere"/);
  });

  it.each([
    ['24.7.9.1', false],
    ['23.12.1.1', false],
    ['24.8.1.2684', true],
    ['25.1.1.1', true],
  ])('is refused where its version is too old: %s', async (version, isTaken) => {
    front.pretendVersion(version);
    const migrated = open('versions').migrate();
    if (isTaken) return expect(await migrated).toBeUndefined();
    const error = await refusalOf(migrated);
    expect(error.message).toMatch(new RegExp(`is version ${version.replaceAll('.', '\\.')}; 24\\.8 or newer is needed`));
  });

  it('is migrated before the first rows where nobody answered at the start', async () => {
    await front.goDown();
    const warehouse = open('later');
    await refusalOf(warehouse.migrate());
    await front.comeUp();
    await warehouse.insert('events', encode('1'), 'later');
    expect(await idsIn(warehouse)).toEqual(['1']);
  });
});

describe('a connection to ClickHouse that breaks', () => {
  let warehouse: Warehouse;
  let number = 0;
  const isInsert = ({ query }: { readonly query: string }) => query.startsWith('INSERT INTO events');
  const fresh = async () => {
    warehouse = open(`faults_${number++}`, { writeMsMax: 1_000, readMsMax: 1_000 });
    await warehouse.migrate();
  };

  it.each([
    ['stands still', { kind: 'stall' }, []],
    ['is cut after the statement has run', { kind: 'lostReply' }, ['1', '2']],
    ['is cut while the rows are on their way', { kind: 'cutRequest', afterBytes: 1 }, []],
    ['leads to somebody who knows no server', { kind: 'gateway', status: 502 }, []],
  ] as const)('%s: nobody knows what happened, and the same slice again leaves each row once', async (_, fault, left) => {
    await fresh();
    front.break({ fault, when: isInsert, times: 1 });
    const error = await refusalOf(warehouse.insert('events', encode('1', '2'), 'slice'));
    expect(error).toBeInstanceOf(Unavailable);
    expect(error.message).toMatch(/insert into events: ClickHouse at 127\.0\.0\.1:\d+ cannot be reached or did not answer/);
    expect(await idsIn(warehouse)).toEqual(left);
    await warehouse.insert('events', encode('1', '2'), 'slice');
    expect(await idsIn(warehouse)).toEqual(['1', '2']);
  });

  it('tells what a refusal is about', async () => {
    await fresh();
    for (const [code, name, about] of [
      [252, 'TOO_MANY_PARTS', 'busy'],
      [241, 'MEMORY_LIMIT_EXCEEDED', 'busy'],
      [202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'busy'],
      [319, 'UNKNOWN_STATUS_OF_INSERT', 'busy'],
      [999, 'KEEPER_EXCEPTION', 'busy'],
      [27, 'CANNOT_PARSE_INPUT_ASSERTION_FAILED', 'rows'],
      [60, 'UNKNOWN_TABLE', 'setup'],
      [497, 'ACCESS_DENIED', 'setup'],
      [4242, 'SOMETHING_NEW', 'setup'],
    ] as const) {
      front.break({ fault: { kind: 'error', code, name }, when: isInsert, times: 1 });
      const error = await refusalOf(warehouse.insert('events', encode('1'), 'slice'));
      expect(error).toBeInstanceOf(WarehouseError);
      expect(error).toMatchObject({ fault: about, code: String(code), retriable: about === 'busy' });
    }
  });

  it('has the rows once where the server does not know itself how the insert ended', async () => {
    await fresh();
    front.break({
      fault: { kind: 'error', code: 319, name: 'UNKNOWN_STATUS_OF_INSERT', afterwards: true },
      when: isInsert,
      times: 1,
    });
    await refusalOf(warehouse.insert('events', encode('1'), 'slice'));
    await warehouse.insert('events', encode('1'), 'slice');
    expect(await idsIn(warehouse)).toEqual(['1']);
  });

  it.each([true, false])('takes no answer that says in its end that it failed (with a mark: %s)', async (marked) => {
    await fresh();
    const fault = { kind: 'tail', code: 241, name: 'MEMORY_LIMIT_EXCEEDED', marked } as const;
    front.break({ fault });
    for (const work of [
      () => warehouse.insert('events', encode('1'), 'slice'),
      () => warehouse.query('SELECT number FROM numbers(100)'),
    ]) {
      expect(await refusalOf(work())).toMatchObject({ fault: 'busy', code: '241' });
    }
  });

  it('takes no half answer for a whole one', async () => {
    await fresh();
    front.break({ fault: { kind: 'cutReply' } });
    expect(await refusalOf(warehouse.query('SELECT number FROM numbers(1000)'))).toBeInstanceOf(Unavailable);
    const read = async () => {
      for await (const chunk of warehouse.lines('SELECT toString(number) FROM numbers(100000)')) void chunk;
    };
    expect(await refusalOf(read())).toBeInstanceOf(Unavailable);
    front.mend();
    expect(await warehouse.query('SELECT 1 AS a')).toEqual([{ a: 1 }]);
  });

  it('waits for a slow server as long as it was told to', async () => {
    warehouse = open(`faults_${number++}`, { writeMsMax: 20_000, readMsMax: 20_000 });
    front.break({ fault: { kind: 'slow', ms: 700 }, when: isInsert });
    await warehouse.insert('events', encode('1'), 'slice');
    expect(await idsIn(warehouse)).toEqual(['1']);
  });

  it('is given up when it was idle for less than any server keeps one', async () => {
    await fresh();
    await warehouse.insert('events', encode('1'), 'slice');
    expect(front.connections()).toBeGreaterThan(0);
    // The front keeps idle ones for a minute.
    while (front.connections() > 0) await sleep(100);
  });

  it('carries rows and answers packed', async () => {
    warehouse = open(`faults_${number++}`, { compression: 'gzip' });
    const ids = Array.from({ length: 20_000 }, (_, i) => String(i).padStart(5, '0'));
    await warehouse.insert('events', encode(...ids), 'many');
    expect(await idsIn(warehouse)).toEqual(ids);
    const parts: Uint8Array[] = [];
    for await (const part of warehouse.lines('SELECT id FROM events ORDER BY id')) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe(ids.map((id) => `${id}\n`).join(''));
    await refusalOf(warehouse.query('SELECT nothing'));
    expect(front.ran.findLast(isInsert)?.settings).toMatchObject({ enable_http_compression: '1' });
  });

  it('sends what makes a slice one block that is known again, whatever the profile of the server says', async () => {
    await fresh();
    await warehouse.insert('events', encode('1'), 'slice');
    expect(front.ran.findLast(isInsert)?.settings).toMatchObject({
      async_insert: '0',
      insert_deduplicate: '1',
      insert_deduplication_token: 'slice',
      deduplicate_blocks_in_dependent_materialized_views: '1',
      wait_end_of_query: '1',
    });
    const safe = open(`faults_${number++}`, { insertQuorum: 'auto' });
    await safe.insert('events', encode('1'), 'slice');
    expect(front.ran.findLast(isInsert)?.settings).toMatchObject({ insert_quorum: 'auto' });
  });
});
