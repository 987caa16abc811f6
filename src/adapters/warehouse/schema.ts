import { type WarehouseTable, warehouseTables } from '../../ports/warehouse-rows.js';

/** Tables that rows may be inserted into from outside. */
export const insertableTables = [...warehouseTables, 'quarantined'] as const;

export interface Migration {
  readonly version: number;
  readonly statements: readonly string[];
}

const instant = `DateTime64(3, 'Asia/Shanghai')`;
const word = 'LowCardinality(String)';
const json = 'String CODEC(ZSTD(1))';
/** A slice inserted again under its token is dropped; on disk before the insert is answered. */
const settings = 'non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1';

/** The same for tables that an operator has made replicated: a week. */
const replicatedSettings = 'replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800';

/**
 * Counts by day, for dashboards. Not kept up with the inserts but counted when asked, over the rows that are left once repeats are
 * gone: so a row counts once, however often and under whatever token it came, and a warning with its latest revision alone. (Sets of
 * ids in a materialized view would be as right, and were slower: to be read, 18 times, and every insert took twice as long.)
 */
const countedByDay = [
  countView('transactions', 'time', ['bank', 'status'], 'count() AS transactions, sum(amount_fen) AS amount_fen'),
  countView('rejected', 'received_at', ['bank', 'reason'], 'uniqExact(id) AS rejected'),
  countView('hits', 'time', ['pattern', 'state', 'severity'], 'count() AS hits'),
  countView('warnings', 'raised_at', ['region', 'level', 'status'], 'count() AS warnings'),
  countView('deliveries', 'time', ['channel', 'outcome'], 'count() AS deliveries'),
];

function countView(table: WarehouseTable, time: string, columns: readonly string[], what: string): string {
  const names = ['day', ...columns].join(', ');
  return `CREATE VIEW IF NOT EXISTS ${table}_by_day AS
    SELECT toDate(${time}) AS day, ${columns.join(', ')}, ${what} FROM ${table} FINAL GROUP BY ${names}
    SETTINGS do_not_merge_across_partitions_select_final = 1`;
}

/** Applied in order, each once. A migration that was released is never changed; a new one is added. Each may run again after a crash. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    statements: [
      `CREATE TABLE IF NOT EXISTS transactions (
        id String, bank ${word}, time ${instant}, amount_fen Int64, currency ${word}, status ${word},
        payer_account String, payee_account String, payer_name String, payee_name String,
        payer_kind ${word}, payee_kind ${word}, payer_bank ${word}, payee_bank ${word},
        payer_credit_code String, payee_credit_code String, channel ${word}, remark String,
        received_at ${instant}, raw ${json},
        INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 4,
        INDEX by_payer payer_account TYPE bloom_filter(0.01) GRANULARITY 4,
        INDEX by_payee payee_account TYPE bloom_filter(0.01) GRANULARITY 4
      ) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(time) ORDER BY (time, bank, id) SETTINGS ${settings}`,
      `CREATE TABLE IF NOT EXISTS rejected (
        id String, received_at ${instant}, bank ${word}, line Int64, reason String, field ${word}, raw ${json}
      ) ENGINE = ReplacingMergeTree ORDER BY (received_at, id) SETTINGS ${settings}`,
      `CREATE TABLE IF NOT EXISTS hits (
        id String, pattern ${word}, version UInt32, transaction String, bank ${word}, time ${instant},
        subject String, side ${word}, severity ${word}, score Float64, state ${word}, family ${word},
        amount_fen Int64, payer_account String, payee_account String, late Bool, received_at ${instant}, data ${json},
        INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 4,
        INDEX by_subject subject TYPE bloom_filter(0.01) GRANULARITY 4,
        INDEX by_transaction transaction TYPE bloom_filter(0.01) GRANULARITY 4
      ) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(time) ORDER BY (time, id) SETTINGS ${settings}`,
      `CREATE TABLE IF NOT EXISTS warnings (
        id String, revision UInt32, family ${word}, level ${word}, status ${word}, score Float64,
        subject String, enterprise String, amount_fen Int64, hit_count UInt32,
        first_time ${instant}, last_time ${instant}, raised_at ${instant}, data ${json}
      ) ENGINE = ReplacingMergeTree(revision) ORDER BY id SETTINGS ${settings}`,
      `CREATE TABLE IF NOT EXISTS deliveries (
        id String, warning String, recipient String, channel ${word}, attempt UInt32, outcome ${word}, time ${instant}, data ${json}
      ) ENGINE = ReplacingMergeTree ORDER BY (warning, id) SETTINGS ${settings}`,
      `CREATE TABLE IF NOT EXISTS events (
        id String, type ${word}, subject String, time ${instant}, data ${json}
      ) ENGINE = ReplacingMergeTree ORDER BY (type, time, id) SETTINGS ${settings}`,
    ],
  },
  {
    version: 2,
    statements: [
      // Not by month: a register's dates go back over decades.
      `CREATE TABLE IF NOT EXISTS references (
        id String, bank ${word}, type ${word}, account String, time ${instant}, received_at ${instant}, body ${json},
        INDEX by_account account TYPE bloom_filter(0.01) GRANULARITY 4
      ) ENGINE = ReplacingMergeTree ORDER BY (type, time, bank, id) SETTINGS ${settings}`,
    ],
  },
  {
    version: 3,
    statements: [
      ...warehouseTables.map((table) => `ALTER TABLE ${table} MODIFY SETTING ${replicatedSettings}`),
      // Whole months leave at once instead of being written anew.
      ...['transactions', 'hits'].map((table) => `ALTER TABLE ${table} MODIFY SETTING ttl_only_drop_parts = 1`),
      `CREATE TABLE IF NOT EXISTS quarantined (
        id String, table_name ${word}, code ${word}, reason String, row ${json}, refused_at ${instant} DEFAULT now64(3)
      ) ENGINE = ReplacingMergeTree ORDER BY (table_name, id) SETTINGS ${settings}, ${replicatedSettings}`,
      `ALTER TABLE warnings ADD COLUMN IF NOT EXISTS
        region ${word} MATERIALIZED JSONExtractString(data, 'subject', 'region') AFTER enterprise`,
      ...countedByDay,
    ],
  },
];
