import type { ClickHouseClient } from '@clickhouse/client';
import type { WarehouseTable } from '../../ports/warehouse-rows.js';
import { WarehouseError } from '../../ports/warehouse-error.js';
import type { WarehouseCoreOptions } from './core.js';
import { databaseName } from './database-name.js';
import { runQuery } from './read.js';
import { migrations } from './schema.js';
import { ttlStatement } from './ttl.js';

/** The oldest server: from 24.7 on a repeated insert is known again in materialized views too; 24.8 is the first with long support. */
export const serverMin = [24, 8] as const;

export function createDatabaseSql(database: string): string {
  return `CREATE DATABASE IF NOT EXISTS ${databaseName(database)}`;
}

/** Brings the database to the schema of this program, and rows to the days that they are kept. May be broken off and repeated anywhere. */
export async function migrate(client: ClickHouseClient, options: WarehouseCoreOptions): Promise<void> {
  const { database } = options.place;
  await options.createDatabase();
  await checkVersion(client, options);
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS schema_migrations (version UInt32, applied_at DateTime DEFAULT now())
      ENGINE = ReplacingMergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  });
  const applied = await runQuery<{ version: number }>(client, 'SELECT DISTINCT version FROM schema_migrations');
  const latest = migrations.at(-1)?.version ?? 0;
  const newest = Math.max(0, ...applied.map(({ version }) => version));
  if (newest > latest) {
    throw new WarehouseError(
      `warehouse: database ${database} has schema ${newest}, this program knows up to ${latest}: run the newer release`,
      'setup',
    );
  }
  for (const { version, statements } of migrations) {
    if (applied.some((row) => row.version === version)) continue;
    for (const query of statements) await client.command({ query });
    await client.command({ query: `INSERT INTO schema_migrations (version) VALUES (${version})` });
  }
  await keepDays(client, options);
}

async function checkVersion(client: ClickHouseClient, { place }: WarehouseCoreOptions): Promise<void> {
  const [row] = await runQuery<{ version: string }>(client, 'SELECT version() AS version');
  const version = row?.version ?? '';
  if (isNewEnough(version)) return;
  throw new WarehouseError(`warehouse: ${place.name} is version ${version}; ${serverMin.join('.')} or newer is needed`, 'setup');
}

export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > serverMin[0] || (major === serverMin[0] && minor >= serverMin[1]);
}

async function keepDays(client: ClickHouseClient, { ttlDays, place }: WarehouseCoreOptions): Promise<void> {
  const wanted = Object.entries(ttlDays ?? {}) as [WarehouseTable, number][];
  if (wanted.length === 0) return;
  const tables = await runQuery<{ name: string; query: string }>(
    client,
    'SELECT name, create_table_query AS query FROM system.tables WHERE database = {database:String}',
    { database: place.database },
  );
  for (const [table, days] of wanted) {
    const query = ttlStatement(table, days, tables.find(({ name }) => name === table)?.query ?? '');
    // Old rows leave in the background; nobody waits for it.
    if (query) await client.command({ query, clickhouse_settings: { mutations_sync: '0' } });
  }
}
