import { setTimeout as sleep } from 'node:timers/promises';
import type { IPolicy } from 'cockatiel';
import type { ArchivedTopic, LogRecord } from '../ports/log.js';
import { WarehouseError } from '../ports/warehouse-error.js';
import type { QuarantinedRow } from '../ports/warehouse-rows.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { ArchiveBrake } from './archive-brake.js';
import { buildRows, tokenOf, type Slice, type SliceRows } from './archive-slice.js';

export interface SliceStoreOptions {
  readonly warehouse: Warehouse;
  readonly clock: { now(): number };
  readonly telemetry: Telemetry;
  readonly newId: () => string;
  readonly settings: { readonly retryMsMin: number; readonly retryMsMax: number };
  readonly topic: ArchivedTopic;
  readonly partition: number;
  /** Lets only so many slices be stored at once. */
  readonly bulkhead: IPolicy;
  readonly brake: ArchiveBrake;
  readonly tables: Tables;
  readonly signal: AbortSignal;
}

/** What this process has seen of each table, over all partitions. */
export type Tables = Map<string, { readonly taken: Uint8Array | null; readonly refusedInARow: number }>;

export interface SliceStore {
  /** Tries until the warehouse has the slice. Throws what no repetition can mend, and when stopped. `load` gives the same records each time. */
  store(slice: Slice, load: () => Promise<readonly LogRecord[]>): Promise<void>;
}

/** So many rows refused one after the other, and none taken between them: is it the rows, or would it take none at all? */
const refusedMax = 50;
/** Whoever is stopped waits so long for an insert under way; given up, it is made again under the same token. */
const graceMs = 5_000;

/**
 * Brings slices of one partition into the warehouse. Rows that it refuses for good are found by halving what was refused; each goes
 * alone into the table `quarantined`, and everything else where it belongs.
 */
export function createSliceStore(options: SliceStoreOptions): SliceStore {
  const { warehouse, clock, telemetry, settings, topic, partition, bulkhead, brake, tables, signal } = options;

  return {
    async store(slice, load) {
      /** By token: what fails is tried again alone. */
      const outcomes = new Map<string, 'stored' | 'refused'>();
      let table = '';
      for (let attempt = 1; ; attempt++) {
        try {
          await brake.pass(signal);
          await bulkhead.execute(async () => {
            signal.throwIfAborted();
            for (const rows of await buildRows(topic, partition, await load())) {
              table = rows.table;
              if (rows.count > 0) await storeRows(slice, rows, outcomes);
              // Without it a partition whose last slice failed would be called failing on.
              else telemetry.sliceArchived({ topic, partition, table, rows: 0, bytes: 0, durationMs: 0 });
            }
          });
          return;
        } catch (error) {
          if (signal.aborted || !mayBeRepeated(error)) throw error;
          if (error instanceof WarehouseError && error.fault === 'busy') brake.tooMuch();
          const delayMs = Math.min(settings.retryMsMin * 2 ** Math.min(attempt - 1, 20), settings.retryMsMax);
          telemetry.archiveRetried({ topic, partition, table, attempt, delayMs, error });
          await sleep(delayMs, undefined, { signal });
        }
      }
    },
  };

  async function storeRows(slice: Slice, rows: SliceRows, outcomes: Map<string, 'stored' | 'refused'>): Promise<void> {
    const token = await tokenOf(topic, partition, slice, rows);
    const known = outcomes.get(token);
    if (known === 'stored') return;
    if (known === undefined) {
      try {
        await insert(rows, token);
        outcomes.set(token, 'stored');
        return;
      } catch (error) {
        if (!isAboutRows(error)) throw error;
        if (rows.count === 1) {
          if (!(await takesOthers(rows.table))) throw error;
          await quarantine(rows, token, error);
          outcomes.set(token, 'stored');
          const { taken = null, refusedInARow = 0 } = tables.get(rows.table) ?? {};
          tables.set(rows.table, { taken, refusedInARow: refusedInARow + 1 });
          return;
        }
        outcomes.set(token, 'refused');
      }
    }
    for (const half of halves(rows)) await storeRows(slice, half, outcomes);
  }

  async function insert({ table, bytes, count }: SliceRows, token: string): Promise<void> {
    const startedMs = clock.now();
    await orGivenUp(warehouse.insert(table, bytes, token), signal);
    brake.taken();
    tables.set(table, { taken: bytes.slice(0, bytes.indexOf(lineEnd) + 1), refusedInARow: 0 });
    telemetry.sliceArchived({ topic, partition, table, rows: count, bytes: bytes.length, durationMs: clock.now() - startedMs });
  }

  /** Few were refused so far; or the table still takes a row that it has taken before, in which case as many more may be. */
  async function takesOthers(table: string): Promise<boolean> {
    const { taken = null, refusedInARow = 0 } = tables.get(table) ?? {};
    if (refusedInARow < refusedMax) return true;
    if (!taken) return false;
    try {
      await orGivenUp(warehouse.insert(table, taken, `again:${options.newId()}`), signal);
      tables.set(table, { taken, refusedInARow: 0 });
      return true;
    } catch (error) {
      if (isAboutRows(error)) return false;
      throw error;
    }
  }

  async function quarantine({ table, bytes }: SliceRows, token: string, error: WarehouseError): Promise<void> {
    const { code = '', message } = error;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8').trimEnd();
    const row: QuarantinedRow = { id: token, table_name: table, code, reason: message, row: text };
    // Its own id is the token: what is refused again is the same row.
    await orGivenUp(warehouse.insert('quarantined', Buffer.from(`${JSON.stringify(row)}\n`), `quarantined:${token}`), signal);
    telemetry.rowQuarantined({ topic, partition, table, code });
  }
}

/** What says of itself that it may be tried again, and whatever the warehouse refuses: a person mends it while the log keeps the rows. */
function mayBeRepeated(error: unknown): boolean {
  if (error instanceof WarehouseError) return true;
  return error instanceof Error && 'retriable' in error && error.retriable === true;
}

function isAboutRows(error: unknown): error is WarehouseError {
  return error instanceof WarehouseError && error.fault === 'rows';
}

const lineEnd = 0x0a;

function halves({ table, bytes, count }: SliceRows): [SliceRows, SliceRows] {
  const firstCount = count >> 1;
  let at = 0;
  for (let line = 0; line < firstCount; line++) at = bytes.indexOf(lineEnd, at) + 1;
  return [
    { table, bytes: bytes.subarray(0, at), count: firstCount },
    { table, bytes: bytes.subarray(at), count: count - firstCount },
  ];
}

/** The insert, or, some time after `signal` has aborted, an error. */
async function orGivenUp(insert: Promise<void>, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => undefined;
  const givenUp = new Promise<never>((_, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(new Error('stopped while an insert was under way')), graceMs);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([insert, givenUp]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
