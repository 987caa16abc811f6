import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openChdbWarehouse } from '../../src/adapters/warehouse/chdb.js';
import { readFrame, role } from '../../src/domain/frame.js';
import { hitSchema, type Hit } from '../../src/domain/hit.js';
import { warningSchema, type Warning } from '../../src/domain/warning.js';
import type { Log } from '../../src/ports/log.js';
import { loadSettings } from '../../src/settings.js';
import { eventsOn, hitsOn, openEmbedded, valuesOn } from './embedded.js';

/**
 * Reads what a stopped platform has in its data directory, in a process of its own: a process has one chdb directory.
 * Arguments: data directory, file to write a `PlatformContents` to.
 */
export interface PlatformContents {
  /** Distinct ids of transactions on the log. */
  readonly transactions: number;
  /** By id, in the order of ids, without what depends on the clock. A hit that came twice with other words throws. */
  readonly hits: Readonly<Record<string, Hit>>;
  /** The latest revision by id, without what depends on the clock. */
  readonly warnings: Readonly<Record<string, unknown>>;
  readonly warehouse: Readonly<Record<'transactions' | 'hits' | 'warnings', Difference>>;
}

/** How a table differs from the log. */
export interface Difference {
  readonly rows: number;
  readonly missing: readonly string[];
  readonly unknown: readonly string[];
  readonly twice: readonly string[];
}

const [directory = '', out = ''] = process.argv.slice(2);
const settings = loadSettings({ env: {}, overrides: { dataDir: directory } });
const parts = openEmbedded(directory, settings.log.partitions);
const warehouse = await openChdbWarehouse({ directory: join(directory, 'warehouse') });
await warehouse.migrate();

const transactions = await transactionIds(parts.log);
const hits = await hitsById(parts.log);
const warnings = await warningsById(parts.log);
const contents: PlatformContents = {
  transactions: transactions.size,
  hits: sorted(hits),
  warnings: sorted(new Map([...warnings].map(([id, warning]) => [id, withoutClock(warning)]))),
  warehouse: {
    transactions: await difference('transactions', transactions),
    hits: await difference('hits', new Set(hits.keys())),
    warnings: await difference('warnings', new Set(warnings.keys())),
  },
};
writeFileSync(out, JSON.stringify(contents));
await warehouse.close();
await parts.close();

async function transactionIds(log: Log): Promise<Set<string>> {
  const ids = new Set<string>();
  for (let partition = 0; partition < log.partitions('transactions'); partition++) {
    for (const value of await valuesOn(log, 'transactions', partition)) {
      for (const { roles, start, end } of readFrame(value)) {
        if (roles >= role.forward) continue;
        ids.add((JSON.parse(Buffer.from(value.subarray(start, end)).toString()) as { id: string }).id);
      }
    }
  }
  return ids;
}

async function hitsById(log: Log): Promise<Map<string, Hit>> {
  const found = new Map<string, Hit>();
  for (const { data } of await hitsOn(log)) {
    const hit = { ...hitSchema.parse(data), receivedAtMs: 0 };
    const before = found.get(hit.id);
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(hit)) throw new Error(`hit ${hit.id} has two contents`);
    found.set(hit.id, hit);
  }
  return found;
}

async function warningsById(log: Log): Promise<Map<string, Warning>> {
  const latest = new Map<string, Warning>();
  for (const { data } of await eventsOn(log, 'warnings')) {
    const warning = warningSchema.parse(data);
    if (warning.revision >= (latest.get(warning.id)?.revision ?? 0)) latest.set(warning.id, warning);
  }
  return latest;
}

function withoutClock({ revision: _r, receivedAt: _a, raisedAt: _b, dueAt: _c, ...lasting }: Warning): unknown {
  return lasting;
}

async function difference(table: string, ids: ReadonlySet<string>): Promise<Difference> {
  const rows = await warehouse.query<{ id: string; n: number | string }>(
    `SELECT id, count() AS n FROM ${table} FINAL GROUP BY id`,
  );
  const stored = new Set(rows.map(({ id }) => id));
  return {
    rows: rows.length,
    missing: [...ids].filter((id) => !stored.has(id)).slice(0, 20),
    unknown: [...stored].filter((id) => !ids.has(id)).slice(0, 20),
    twice: rows
      .filter(({ n }) => Number(n) !== 1)
      .map(({ id }) => id)
      .slice(0, 20),
  };
}

function sorted<A>(values: ReadonlyMap<string, A>): Record<string, A> {
  return Object.fromEntries([...values].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
