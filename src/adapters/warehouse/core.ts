import { Readable } from 'node:stream';
import { ClickHouseLogLevel, type ClickHouseClient } from '@clickhouse/client';
import type { Warehouse } from '../../ports/warehouse.js';
import { WarehouseError } from '../../ports/warehouse-error.js';
import { exceptionIn, told, type Place } from './faults.js';
import { migrate } from './migrate.js';
import { readLines, runQuery } from './read.js';
import { insertableTables } from './schema.js';
import type { TtlDays } from './ttl.js';

export interface WarehouseCoreOptions {
  readonly place: Place;
  /** Makes the database where it is missing, and is the database of the client's statements from then on. */
  createDatabase(): Promise<void>;
  /** How long rows are kept; left as it is where absent. */
  readonly ttlDays?: TtlDays | undefined;
  /** Settings of inserts beside the ones that they need. */
  readonly insertSettings?: Record<string, string | number>;
  /** Reads go this way; the client's way where absent. */
  readonly reader?: ClickHouseClient;
  /** Another way to insert than the client's own stream. */
  readonly insertRows?: (insertion: Insertion) => Promise<void>;
}

export interface Insertion {
  readonly table: string;
  readonly rows: Uint8Array;
  readonly settings: Record<string, string | number>;
}

/**
 * Settings of every session: integers and decimals of 64 bits come quoted, times with a zone are understood, what is inserted is
 * stored when the answer comes.
 */
export const sessionSettings = {
  async_insert: 0,
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_decimals: 1,
  date_time_input_format: 'best_effort',
  // A key holds the time that its partition is cut by, so that repeats never lie in two of them.
  do_not_merge_across_partitions_select_final: 1,
} as const;

/**
 * A slice goes in at once, as one block, and is known again by its token, in the views as well; whatever the server's profile says.
 * A repeated block still reaches the views: the try before may have failed between the table and them.
 */
const sliceSettings = {
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  materialized_views_ignore_errors: 0,
  max_insert_block_size: 1_048_449,
  min_insert_block_size_rows: 1_048_449,
  min_insert_block_size_bytes: 268_402_944,
  max_partitions_per_insert_block: 0,
  // One thread to read a slice: blocks are cut the same way every time, and other work on the machine goes on.
  input_format_parallel_parsing: 0,
  // Half a surrogate pair stays as it was written.
  input_format_json_throw_on_bad_escape_sequence: 0,
};

/** The client prints statements and what the engine says about them, data included; its errors are thrown anyway. */
export const quiet = { level: ClickHouseLogLevel.OFF } as const;

/** The warehouse port over `@clickhouse/client`, whichever connection the client has. Closing it closes the clients. */
export function createClickHouseWarehouse(client: ClickHouseClient, options: WarehouseCoreOptions): Warehouse {
  const { place, reader = client } = options;
  const insertRows = options.insertRows ?? ((insertion) => insertOverHttp(client, insertion));
  let migrated: Promise<void> | null = null;

  /** Whoever could not migrate when it started, because nobody answered, does so before its first rows. */
  function ready(): Promise<void> {
    migrated ??= migrate(client, options).catch((error: unknown) => {
      migrated = null;
      throw error;
    });
    return migrated;
  }

  return {
    migrate: () => {
      migrated = null;
      return told('migrate', place, ready);
    },

    async insert(table, rows, token) {
      if (!(insertableTables as readonly string[]).includes(table)) {
        throw new WarehouseError(
          `warehouse: there is no table "${table.slice(0, 64)}", there are ${insertableTables.join(', ')}`,
          'setup',
        );
      }
      if (rows.length === 0) return;
      await told('migrate', place, ready);
      const settings = { ...sessionSettings, ...sliceSettings, ...options.insertSettings, insert_deduplication_token: token };
      await told(`insert into ${table}`, place, () => insertRows({ table, rows, settings }));
    },

    query: <Row>(sql: string, parameters?: Record<string, unknown>) =>
      told('query', place, () => runQuery<Row>(reader, sql, parameters)),

    lines: (sql, parameters) => readLines(reader, place, sql, parameters),

    async close() {
      await client.close();
      if (reader !== client) await reader.close();
    },
  };
}

async function insertOverHttp(client: ClickHouseClient, { table, rows, settings }: Insertion): Promise<void> {
  const { stream } = await client.exec({
    query: `INSERT INTO ${table} FORMAT JSONEachRow`,
    values: Readable.from([rows], { objectMode: false }),
    clickhouse_settings: settings,
  });
  // The connection is free again only when the answer was read. It is empty, or says what went wrong after it had begun.
  const parts: Buffer[] = [];
  for await (const chunk of stream) parts.push(chunk as Buffer);
  if (parts.length === 0) return;
  const text = Buffer.concat(parts).toString('utf8');
  throw exceptionIn(text) ?? new Error(`an unexpected answer of ${text.length} characters`);
}
