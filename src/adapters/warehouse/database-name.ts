import { WarehouseError } from '../../ports/warehouse-error.js';

/** The name, checked: it is the one thing that goes into statements as text. */
export function databaseName(database: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(database)) return database;
  throw new WarehouseError(
    `warehouse: "${database.slice(0, 64)}" is no database name, use letters, digits and underscores`,
    'setup',
  );
}
