import type { WarehouseTable } from '../../ports/warehouse-rows.js';

/** Days after which rows leave a table; 0 = never. A table that is left out stays as it is. */
export type TtlDays = { readonly [table in WarehouseTable]?: number };

/**
 * What the days are counted from. Profiles and lists of decades ago are news when they come in, so references count from then.
 * A warning counts from its latest transaction, so that its revisions leave with it.
 */
export const ttlColumns: Readonly<Record<WarehouseTable, string>> = {
  transactions: 'time',
  references: 'received_at',
  rejected: 'received_at',
  hits: 'time',
  warnings: 'last_time',
  deliveries: 'time',
  events: 'time',
};

/** The statement that brings a table to its days; null where it is there already. `createQuery` is the engine's own text of the table. */
export function ttlStatement(table: WarehouseTable, days: number, createQuery: string): string | null {
  const [, current] = /\) ENGINE = .*? TTL (.+?)(?: SETTINGS .*)?$/s.exec(createQuery) ?? [];
  const wanted = days > 0 ? `toDateTime(${ttlColumns[table]}) + toIntervalDay(${days})` : undefined;
  if (current === wanted) return null;
  return wanted ? `ALTER TABLE ${table} MODIFY TTL ${wanted}` : `ALTER TABLE ${table} REMOVE TTL`;
}

/**
 * Transactions: the longest window of the patterns is 400 days, which a backtest must find, and a month to spare. Profiles and lists
 * hold until they are replaced. Refusals: 网络安全法 art. 21 (3), logs of at least six months. What a warning rests on, and what came
 * of it: 刑法 art. 87 (1), the shortest limitation of prosecution is five years.
 */
export const defaultTtlDays = {
  transactions: 430,
  references: 0,
  rejected: 190,
  hits: 1830,
  warnings: 1830,
  deliveries: 1830,
  events: 1830,
} as const satisfies Required<TtlDays>;
