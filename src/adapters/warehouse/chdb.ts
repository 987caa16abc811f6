import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import type { Warehouse } from '../../ports/warehouse.js';
import { prepareDirectory } from '../data-directory.js';
import { createClickHouseWarehouse, quiet, sessionSettings } from './core.js';
import { databaseName } from './database-name.js';
import { createThreadYielder, engineNiceness } from './engine-threads.js';
import { createDatabaseSql } from './migrate.js';
import type { TtlDays } from './ttl.js';

/** The embedded warehouse cannot be had here. One sentence that says why and what to do. */
export class WarehouseUnavailable extends Error {
  readonly retriable = false;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'WarehouseUnavailable';
  }
}

export interface ChdbOptions {
  /** One directory belongs to one process, and a process has one directory. */
  readonly directory: string;
  readonly database?: string;
  /** How long rows are kept, applied by `migrate`; left as it is where absent. */
  readonly ttlDays?: TtlDays;
}

/**
 * The warehouse in this process: the ClickHouse engine as a library, behind the same client as a server.
 * Two connections, because the engine runs the statements of one connection one after the other: a long query would hold up
 * the archive. Statements run on other threads. Must be opened on the main thread.
 * Throws `WarehouseUnavailable`, and `DataDirectoryError` where the directory cannot be made.
 */
export async function openChdbWarehouse({ directory, database = 'huqi', ttlDays }: ChdbOptions): Promise<Warehouse> {
  databaseName(database);
  const engine = await loadEngine();
  const reader = connect(engine, directory);
  const writer = connect(engine, directory);
  const client = clientOver(reader);
  const writerClient = clientOver(writer);
  const prepareSession = async (session: ClickHouseClient) => {
    await session.command({ query: `USE ${database}` });
    // The engine keeps what is SET for the rest of the connection.
    for (const [name, value] of Object.entries(sessionSettings)) await session.command({ query: `SET ${name} = '${value}'` });
  };
  const prepare = async () => {
    await client.command({ query: createDatabaseSql(database) });
    for (const each of [client, writerClient]) await prepareSession(each);
  };
  await prepare();
  const niceness = engineNiceness();
  const yieldThreads = createThreadYielder(niceness);
  const place = { name: 'the embedded engine', user: 'default', database };
  const warehouse = createClickHouseWarehouse(client, {
    place,
    ttlDays,
    createDatabase: prepare,
    // The archive shares the processor with whoever warns, and nobody waits for it.
    insertSettings: { max_threads: 1, max_insert_threads: 1, os_threads_nice_value_query: niceness },
    insertRows: async ({ table, rows, settings }) => {
      yieldThreads();
      // The client's own way turns the bytes into text on this thread first.
      await writer.chdb.rawInsert({ table, values: rows, format: 'JSONEachRow', settings });
    },
  });
  return {
    ...warehouse,
    // What a statement had written before it failed comes out of the next one on its connection. So something is asked whose
    // answer nobody reads; and long reads, which may also be left early, have a connection of their own each.
    async query<Row>(sql: string, parameters?: Record<string, unknown>) {
      try {
        return await warehouse.query<Row>(sql, parameters);
      } catch (error) {
        await client.command({ query: 'SELECT 1' }).catch(() => undefined);
        throw error;
      }
    },
    async *lines(sql, parameters) {
      const session = clientOver(connect(engine, directory));
      try {
        await prepareSession(session);
        yield* createClickHouseWarehouse(session, { place, createDatabase: prepare }).lines(sql, parameters);
      } finally {
        await session.close();
      }
    },
    close: async () => {
      await Promise.all([warehouse.close(), writerClient.close()]);
      await engine.drainPending();
    },
  };
}

interface Engine {
  readonly createChdbConnection: typeof import('chdb/connection').createChdbConnection;
  readonly drainPending: typeof import('chdb').drainPending;
}
type Connection = ReturnType<Engine['createChdbConnection']>;

async function loadEngine(): Promise<Engine> {
  try {
    const [{ createChdbConnection }, { drainPending }] = await Promise.all([import('chdb/connection'), import('chdb')]);
    return { createChdbConnection, drainPending };
  } catch (cause) {
    throw new WarehouseUnavailable(
      'The embedded ClickHouse engine (chdb) is not installed here: use Linux (glibc) or macOS on x64 or arm64, or set HUQI_CLICKHOUSE_URL to a ClickHouse server.',
      { cause },
    );
  }
}

function connect(engine: Engine, directory: string): Connection {
  prepareDirectory(directory);
  try {
    return engine.createChdbConnection({ path: directory });
  } catch (cause) {
    throw new WarehouseUnavailable(
      `The warehouse directory ${directory} cannot be opened: ${holderOf(directory)}. Stop that process, or set HUQI_DATA_DIR to another directory.`,
      { cause },
    );
  }
}

/** The engine writes its pid into the directory; it says nothing more than "failed" itself. */
function holderOf(directory: string): string {
  try {
    const [, pid] = /PID: (\d+)/.exec(readFileSync(join(directory, 'status'), 'utf8')) ?? [];
    return pid ? `process ${pid} uses it` : 'another process uses it or it cannot be written';
  } catch {
    return 'another process uses it or it cannot be written';
  }
}

function clientOver(connection: Connection): ClickHouseClient {
  // The engine's package is typed against its own copy of the client's types.
  return createClient({ connection: connection as never, log: quiet });
}

/** Version of the engine that is installed. Throws `WarehouseUnavailable`. */
export async function embeddedEngineVersion(): Promise<string> {
  await loadEngine();
  const { query } = await import('chdb');
  return query('SELECT version()', 'TabSeparated').trim();
}
