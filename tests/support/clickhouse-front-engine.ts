import { createRequire } from 'node:module';
import type { Session as ChdbSession } from 'chdb';

/** What one HTTP request asks of the engine. */
export interface Asked {
  readonly database: string;
  readonly query: string;
  /** Rows that follow the query; null where there are none. */
  readonly body: Buffer | null;
  readonly settings: Readonly<Record<string, string>>;
  /** As in the URL: in the engine's own text form. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly format: string;
}

export interface Engine {
  /** Throws the engine's message: `Code: 60. DB::Exception: …`. */
  run(asked: Asked): Promise<Buffer>;
  close(): Promise<void>;
}

const { Session, drainPending } = createRequire(import.meta.url)('chdb') as typeof import('chdb');

/** Settings that the embedded engine does not know: they belong to the HTTP server. */
const httpOnly = new Set(['wait_end_of_query', 'enable_http_compression', 'buffer_size', 'send_progress_in_http_headers']);

/**
 * The real engine on a directory, each request on a connection of its own, so that settings, parameters and what a failed statement
 * had written stay with it. On the main thread of a process, once in a process.
 */
export function openEngine(directory: string): Engine {
  // It stays open: the engine closes with its last connection.
  const keeper = new Session(directory);
  const ready = run(keeper, 'CREATE DATABASE IF NOT EXISTS default');

  return {
    async run({ database, query, body, settings, parameters, format }) {
      await ready;
      const session = new Session(directory);
      try {
        await run(session, `USE ${quoteName(database)}`);
        for (const [name, value] of Object.entries(settings))
          if (!httpOnly.has(name)) await run(session, `SET ${quoteName(name)} = ${quoteText(value)}`);
        for (const [name, value] of Object.entries(parameters))
          await run(session, `SET ${quoteName(`param_${name}`)} = ${quoteText(value)}`);
        if (body === null) return await run(session, query, format);
        const [, table] = /^INSERT INTO (\w+) FORMAT JSONEachRow\s*$/.exec(query) ?? [];
        if (table === undefined) return await run(session, `${query}\n${body.toString('utf8')}`, format);
        await session.insert({ table, values: body, format: 'JSONEachRow' });
        return Buffer.alloc(0);
      } finally {
        session.close();
      }
    },
    async close() {
      await ready;
      keeper.close();
      await drainPending();
    },
  };
}

async function run(session: ChdbSession, sql: string, format = 'TabSeparated'): Promise<Buffer> {
  return Buffer.from((await session.queryAsync(sql, { format })).bytes());
}

function quoteName(name: string): string {
  return `\`${name.replace(/[\\`]/g, (c) => `\\${c}`)}\``;
}

function quoteText(text: string): string {
  return `'${text.replace(/[\\']/g, (c) => `\\${c}`)}'`;
}
