import { text } from 'node:stream/consumers';
import type { ClickHouseClient } from '@clickhouse/client';
import { WarehouseError } from '../../ports/warehouse-error.js';
import { connect, connectReader, idleSocketMs, targetOf, type ClickHouseOptions } from './clickhouse.js';
import { told } from './faults.js';
import { isNewEnough, serverMin } from './migrate.js';
import { runQuery } from './read.js';
import { insertableTables, migrations } from './schema.js';

export interface ClickHouseFinding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

type Finding = Omit<ClickHouseFinding, 'check'>;
const good = (detail: string): Finding => ({ verdict: 'good', detail });
const doubtful = (detail: string): Finding => ({ verdict: 'doubtful', detail });
const bad = (detail: string): Finding => ({ verdict: 'bad', detail });

/** Free space below which the archive comes to a halt soon. */
const freeShareMin = 0.1;
/** Whoever is further off sees rows expire, and days begin, at another time. Machines that NTP sets are milliseconds apart. */
const clockMsMax = 2_000;
/** Slices must be known again after this: an outage over a weekend. */
const windowSecondsMin = 3 * 86_400;
const windowBlocksMin = 1_000;
const answerMsMax = 10_000;

interface Looking {
  readonly database: string;
  readonly user: string;
  readonly ask: <Row>(sql: string, parameters?: Record<string, unknown>) => Promise<Row[]>;
  /** The answer as text, of a statement that takes no format. */
  readonly say: (sql: string) => Promise<string>;
}

/** Looks at a ClickHouse server without changing anything. Of one that does not answer, or is too old, nothing more is said. Never throws. */
export async function checkClickHouse(options: ClickHouseOptions): Promise<ClickHouseFinding[]> {
  const findings: ClickHouseFinding[] = [];
  const clients: ClickHouseClient[] = [];
  const look = async (check: string, work: () => Promise<Finding>): Promise<boolean> => {
    const finding = await work().catch((error: unknown) => bad(error instanceof Error ? error.message : String(error)));
    findings.push({ check, ...finding });
    return finding.verdict !== 'bad';
  };

  try {
    const looking = (database?: string): Looking => {
      const { place } = targetOf(options);
      const asked = { ...options, readMsMax: answerMsMax };
      const client = database === undefined ? connectReader(asked) : connect(asked, { silentMsMax: answerMsMax, database });
      clients.push(client);
      const ask: Looking['ask'] = (sql, parameters) => told('check', place, () => runQuery(client, sql, parameters));
      const say: Looking['say'] = (sql) => told('check', place, async () => text((await client.exec({ query: sql })).stream));
      return { database: place.database, user: place.user, ask, say };
    };
    const bare = await Promise.resolve().then(() => looking('default'));
    if (!(await look('server', () => serverOf(bare)))) return findings;
    await look('clock', () => clockOf(bare));
    await look('disk', () => diskOf(bare));
    await look('sockets', () => socketsOf(bare));
    let isThere = false;
    await look('database', async () => {
      const { finding, found } = await databaseOf(bare);
      isThere = found;
      return finding;
    });
    await look('rights', () => rightsOf(bare, isThere));
    if (!isThere) return findings;
    const inside = looking();
    await look('schema', () => schemaOf(inside));
    await look('tables', () => tablesOf(inside));
    await look('parts', () => partsOf(inside));
    await look('quarantine', () => quarantineOf(inside));
  } catch (error) {
    findings.push({ check: 'server', ...bad(error instanceof Error ? error.message : String(error)) });
  } finally {
    for (const client of clients) await client.close().catch(() => undefined);
  }
  return findings;
}

async function serverOf({ ask }: Looking): Promise<Finding> {
  const [row] = await ask<{ version: string }>('SELECT version() AS version');
  const version = row?.version ?? '';
  return isNewEnough(version)
    ? good(`ClickHouse ${version} answers`)
    : bad(`ClickHouse is version ${version}; ${serverMin.join('.')} or newer is needed`);
}

async function clockOf({ ask }: Looking): Promise<Finding> {
  const beforeMs = Date.now();
  const [row] = await ask<{ ms: number }>('SELECT toUnixTimestamp64Milli(now64(3)) AS ms');
  const halfMs = (Date.now() - beforeMs) / 2;
  const offMs = Math.abs((row?.ms ?? 0) - (beforeMs + halfMs));
  // When it was answered lies somewhere between the two.
  return offMs <= clockMsMax + halfMs
    ? good('the clock of the server agrees with this one')
    : doubtful(`the clocks of the server and of this machine are ${Math.round(offMs / 1000)} s apart; set both by NTP`);
}

async function diskOf({ ask }: Looking): Promise<Finding> {
  const disks = await ask<{ name: string; free: number | string; total: number | string }>(
    'SELECT name, free_space AS free, total_space AS total FROM system.disks WHERE total_space > 0',
  );
  const full = disks.filter(({ free, total }) => Number(free) / Number(total) < freeShareMin);
  const said = disks.map(({ name, free }) => `${name} ${Math.floor(Number(free) / 1e9)} GB free`).join(', ');
  return full.length === 0 ? good(said || 'no disk tells how full it is') : doubtful(`less than a tenth is free: ${said}`);
}

async function socketsOf({ ask }: Looking): Promise<Finding> {
  const [row] = await ask<{ seconds: string }>(
    `SELECT value AS seconds FROM system.server_settings WHERE name = 'keep_alive_timeout'`,
  );
  const seconds = Number(row?.seconds ?? Number.NaN);
  return seconds * 1000 <= idleSocketMs
    ? doubtful(
        `the server closes idle connections after ${seconds} s, this program after ${idleSocketMs / 1000} s: set keep_alive_timeout to 10`,
      )
    : good('idle connections are given up before the server closes them');
}

async function databaseOf({ ask, database }: Looking): Promise<{ finding: Finding; found: boolean }> {
  const [row] = await ask<{ engine: string }>('SELECT engine FROM system.databases WHERE name = {database:String}', { database });
  return row
    ? { finding: good(`database ${database} is there (${row.engine})`), found: true }
    : { finding: good(`database ${database} is not there yet; the first start makes it`), found: false };
}

const syntaxError = '62';
const rightsNeeded = ['SELECT', 'INSERT', 'CREATE TABLE', 'CREATE VIEW', 'ALTER TABLE'];

async function rightsOf({ ask, say, database, user }: Looking, isThere: boolean): Promise<Finding> {
  const [mode] = await ask<{ readonly: string }>(`SELECT value AS readonly FROM system.settings WHERE name = 'readonly'`);
  if (mode && mode.readonly !== '0')
    return bad(`the user "${user}" may only read (readonly = ${mode.readonly}); it needs readonly = 0`);
  const needed = isThere ? rightsNeeded : [...rightsNeeded, 'CREATE DATABASE'];
  const missing: string[] = [];
  for (const right of needed) {
    const answer = await say(`CHECK GRANT ${right} ON ${database}.*`).catch((error: unknown) => {
      if (error instanceof WarehouseError && error.code === syntaxError) return null;
      throw error;
    });
    if (answer === null)
      return doubtful(`a server before 24.9 does not say what "${user}" may do; it needs ${needed.join(', ')}`);
    if (answer.trim() !== '1') missing.push(right);
  }
  return missing.length === 0
    ? good(`the user "${user}" may do what is needed`)
    : bad(`the user "${user}" may not ${missing.join(', ')}: GRANT ${missing.join(', ')} ON ${database}.* TO ${user}`);
}

async function schemaOf({ ask, database }: Looking): Promise<Finding> {
  const [there] = await ask<{ tables: number }>(
    `SELECT count() AS tables FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'`,
    { database },
  );
  if (!there?.tables) return good('no tables yet; the first start makes them');
  const [row] = await ask<{ version: number }>('SELECT max(version) AS version FROM schema_migrations');
  const [version, latest] = [row?.version ?? 0, migrations.at(-1)?.version ?? 0];
  if (version > latest) return bad(`the schema is ${version}, this program knows up to ${latest}: run the newer release`);
  return good(
    version === latest ? `the schema is ${version}` : `the schema is ${version}; the next start brings it to ${latest}`,
  );
}

interface TableRow {
  readonly name: string;
  readonly engine: string;
  readonly plainWindow: string;
  readonly window: string;
  readonly windowSeconds: string;
}

async function tablesOf({ ask, database }: Looking): Promise<Finding> {
  const setting = (name: string) => `extract(engine_full, '[ ,]${name} = (\\\\d+)')`;
  const tables = await ask<TableRow>(
    `SELECT name, engine, ${setting('non_replicated_deduplication_window')} AS plainWindow,
       ${setting('replicated_deduplication_window')} AS window, ${setting('replicated_deduplication_window_seconds')} AS windowSeconds
     FROM system.tables WHERE database = {database:String} AND has({tables:Array(String)}, name) ORDER BY name`,
    { database, tables: [...insertableTables] },
  );
  if (tables.length === 0) return good('no tables yet; the first start makes them');
  const isReplicated = ({ engine }: TableRow): boolean => /^(Replicated|Shared)/.test(engine);
  const wrong = tables.filter(({ engine }) => !engine.endsWith('ReplacingMergeTree'));
  if (wrong.length > 0)
    return bad(
      `${wrong.map(({ name, engine }) => `${name} is ${engine}`).join(', ')}: a ReplacingMergeTree is needed, which hides repeats`,
    );
  const narrow = tables.filter((table) =>
    isReplicated(table)
      ? Number(table.window) < windowBlocksMin || Number(table.windowSeconds) < windowSecondsMin
      : Number(table.plainWindow) < windowBlocksMin,
  );
  const kinds = tables.every(isReplicated) ? 'replicated' : tables.some(isReplicated) ? 'partly replicated' : 'not replicated';
  if (kinds === 'partly replicated')
    return doubtful(
      `only ${tables
        .filter(isReplicated)
        .map(({ name }) => name)
        .join(', ')} are replicated`,
    );
  return narrow.length === 0
    ? good(`${tables.length} tables, ${kinds}; slices that come again are known again`)
    : doubtful(
        `${narrow.map(({ name }) => name).join(', ')}: slices that come again are not known for long; set the deduplication windows`,
      );
}

async function partsOf({ ask, database }: Looking): Promise<Finding> {
  const [limit] = await ask<{ limit: string }>(
    `SELECT value AS limit FROM system.merge_tree_settings WHERE name = 'parts_to_delay_insert'`,
  );
  const [most] = await ask<{ table: string; parts: number }>(
    `SELECT table, count() AS parts FROM system.parts WHERE active AND database = {database:String}
     GROUP BY table, partition_id ORDER BY parts DESC LIMIT 1`,
    { database },
  );
  if (!most) return good('no rows yet');
  return most.parts < Number(limit?.limit ?? Number.POSITIVE_INFINITY)
    ? good(`at most ${most.parts} parts in a partition`)
    : doubtful(
        `${most.table} has ${most.parts} parts in a partition, inserts are being slowed down: merges do not keep up, look at its disk`,
      );
}

async function quarantineOf({ ask, database }: Looking): Promise<Finding> {
  const [there] = await ask<{ tables: number }>(
    `SELECT count() AS tables FROM system.tables WHERE database = {database:String} AND name = 'quarantined'`,
    { database },
  );
  const [row] = there?.tables ? await ask<{ rows: number }>('SELECT count() AS rows FROM quarantined FINAL') : [];
  return row?.rows
    ? doubtful(`${row.rows} rows were refused by their table for good; SELECT * FROM ${database}.quarantined shows why`)
    : good('no row was refused by its table');
}
