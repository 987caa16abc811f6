import { dayMs } from '../domain/bank-day.js';
import { readFrame } from '../domain/frame.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { WarehouseTable } from '../ports/warehouse-rows.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { PatternStore } from './pattern-store.js';
import { verifyArchive } from './verify-archive.js';
import { verifyChains } from './verify-chains.js';
import type { VerifyProgress } from './verify-scan.js';
import { verifyScoring } from './verify-scoring.js';
import { isDifferent, type Finding } from './verify-tally.js';
import { verifyWarnings } from './verify-warnings.js';

/**
 * Recomputes from the log alone what the platform holds, by the platform's own functions, and compares. What is found to differ is
 * looked for by name and content: no mark, sequence or position that the platform goes by is taken for granted. It reads only, and
 * may run beside a platform; what the platform has not come to yet is counted as pending.
 */
export interface VerifyOptions {
  readonly log: Log;
  readonly state: State;
  /** Null leaves the archive out. */
  readonly warehouse: Warehouse | null;
  readonly patternStore: Pick<PatternStore, 'load' | 'log'>;
  readonly policy: WarningPolicy;
  readonly settings: VerifySettings;
  /** Partitions of `transactions`; all of them where left out. */
  readonly partitions?: readonly number[] | undefined;
  /** Compares what records of this stretch of `transactions` led to, and nothing else. */
  readonly from?: Instant | undefined;
  readonly to?: Instant | undefined;
  readonly clock: { now(): number };
  readonly progress?: VerifyProgress | undefined;
  /** Ends the work; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface VerifySettings {
  /** Of scoring. */
  readonly quarantinedMax: number;
  /** Of warnings. */
  readonly keepDays: number;
  /** Days after which rows may leave the archive, 0 = never. */
  readonly ttlDays?: Readonly<Partial<Record<WarehouseTable, number>>>;
  /** Things held in memory at once: some 200 MB for a million. */
  readonly heldMax?: number;
}

/** A place on every partition of the log: an offset, or when a record came in (epoch milliseconds). */
export type Instant = { readonly offset: number } | { readonly timeMs: number };

export interface VerifyReport {
  readonly verdict: 'equal' | 'different';
  readonly findings: readonly Finding[];
  /** What was left out, and why something could not be compared. */
  readonly notes: readonly string[];
}

const heldMax = 1_000_000;

export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { log, warehouse, settings, clock, signal } = options;
  const progress: VerifyProgress = (...step) => {
    signal?.throwIfAborted();
    options.progress?.(...step);
  };
  const partitions = options.partitions ?? Array.from({ length: log.partitions('transactions') }, (_, partition) => partition);
  const isNarrow = options.partitions !== undefined || options.from !== undefined || options.to !== undefined;
  const shared = { ...options, heldMax: settings.heldMax ?? heldMax, progress };
  const firstSet = await firstSetOf(options.patternStore);
  const ranges = new Map<number, { from: number; to: number }>();
  for (const partition of partitions) ranges.set(partition, await rangeOf(options, partition));

  const findings = [
    ...(await verifyChains({ ...shared, partitions })),
    ...(await verifyScoring({ ...shared, ranges, firstSet, quarantinedMax: settings.quarantinedMax })),
  ];
  if (!isNarrow) {
    findings.push(...(await verifyWarnings({ ...shared, keepDays: settings.keepDays, nowMs: clock.now() })));
    if (warehouse) {
      const keptSinceMs = (table: WarehouseTable): number => {
        const days = settings.ttlDays?.[table] ?? 0;
        return days === 0 ? -Infinity : clock.now() - days * dayMs;
      };
      findings.push(...(await verifyArchive({ ...shared, warehouse, keptSinceMs })));
    }
  }
  const notes: string[] = [];
  if (isNarrow) notes.push('warnings and archive are left out: a part of the log was asked for');
  else if (!warehouse) notes.push('the archive is left out');
  if (findings.some(({ incomparable }) => incomparable > 0))
    notes.push(
      'not comparable: records have left the log or the archive by their age, the archive has refused a row for good, or the journal no longer names the pattern set of so old a batch',
    );
  return { verdict: findings.some(isDifferent) ? 'different' : 'equal', findings, notes };
}

const changesPerPage = 500;

/**
 * The set in force before any other. Null where it came back after another one, or where the changes go back too far: what is
 * older than the kept journal was then scored under a set that nobody knows.
 */
async function firstSetOf({ log }: Pick<PatternStore, 'log'>): Promise<string | null> {
  /** Newest first, each change once. */
  const sets: string[] = [];
  for (let before: number | undefined; ;) {
    const page = await log({ before, limit: changesPerPage });
    for (const { set } of page.entries) if (set !== sets.at(-1)) sets.push(set);
    if (page.next === null) break;
    before = page.next;
  }
  const first = sets.at(-1);
  return first !== undefined && sets.indexOf(first) === sets.length - 1 ? first : null;
}

async function rangeOf({ log, from, to }: VerifyOptions, partition: number): Promise<{ from: number; to: number }> {
  const offsetOf = (instant: Instant): number | Promise<number> =>
    'offset' in instant ? instant.offset : offsetAt(log, partition, instant.timeMs);
  return { from: from ? await offsetOf(from) : 0, to: to ? await offsetOf(to) : Infinity };
}

/** The first record of a partition of `transactions` that came in at `timeMs` or later; records come in nearly in order. */
async function offsetAt(log: Log, partition: number, timeMs: number): Promise<number> {
  const { first, next } = await log.bounds('transactions', partition);
  let [low, high] = [first, next];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { records } = await log.read('transactions', partition, middle, { recordsMax: 1, bytesMax: 2 ** 26 });
    const record = records[0];
    if (!record) high = middle;
    else if (latestIn(record.value) < timeMs) low = record.offset + 1;
    else high = middle;
  }
  return low;
}

function latestIn(frame: Uint8Array): number {
  let latest = -Infinity;
  for (const { receivedAtMs } of readFrame(frame)) latest = Math.max(latest, receivedAtMs);
  return latest;
}
