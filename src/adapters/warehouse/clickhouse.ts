import { createClient, type ClickHouseClient } from '@clickhouse/client';
import type { Warehouse } from '../../ports/warehouse.js';
import { WarehouseError } from '../../ports/warehouse-error.js';
import { createClickHouseWarehouse, quiet, sessionSettings } from './core.js';
import { databaseName } from './database-name.js';
import type { Place } from './faults.js';
import { createDatabaseSql } from './migrate.js';
import type { TtlDays } from './ttl.js';

export interface ClickHouseOptions {
  /** `http://[user:password@]host:port[/database]`, `https://` for TLS. */
  readonly url: string;
  /** Wins over the URL's, as does the password; `default` without a password where neither says so. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Wins over the URL's; `huqi` where neither says so. */
  readonly database?: string | undefined;
  /** PEM texts; only with `https://`. */
  readonly tls?: { readonly ca: string; readonly cert?: string | undefined; readonly key?: string | undefined } | undefined;
  /** Of what is sent and answered; default `none`: within one network the processor is dearer than the line. */
  readonly compression?: 'none' | 'gzip' | undefined;
  /** How long the server may be silent while it inserts or changes something; default 60,000. */
  readonly writeMsMax?: number | undefined;
  /** How long the server may take for an answer; default 300,000. It stops working on it then. */
  readonly readMsMax?: number | undefined;
  /** Replicas that must have a slice before it counts, on replicated tables; default 0: the one that took it. */
  readonly insertQuorum?: number | 'auto' | undefined;
  /** How long rows are kept, applied by `migrate`; left as it is where absent. */
  readonly ttlDays?: TtlDays | undefined;
}

/** The options with everything that was left out. */
export interface ClickHouseTarget {
  readonly place: Place;
  /** Without credentials and path. */
  readonly url: string;
  readonly password: string;
}

/**
 * Sockets that were idle longer than this are given up: a server closes them after 3 s (before 23.11), 10 s or 30 s, and whoever
 * writes to one at that moment does not know whether the statement ran.
 */
export const idleSocketMs = 2_000;
const defaults = { writeMsMax: 60_000, readMsMax: 300_000 } as const;

/** The warehouse on a ClickHouse server. Nothing is sent before the first call. Throws `WarehouseError` for options that cannot be. */
export function openClickHouseWarehouse(options: ClickHouseOptions): Warehouse {
  const { place } = targetOf(options);
  const { writeMsMax = defaults.writeMsMax, insertQuorum = 0, ttlDays } = options;
  return createClickHouseWarehouse(connect(options, { silentMsMax: writeMsMax }), {
    place,
    ttlDays,
    insertSettings: insertQuorum === 0 ? {} : { insert_quorum: insertQuorum, insert_quorum_timeout: writeMsMax },
    reader: connectReader(options),
    createDatabase: async () => {
      // A server refuses every statement under a database that it does not have, so this one goes under its default.
      const bare = connect(options, { silentMsMax: writeMsMax, database: 'default' });
      try {
        await bare.command({ query: createDatabaseSql(place.database) });
      } finally {
        await bare.close();
      }
    },
  });
}

export function connectReader(options: ClickHouseOptions): ClickHouseClient {
  const { readMsMax = defaults.readMsMax } = options;
  return connect(options, {
    silentMsMax: readMsMax,
    settings: { max_execution_time: Math.ceil(readMsMax / 1000), cancel_http_readonly_queries_on_client_close: 1 },
  });
}

interface ConnectOptions {
  readonly silentMsMax: number;
  readonly database?: string;
  readonly settings?: Record<string, string | number>;
}

export function connect(options: ClickHouseOptions, { silentMsMax, database, settings }: ConnectOptions): ClickHouseClient {
  const { place, url, password } = targetOf(options);
  const isPacked = options.compression === 'gzip';
  return createClient({
    url,
    username: place.user,
    password,
    database: database ?? place.database,
    application: 'huqi',
    request_timeout: silentMsMax,
    keep_alive: { enabled: true, idle_socket_ttl: idleSocketMs, eagerly_destroy_stale_sockets: true },
    compression: { request: isPacked, response: isPacked },
    // An answer begins when it is whole, so that one that breaks off is told from one that ended.
    clickhouse_settings: { ...sessionSettings, wait_end_of_query: 1, ...settings },
    log: quiet,
    ...(options.tls ? { tls: tlsOf(options.tls) } : {}),
  });
}

function tlsOf({ ca, cert, key }: NonNullable<ClickHouseOptions['tls']>) {
  const authority = { ca_cert: Buffer.from(ca) };
  return cert !== undefined && key !== undefined ? { ...authority, cert: Buffer.from(cert), key: Buffer.from(key) } : authority;
}

/** Whom the options name. The URL is never repeated: it may hold a password. */
export function targetOf({ url, username, password, database }: ClickHouseOptions): ClickHouseTarget {
  const refuse = (what: string): WarehouseError =>
    new WarehouseError(`warehouse: ${what}; write http://[user:password@]host:8123[/database]`, 'setup');
  if (!URL.canParse(url)) throw refuse('the address of ClickHouse cannot be read');
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    throw refuse(`the address of ClickHouse begins with ${parsed.protocol}// instead of http:// or https://`);
  if (parsed.search !== '' || parsed.hash !== '')
    throw refuse('the address of ClickHouse has parameters, which are settings of their own');
  const path = decodeURIComponent(parsed.pathname.slice(1));
  return {
    place: {
      name: `ClickHouse at ${parsed.host}`,
      user: username ?? (decodeURIComponent(parsed.username) || 'default'),
      database: databaseName(database ?? (path || 'huqi')),
    },
    url: parsed.origin,
    password: password ?? decodeURIComponent(parsed.password),
  };
}
