/**
 * The rows that go into the warehouse's tables, one JSON object per line (JSONEachRow).
 * Times are ISO 8601 with a zone (`formatShanghai`), and come back as `YYYY-MM-DD hh:mm:ss.SSS` in Asia/Shanghai.
 * Money is an integer of fen. `raw`, `data` and `body` hold the whole record as JSON text. Fields left out are stored empty.
 * A table keeps one row per id (and time, where it is stored by time), the last one written: read it with FINAL.
 */

export interface TransactionRow {
  readonly id: string;
  readonly bank: string;
  readonly time: string;
  readonly amount_fen: number;
  readonly currency: string;
  readonly status: string;
  readonly payer_account: string;
  readonly payee_account: string;
  readonly payer_name?: string | undefined;
  readonly payee_name?: string | undefined;
  readonly payer_kind?: string | undefined;
  readonly payee_kind?: string | undefined;
  readonly payer_bank?: string | undefined;
  readonly payee_bank?: string | undefined;
  readonly payer_credit_code?: string | undefined;
  readonly payee_credit_code?: string | undefined;
  readonly channel?: string | undefined;
  readonly remark?: string | undefined;
  readonly received_at: string;
  readonly raw: string;
}

export interface ReferenceRow {
  readonly id: string;
  readonly bank?: string | undefined;
  readonly type: string;
  /** Empty where it is about no account. */
  readonly account?: string | undefined;
  readonly time: string;
  readonly received_at: string;
  readonly body: string;
}

export interface RejectedRow {
  readonly id: string;
  readonly received_at: string;
  readonly bank?: string | undefined;
  readonly line: number;
  readonly reason: string;
  readonly field?: string | undefined;
  readonly raw: string;
}

export interface HitRow {
  readonly id: string;
  readonly pattern: string;
  readonly version: number;
  readonly transaction: string;
  readonly bank?: string | undefined;
  readonly time: string;
  readonly subject: string;
  readonly side: string;
  readonly severity: string;
  readonly score: number;
  readonly state: string;
  readonly family: string;
  readonly amount_fen: number;
  readonly payer_account: string;
  readonly payee_account: string;
  readonly late: boolean;
  readonly received_at: string;
  readonly data: string;
}

/** The row with the highest revision of an id wins. */
export interface WarningRow {
  readonly id: string;
  readonly revision: number;
  readonly family: string;
  readonly level: string;
  readonly status: string;
  readonly score: number;
  readonly subject: string;
  readonly enterprise?: string | undefined;
  readonly amount_fen: number;
  readonly hit_count: number;
  readonly first_time: string;
  readonly last_time: string;
  readonly raised_at: string;
  readonly data: string;
}

export interface DeliveryRow {
  readonly id: string;
  readonly warning: string;
  readonly recipient: string;
  readonly channel: string;
  readonly attempt: number;
  readonly outcome: string;
  readonly time: string;
  readonly data: string;
}

/** Commands, controls and every other event of the log. */
export interface EventRow {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly data: string;
}

/** A row that its table refuses for good, kept in the table `quarantined`, beside `refused_at`. */
export interface QuarantinedRow {
  readonly id: string;
  readonly table_name: string;
  /** ClickHouse's own. */
  readonly code: string;
  readonly reason: string;
  /** The row as it was sent. */
  readonly row: string;
}

export interface WarehouseRows {
  readonly transactions: TransactionRow;
  readonly references: ReferenceRow;
  readonly rejected: RejectedRow;
  readonly hits: HitRow;
  readonly warnings: WarningRow;
  readonly deliveries: DeliveryRow;
  readonly events: EventRow;
}
export type WarehouseTable = keyof WarehouseRows;

export const warehouseTables = [
  'transactions',
  'references',
  'rejected',
  'hits',
  'warnings',
  'deliveries',
  'events',
] as const satisfies WarehouseTable[];
