import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkClickHouse } from '../../../src/adapters/warehouse/check-clickhouse.js';
import { openClickHouseWarehouse } from '../../../src/adapters/warehouse/clickhouse.js';
import { openClickHouseFront, type ClickHouseFront } from '../../support/clickhouse-front.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { runStatements } from './statements.js';

const directory = temporaryDirectory();
const place = join(directory.path, 'server');
let front: ClickHouseFront;
beforeAll(async () => {
  front = await openClickHouseFront({ directory: place, users: { huqi: 'secret', default: '' } });
});
afterEach(() => {
  front.mend();
  front.pretendVersion(null);
});
afterAll(async () => {
  await front.close();
  directory.remove();
});

const check = async (database: string, more: { readonly password?: string; readonly url?: string } = {}) => {
  const findings = await checkClickHouse({ url: front.url, username: 'huqi', password: 'secret', database, ...more });
  expect(JSON.stringify(findings)).not.toContain('secret');
  return Object.fromEntries(findings.map(({ check: name, verdict, detail }) => [name, `${verdict}: ${detail}`]));
};

async function migrated(database: string): Promise<void> {
  const warehouse = openClickHouseWarehouse({ url: front.url, database });
  await warehouse.migrate();
  await warehouse.close();
}

describe('what is said about a ClickHouse server', () => {
  it('is that all is good, and the server is left as it was', async () => {
    await migrated('healthy');
    const before = front.ran.length;
    const findings = await check('healthy');
    expect(Object.keys(findings)).toEqual([
      'server',
      'clock',
      'disk',
      'sockets',
      'database',
      'rights',
      'schema',
      'tables',
      'parts',
      'quarantine',
    ]);
    // How full the disk of this machine is does not matter here.
    for (const [name, said] of Object.entries(findings))
      if (name !== 'disk') expect([name, said]).toEqual([name, expect.stringMatching(/^good: /)]);
    expect(front.ran.slice(before).filter(({ query }) => !/^(SELECT|CHECK GRANT) /.test(query))).toEqual([]);
  });

  it('is what is not there yet', async () => {
    const findings = await check('not_there_yet');
    expect(findings['database']).toMatch(/^good: database not_there_yet is not there yet; the first start makes it/);
    expect(findings['schema']).toBeUndefined();
    await runStatements(place, 'default', 'CREATE DATABASE still_empty');
    expect((await check('still_empty'))['tables']).toMatch(/^good: no tables yet/);
  });

  it('is who does not answer, who is not let in, and who is too old', async () => {
    expect(await check('x', { url: 'http://127.0.0.1:1' })).toEqual({
      server: expect.stringMatching(/^bad: .*127\.0\.0\.1:1 cannot be reached/),
    });
    expect(await check('x', { password: 'wrong' })).toEqual({
      server: expect.stringMatching(/^bad: .*does not know the user "huqi" or its password/),
    });
    expect(await check('no-name')).toEqual({ server: expect.stringMatching(/^bad: .*is no database name/) });
    front.pretendVersion('24.3.1.1');
    expect(await check('x')).toEqual({ server: 'bad: ClickHouse is version 24.3.1.1; 24.8 or newer is needed' });
  });

  it('is which rights are missing, and that an older server does not tell', async () => {
    const asksRights = ({ query }: { readonly query: string }) => query.startsWith('CHECK GRANT');
    front.break({ fault: { kind: 'error', code: 62, name: 'SYNTAX_ERROR' }, when: asksRights });
    expect((await check('x'))['rights']).toMatch(
      /^doubtful: a server before 24\.9 does not say what "huqi" may do; it needs SELECT, INSERT/,
    );
    front.mend();
    front.replace('CHECK GRANT ALTER TABLE', 'SELECT 0 AS result --');
    expect((await check('x'))['rights']).toBe('bad: the user "huqi" may not ALTER TABLE: GRANT ALTER TABLE ON x.* TO huqi');
    front.replace('CHECK GRANT ALTER TABLE', null);
  });

  it('is which tables do not hide repeats or forget slices soon, and rows that were refused', async () => {
    await migrated('spoilt');
    await runStatements(
      place,
      'spoilt',
      'ALTER TABLE hits MODIFY SETTING non_replicated_deduplication_window = 5',
      `INSERT INTO quarantined (id, table_name) VALUES ('1', 'hits')`,
    );
    const findings = await check('spoilt');
    expect(findings['tables']).toMatch(/^doubtful: hits: slices that come again are not known for long/);
    expect(findings['quarantine']).toMatch(/^doubtful: 1 rows were refused/);
    await runStatements(place, 'spoilt', 'DROP TABLE hits', 'CREATE TABLE hits (id String) ENGINE = MergeTree ORDER BY id');
    expect((await check('spoilt'))['tables']).toMatch(/^bad: hits is MergeTree: a ReplacingMergeTree is needed/);
    await runStatements(place, 'spoilt', 'INSERT INTO schema_migrations (version) VALUES (99)');
    expect((await check('spoilt'))['schema']).toMatch(/^bad: the schema is 99, this program knows up to 3/);
  });
});
