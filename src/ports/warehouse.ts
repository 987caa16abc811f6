/**
 * The warehouse: history and analytics in ClickHouse. Embedded as chdb (the same engine in this process),
 * in a cluster over HTTP. The same SQL on both.
 *
 * Promises (each has a contract test that runs over every adapter):
 * 1. `migrate` brings an empty or older database to the current schema, and may be repeated.
 * 2. `insert` resolves only when the rows are stored; the same slice inserted again under the same token leaves one copy
 *    of each row when read with FINAL.
 * 3. 64-bit integers come back as exact strings or as numbers that are exact.
 * 4. A failed statement throws with the engine's message; the connection stays usable.
 * 5. Values are bound as parameters; text never becomes SQL.
 * 6. `lines` gives the one text column of a statement as bytes, a line a row and in the statement's order; a failed statement
 *    throws at the first read, and a reader that stops early leaves the connection usable.
 */
export interface Warehouse {
  migrate(): Promise<void>;
  /** Rows of `table` as JSONEachRow bytes (one JSON object per line). `token` names the slice for deduplication. */
  insert(table: string, rows: Uint8Array, token: string): Promise<void>;
  query<Row>(sql: string, parameters?: Record<string, unknown>): Promise<Row[]>;
  /** Chunks end anywhere, not at lines. The embedded engine holds the answer whole: ask for a slice at a time. */
  lines(sql: string, parameters?: Record<string, unknown>): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}
