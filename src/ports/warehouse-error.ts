/**
 * Why the warehouse did not do what it was asked. What it could not be asked at all is `Unavailable` (ports/unavailable.ts).
 * - `busy`: too many parts or queries, memory, disk, time: the same again later may succeed.
 * - `rows`: these rows are refused, and always will be; others are not.
 * - `setup`: the statement, the rights, a missing table: nothing succeeds until somebody has mended it.
 */
export type WarehouseFault = 'busy' | 'rows' | 'setup';

/** A statement that the warehouse refused. */
export class WarehouseError extends Error {
  /** `code` is ClickHouse's own. */
  constructor(
    message: string,
    readonly fault: WarehouseFault,
    readonly code?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'WarehouseError';
  }

  get retriable(): boolean {
    return this.fault === 'busy';
  }
}
