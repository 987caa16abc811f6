import type { Readiness, StatusSummary } from '../domain/status.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { isFresh } from './fresh.js';
import { within } from './within.js';

/**
 * What the platform has done so far, counted in the warehouse, so that it is the same after every restart, and how fast it
 * did it, from the latest warnings of this process.
 */
export interface Status {
  /**
   * Counted at most every `cacheMs`, less often where counting is slow; `countedAt` says when. Throws the warehouse's error where
   * nothing was counted yet.
   */
  summary(): Promise<StatusSummary>;
  /** Counted now, whatever that costs. */
  fresh(): Promise<StatusSummary>;
  readiness(): Promise<Readiness>;
  /** What is wrong as far as this process knows without asking anybody; it goes on all the same. */
  health(): readonly string[];
}

/** A consumer of this process as readiness looks at it. */
export interface WatchedConsumer {
  readonly name: string;
  readonly done: Promise<void>;
  lag(): Promise<number>;
  /** Null while it joins its group. */
  owned(): readonly { readonly isOpen: boolean }[] | null;
}

export interface StatusOptions {
  readonly warehouse: Warehouse;
  readonly telemetry: Telemetry;
  readonly clock: { now(): number };
  readonly settings: { readonly cacheMs: number };
  readonly consumers: readonly WatchedConsumer[];
  /** The state answers; rejects where it does not. */
  readonly reachState: () => Promise<unknown>;
  /** Whether this process needs the warehouse. */
  readonly usesWarehouse: boolean;
  /** Over all processes: records that are not archived, deliveries not settled, records of `transactions` not scored yet. */
  readonly archiveLag: () => Promise<number>;
  readonly deliveriesPending: () => Promise<number>;
  readonly scoreLag: () => Promise<number>;
  /** Whether what this process has scored tells how far scoring is behind what it has accepted. */
  readonly scoresHere: boolean;
  readonly patternSet?: () => Promise<string | undefined>;
  /** What has been decided on the patterns. */
  readonly patterns?: () => Promise<Pick<StatusSummary, 'patternSetPending' | 'patternsTakenBack'>>;
}

/** A count that took a while is not made again before ten times as long has passed. */
const restFactor = 10;
const restMsMax = 60_000;
/** Counts older than this many times `cacheMs` are not given while new ones are being made … */
const agedFactor = 3;
/** … unless these take longer than this. */
const freshWaitMsMax = 5_000;
/** A store that is away may hold an answer back for long: readiness waits no longer than this. */
const probeMsMax = 2_000;
/** More records behind than this: the warnings come too late to be called ready. */
const lagReadyMax = 10_000;

export function createStatus(options: StatusOptions): Status {
  const { warehouse, telemetry, clock, settings } = options;
  const startedMs = clock.now();
  const stopped = watchStops(options.consumers);
  let counts: DatedCounts | null = null;
  /** When the last count ended, and how long it is good enough. */
  let fresh = { sinceMs: Number.NEGATIVE_INFINITY, ms: 0 };
  let counting: Promise<DatedCounts> | null = null;
  let warehouseProblem: string | null = null;

  async function current(): Promise<DatedCounts> {
    if (counts && isFresh(clock.now(), fresh.sinceMs, fresh.ms)) return counts;
    counting ??= recount().finally(() => {
      counting = null;
    });
    if (!counts) return counting;
    // Amid polls the last count is good enough; after a silence it may be of any age.
    const isAged = !isFresh(clock.now(), counts.atMs, agedFactor * settings.cacheMs);
    return isAged ? orAfter(freshWaitMsMax, counting, counts) : counts;
  }

  async function recount(): Promise<DatedCounts> {
    const beganMs = clock.now();
    try {
      counts = { atMs: beganMs, ...(await countAll(warehouse)) };
      warehouseProblem = null;
      return counts;
    } catch (error) {
      warehouseProblem = 'the warehouse does not answer; warnings go on, the archive catches up later';
      if (counts) return counts;
      throw error;
    } finally {
      const tookMs = clock.now() - beganMs;
      fresh = { sinceMs: clock.now(), ms: Math.max(settings.cacheMs, Math.min(tookMs * restFactor, restMsMax)) };
    }
  }

  async function summary(): Promise<StatusSummary> {
    const [found, scoreLag, archiveLag, pending] = await Promise.all([
      current(),
      options.scoreLag(),
      options.archiveLag(),
      options.deliveriesPending(),
    ]);
    const { duplicates, accepted, scored } = telemetry.totals();
    // A record on the log holds at least one transaction.
    const behind = scoreLag > 0 ? Math.max(options.scoresHere ? accepted - scored : scoreLag, 0) : 0;
    const { p50Ms, p99Ms } = telemetry.warningLatency();
    const patternSet = await options.patternSet?.();
    const patterns = await options.patterns?.();
    return {
      startedAt: new Date(startedMs).toISOString(),
      countedAt: new Date(found.atMs).toISOString(),
      ...(patternSet === undefined ? {} : { patternSet }),
      ...patterns,
      transactions: {
        accepted: found.transactions,
        duplicates,
        conflicts: found.rejected['conflict'] ?? 0,
        scored: Math.max(found.transactions - behind, 0),
      },
      references: { accepted: found.references },
      rejected: { total: total(found.rejected), byReason: found.rejected },
      hits: {
        total: total(found.hits),
        byPattern: found.hits,
        shadows: { total: total(found.shadows), byPattern: found.shadows },
      },
      warnings: {
        total: total(found.levels),
        open: found.open,
        byLevel: { red: 0, orange: 0, yellow: 0, blue: 0, ...found.levels },
      },
      deliveries: {
        delivered: found.deliveries['delivered'] ?? 0,
        acknowledged: found.acknowledged,
        pending,
        refused: found.deliveries['refused'] ?? 0,
        exhausted: found.deliveries['exhausted'] ?? 0,
        cancelled: found.deliveries['cancelled'] ?? 0,
        retries: found.deliveries['retried'] ?? 0,
      },
      latencyMs: { p50: p50Ms, p99: p99Ms },
      archiveLag,
    };
  }

  const setProblems = (): string[] =>
    telemetry
      .setsUnloadable()
      .map((id) => `patterns: the set ${id} cannot be loaded here, the one before stays in force; see the log`);

  return {
    summary,
    async fresh() {
      await counting?.catch(() => undefined);
      counts = null;
      return summary();
    },

    async readiness() {
      const problems: string[] = [];
      await Promise.all(
        options.consumers.map(async (consumer) => {
          const opening = openingProblem(consumer);
          if (opening) problems.push(opening);
          const records = await within(probeMsMax, consumer.lag()).catch(() => null);
          if (records === null) problems.push(`${consumer.name}: the log does not answer`);
          else if (records > lagReadyMax) problems.push(`${consumer.name}: ${records} records behind`);
        }),
      );
      await within(probeMsMax, options.reachState()).catch(() => problems.push('the state does not answer'));
      problems.push(...stopped);
      if (options.usesWarehouse) {
        await within(probeMsMax, current()).catch(() => undefined);
        if (warehouseProblem) problems.push(warehouseProblem);
      }
      for (const slice of telemetry.failingSlices())
        problems.push(`archive: ${slice} is not taken by the warehouse, it is tried again`);
      // It goes on under the set before: a trouble to be shown, and no reason to take its traffic away.
      return { ready: problems.length === 0, problems: [...problems, ...setProblems()] };
    },

    health: () => [
      ...options.consumers.flatMap((consumer) => openingProblem(consumer) ?? []),
      ...stopped,
      ...setProblems(),
      ...telemetry.stateAway().map((server) => `the state on ${server} is in trouble`),
      ...telemetry.failingSlices().map((slice) => `archive: ${slice} is not taken by the warehouse, it is tried again`),
    ],
  };
}

function openingProblem(consumer: WatchedConsumer): string | null {
  const { name } = consumer;
  const partitions = consumer.owned();
  if (partitions === null) return `${name}: is joining its group`;
  const closed = partitions.filter(({ isOpen }) => !isOpen).length;
  return closed === 0 ? null : `${name}: ${closed} of its ${partitions.length} partitions are not open yet`;
}

/** What the work gives, or `other` where that takes longer. */
function orAfter<T>(ms: number, work: Promise<T>, other: T): Promise<T> {
  const limit = new Promise<T>((resolve) => {
    setTimeout(() => resolve(other), ms).unref();
  });
  return Promise.race([work, limit]);
}

function watchStops(consumers: readonly WatchedConsumer[]): Set<string> {
  const stopped = new Set<string>();
  for (const { name, done } of consumers) {
    done.then(
      () => stopped.add(`${name}: has left its group`),
      () => stopped.add(`${name}: a fault has stopped it, see the log; restart the platform`),
    );
  }
  return stopped;
}

/** `atMs`: when counting began. */
type DatedCounts = Counts & { readonly atMs: number };

interface Counts {
  readonly transactions: number;
  readonly references: number;
  readonly rejected: Record<string, number>;
  readonly hits: Record<string, number>;
  readonly shadows: Record<string, number>;
  readonly levels: Record<string, number>;
  readonly open: number;
  readonly deliveries: Record<string, number>;
  readonly acknowledged: number;
}

/** FINAL: rows that a restart wrote twice count once, a warning counts with its latest revision. */
async function countAll(warehouse: Warehouse): Promise<Counts> {
  const grouped = (column: string, table: string, what = 'count()', where = 'true') =>
    warehouse.query<{ word: string; count: number }>(
      `SELECT ${column} AS word, ${what} AS count FROM ${table} FINAL WHERE ${where} GROUP BY word ORDER BY word`,
    );
  const rowsOf = async (table: string) =>
    (await warehouse.query<{ count: number }>(`SELECT count() AS count FROM ${table} FINAL`))[0]?.count ?? 0;
  const transactions = await rowsOf('transactions');
  const references = await rowsOf('references');
  // The same wrong record sent again is the same refusal.
  const rejected = await grouped('reason', 'rejected', 'uniqExact(id)');
  const hits = await grouped('pattern', 'hits', 'count()', `state = 'active'`);
  const shadows = await grouped('pattern', 'hits', 'count()', `state = 'shadow'`);
  const levels = await grouped('level', 'warnings');
  const states = await grouped('status', 'warnings');
  const deliveries = await grouped('outcome', 'deliveries');
  const acknowledged = await warehouse.query<{ count: number }>(
    `SELECT countIf(JSONExtractString(data, 'reason') = 'acknowledged') AS count FROM deliveries FINAL WHERE outcome = 'delivered'`,
  );
  return {
    transactions,
    references,
    rejected: toRecord(rejected),
    hits: toRecord(hits),
    shadows: toRecord(shadows),
    levels: toRecord(levels),
    open: toRecord(states)['open'] ?? 0,
    deliveries: toRecord(deliveries),
    acknowledged: acknowledged[0]?.count ?? 0,
  };
}

function toRecord(rows: readonly { readonly word: string; readonly count: number }[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ word, count }) => [word, count]));
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
