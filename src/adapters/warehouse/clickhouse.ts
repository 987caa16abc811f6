import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { maskAccount } from '../../domain/privacy.js';
import type { Warehouse } from '../../ports/warehouse.js';
import { migrations, warehouseTables } from './schema.js';

/** A statement failed, or the warehouse could not be reached. `code` is ClickHouse's own, or the network's. */
export class WarehouseError extends Error {
  constructor(
    message: string,
    readonly code: string | undefined,
    readonly retriable: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'WarehouseError';
  }
}

export interface ClickHouseWarehouseOptions {
  readonly database: string;
  /** Makes the database where it is missing, and is the database of the client's statements from then on. */
  createDatabase(): Promise<void>;
  /** Settings of `lines`. */
  readonly readSettings?: Record<string, string | number>;
  /** Another way to insert than the client's own stream. */
  readonly insertRows?: (insertion: Insertion) => Promise<void>;
}

export interface Insertion {
  readonly table: string;
  readonly rows: Uint8Array;
  readonly settings: Record<string, string | number>;
}

/** Settings of every session: integers and decimals of 64 bits come quoted, times with a zone are understood. */
export const sessionSettings = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  date_time_input_format: 'best_effort',
} as const;

/** The client prints statements and what the engine says about them, data included; its errors are thrown anyway. */
export const quiet = { level: ClickHouseLogLevel.OFF } as const;

/** The warehouse port over `@clickhouse/client`, whichever connection the client has. Closing it closes the client. */
export function createClickHouseWarehouse(client: ClickHouseClient, options: ClickHouseWarehouseOptions): Warehouse {
  const insertRows = options.insertRows ?? ((insertion) => insertOverHttp(client, insertion));
  return {
    migrate: () => told('migrate', () => migrate(client, options)),

    async insert(table, rows, token) {
      if (!(warehouseTables as readonly string[]).includes(table)) {
        throw new WarehouseError(
          `warehouse: there is no table "${table.slice(0, 64)}", there are ${warehouseTables.join(', ')}`,
          undefined,
          false,
        );
      }
      if (rows.length === 0) return;
      const settings = { ...sessionSettings, insert_deduplication_token: token, max_partitions_per_insert_block: 0 };
      await told(`insert into ${table}`, () => insertRows({ table, rows, settings }));
    },

    query: <Row>(sql: string, parameters?: Record<string, unknown>) =>
      told('query', () => runQuery<Row>(client, sql, parameters)),

    lines: (sql, parameters) => readLines(client, options.readSettings ?? {}, sql, parameters),

    close: () => client.close(),
  };
}

export interface HttpOptions {
  /** Such as `http://user:password@clickhouse:8123`. */
  readonly url: string;
  readonly database?: string;
}

/** The warehouse on a ClickHouse server. Nothing is sent before the first call. */
export function openClickHouseWarehouse({ url, database = 'huqi' }: HttpOptions): Warehouse {
  const shared = { url, application: 'huqi', clickhouse_settings: sessionSettings, log: quiet };
  const client = createClient({ ...shared, database });
  return createClickHouseWarehouse(client, {
    database,
    // A server that fails in the middle of an answer writes the error into it; so it first has the whole answer.
    readSettings: { wait_end_of_query: 1 },
    createDatabase: async () => {
      // A server refuses every statement under a database that it does not have, so this one goes under its default.
      const bare = createClient({ ...shared, database: 'default' });
      try {
        await bare.command({ query: createDatabaseSql(database) });
      } finally {
        await bare.close();
      }
    },
  });
}

export function createDatabaseSql(database: string): string {
  return `CREATE DATABASE IF NOT EXISTS ${databaseName(database)}`;
}

/** The name, checked: it is the one thing that goes into statements as text. */
export function databaseName(database: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(database)) return database;
  throw new WarehouseError(
    `warehouse: "${database.slice(0, 64)}" is no database name, use letters, digits and underscores`,
    undefined,
    false,
  );
}

async function migrate(client: ClickHouseClient, options: ClickHouseWarehouseOptions): Promise<void> {
  await options.createDatabase();
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS schema_migrations (version UInt32, applied_at DateTime DEFAULT now())
      ENGINE = ReplacingMergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  });
  const applied = await runQuery<{ version: number }>(client, 'SELECT DISTINCT version FROM schema_migrations');
  const latest = migrations.at(-1)?.version ?? 0;
  const newest = Math.max(0, ...applied.map(({ version }) => version));
  if (newest > latest) {
    throw new WarehouseError(
      `warehouse: database ${options.database} has schema ${newest}, this program knows up to ${latest}: run the newer release`,
      undefined,
      false,
    );
  }
  for (const { version, statements } of migrations) {
    if (applied.some((row) => row.version === version)) continue;
    for (const query of statements) await client.command({ query });
    await client.command({ query: `INSERT INTO schema_migrations (version) VALUES (${version})` });
  }
}

async function insertOverHttp(client: ClickHouseClient, { table, rows, settings }: Insertion): Promise<void> {
  const { stream } = await client.exec({
    query: `INSERT INTO ${table} FORMAT JSONEachRow`,
    values: Readable.from([rows], { objectMode: false }),
    clickhouse_settings: settings,
  });
  // The connection is free again only when the (empty) answer was read.
  for await (const chunk of stream) void chunk;
}

interface CompactResult {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly (readonly unknown[])[];
}

async function runQuery<Row>(client: ClickHouseClient, sql: string, parameters?: Record<string, unknown>): Promise<Row[]> {
  const result = await client.query({ query: sql, format: 'JSONCompact', ...(parameters ? { query_params: parameters } : {}) });
  const { meta, data } = JSON.parse(await result.text()) as CompactResult;
  const columns = meta.map(({ name, type }) => ({ name, exact: is64Bit(type) ? toExact : undefined }));
  return data.map((values) => {
    const row: Record<string, unknown> = {};
    for (const [i, { name, exact }] of columns.entries()) row[name] = exact ? exact(values[i]) : values[i];
    return row as Row;
  });
}

/** Bytes as the engine sends them: in this format a text without line ends is a line. */
async function* readLines(
  client: ClickHouseClient,
  settings: Record<string, string | number>,
  sql: string,
  parameters?: Record<string, unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { stream } = await told('read', () =>
    client.exec({
      query: `${sql} FORMAT TSVRaw`,
      clickhouse_settings: settings,
      ...(parameters ? { query_params: parameters } : {}),
    }),
  );
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    // Turned into this program's error; a reader that stopped does not come here.
    await told('read', () => Promise.reject(error as Error));
  } finally {
    stream.destroy();
  }
}

function is64Bit(type: string): boolean {
  return /^(?:(?:Nullable|LowCardinality|Array|SimpleAggregateFunction)\((?:\w+, ?)?)*U?Int64\)*$/.test(type);
}

/** A quoted integer as a number where a number holds it exactly, else as it came. */
function toExact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toExact);
  if (typeof value !== 'string') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** ClickHouse codes after which the same statement may succeed: time-outs, too many parts or queries, memory, disk, network. */
const retriableCodes = new Set(['159', '164', '202', '203', '209', '210', '241', '242', '243', '252', '279', '425', '999']);

/** Runs a statement and gives its error this program's shape. Long digit runs are masked: the engine quotes data. */
async function told<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof WarehouseError) throw error;
    const code = codeOf(error);
    const isEngine = code !== undefined && /^\d+$/.test(code);
    const message = error instanceof Error ? error.message || String(code) : String(error);
    throw new WarehouseError(
      `warehouse: ${what}: ${message.replace(/[0-9]{9,}/g, maskAccount)}`,
      code,
      isEngine ? retriableCodes.has(code) : code !== undefined,
    );
  }
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { clickhouseCode, code } = error as { readonly clickhouseCode?: unknown; readonly code?: unknown };
  const found = clickhouseCode ?? code;
  return typeof found === 'string' || typeof found === 'number' ? `${found}` : undefined;
}
