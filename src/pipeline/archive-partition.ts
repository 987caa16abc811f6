import { setTimeout as sleep } from 'node:timers/promises';
import type { IPolicy } from 'cockatiel';
import { z } from 'zod';
import type { Log, LogBatch, LogRecord, ArchivedTopic } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { archiveSlot } from './archive-positions.js';
import { buildRows, readSlice, sliceSchema, tokenOf, type Slice } from './archive-slice.js';
import { openOwnedSlot, type OwnedSlot } from './owned-slot.js';

export interface ArchiveSettings {
  readonly sliceBytesMax: number;
  readonly sliceRecordsMax: number;
  /** Longest wait for more records before a slice is stored. */
  readonly lingerMs: number;
  /** Slices being stored at once, over all partitions. */
  readonly insertsMax: number;
  readonly retryMsMin: number;
  readonly retryMsMax: number;
}

export interface ArchiveOptions {
  readonly log: Log;
  readonly state: State;
  readonly warehouse: Warehouse;
  readonly settings: ArchiveSettings;
  readonly clock: { now(): number };
  readonly newId: () => string;
  readonly telemetry: Telemetry;
  /** True while transactions are coming in or being scored faster than they can be archived beside it. Absent: never. */
  readonly isBusy?: () => boolean;
}

/** One partition of one topic on its way into the warehouse. */
export interface ArchivePartition {
  /** Where reading goes on; null = the first kept record. */
  readonly start: number | null;
  /** Takes records in; waits only while too many wait to be stored. Throws the fault that stopped the partition. */
  take(batch: LogBatch): Promise<void>;
  /** Offset of the first record that is not known to be stored; null before the first. */
  position(): number | null;
  /** What waits is stored without lingering, until told otherwise. */
  hurry(on: boolean): void;
  /** An insert under way ends; what waits stays on the log. */
  close(): Promise<void>;
}

const headSchema = z.object({ position: z.int().nullable(), open: sliceSchema.nullable() });
type ArchiveHead = z.infer<typeof headSchema>;

/**
 * How long transactions stay on the log only while others need the processor: a burst is scored first and archived after it.
 * Once this is used up they are archived whatever the load, until the archive has caught up.
 */
const patienceMs = 30_000;
/**
 * Transactions linger so many times longer than the rest: there are many, and an insert costs the disk and the processor nearly
 * the same whether it holds five hundred or five thousand.
 */
const transactionsLinger = 10;
/** How often a waiting archive looks whether there is time for it. */
const busyPollMs = 25;

/** Records held for one partition, in slices; beyond it reading waits. */
const slicesHeldMax = 2;

/** `bulkhead` lets only so many inserts through at once; `fail` is told the fault that stops the partition. */
export async function openArchivePartition(
  options: ArchiveOptions,
  topic: ArchivedTopic,
  partition: number,
  bulkhead: IPolicy,
  fail: (fault: unknown) => void,
): Promise<ArchivePartition> {
  const { log, state, newId, settings } = options;
  const slot = await openOwnedSlot({
    log,
    state,
    newId,
    slot: archiveSlot(topic, partition),
    head: headSchema,
    initial: { position: null, open: null },
  });
  const buffer = createBuffer(
    topic === 'transactions' ? { ...settings, lingerMs: settings.lingerMs * transactionsLinger } : settings,
  );
  const stop = new AbortController();
  let fault: { readonly error: unknown } | null = null;

  const running = storeAll(options, { topic, partition, slot, buffer, bulkhead, signal: stop.signal }).catch((error: unknown) => {
    if (stop.signal.aborted) return;
    fault = { error };
    buffer.wake();
    fail(error);
  });

  return {
    start: slot.head.open?.to ?? slot.head.position,
    async take({ records, next }) {
      buffer.add(records, next);
      const mayGoOn = () => !buffer.full() || fault !== null || stop.signal.aborted;
      while (!mayGoOn()) await buffer.changed();
      if (fault) throw fault.error;
    },
    position: () => slot.head.position,
    hurry: (on) => buffer.hurry(on),
    async close() {
      stop.abort();
      buffer.wake();
      await running;
      await slot.close();
    },
  };
}

interface Storing {
  readonly topic: ArchivedTopic;
  readonly partition: number;
  readonly slot: OwnedSlot<ArchiveHead>;
  readonly buffer: ReturnType<typeof createBuffer>;
  readonly bulkhead: IPolicy;
  readonly signal: AbortSignal;
}

/** Slice after slice, until stopped. A slice that an earlier run left open comes first, read again from the log. */
async function storeAll(options: ArchiveOptions, storing: Storing): Promise<void> {
  const { topic, partition, slot, buffer, signal } = storing;
  const patience = createPatience(options, storing);
  const left = slot.head.open;
  if (left) {
    await storeSlice(options, storing, left, () => readSlice(options.log, topic, partition, left));
    await slot.commit({ head: { position: left.to, open: null } });
  }
  while (!signal.aborted) {
    if (!(await buffer.arrived(signal))) return;
    await patience.wait();
    let next = await buffer.nextSlice(signal);
    if (!next) return;
    await slot.commit({ head: { position: next.slice.from, open: next.slice } });
    while (next) {
      const { slice, records } = next;
      await storeSlice(options, storing, slice, () => Promise.resolve(records));
      // Under load the end of one slice and the opening of the next are one commit.
      const mustStop = signal.aborted || patience.mayWait();
      const following = mustStop ? null : buffer.readySlice();
      if (!following && !mustStop) patience.renew();
      await slot.commit({ head: { position: slice.to, open: following?.slice ?? null } });
      next = following;
    }
  }
}

/** Lets what is urgent go first: transactions wait for a quiet moment, hits, warnings and the rest never do. */
function createPatience({ isBusy, clock }: ArchiveOptions, { topic, buffer, signal }: Storing) {
  let sinceMs: number | null = null;

  function mayWait(): boolean {
    if (topic !== 'transactions' || !isBusy?.() || buffer.isHurried() || signal.aborted) return false;
    sinceMs ??= clock.now();
    return clock.now() - sinceMs < patienceMs;
  }

  return {
    mayWait,
    async wait(): Promise<void> {
      while (mayWait()) await sleep(busyPollMs, undefined, { signal }).catch(() => undefined);
    },
    /** Nothing more is ready: the next burst may be waited for again. */
    renew(): void {
      sinceMs = null;
    },
  };
}

/** Tries until the warehouse has the slice. Throws what no repetition can mend, and when stopped. */
async function storeSlice(
  options: ArchiveOptions,
  storing: Storing,
  slice: Slice,
  load: () => Promise<readonly LogRecord[]>,
): Promise<void> {
  const { topic, partition, bulkhead, signal } = storing;
  const { settings, telemetry, warehouse, clock } = options;
  let table = '';
  /** Tables that have their rows: what fails is tried again alone. */
  const stored = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    try {
      await bulkhead.execute(async () => {
        signal.throwIfAborted();
        let startedMs = clock.now();
        for (const { bytes, count, ...built } of await buildRows(topic, partition, await load())) {
          if (stored.has(built.table)) continue;
          table = built.table;
          if (count > 0) await warehouse.insert(table, bytes, tokenOf(topic, partition, slice, built.table));
          const durationMs = clock.now() - startedMs;
          stored.add(table);
          telemetry.sliceArchived({ topic, partition, table, rows: count, bytes: bytes.length, durationMs });
          startedMs = clock.now();
        }
      });
      return;
    } catch (error) {
      if (signal.aborted || !mayBeRepeated(error)) throw error;
      const delayMs = Math.min(settings.retryMsMin * 2 ** Math.min(attempt - 1, 20), settings.retryMsMax);
      telemetry.archiveRetried({ topic, partition, table, attempt, delayMs, error });
      await sleep(delayMs, undefined, { signal });
    }
  }
}

/** What says of itself that it may be tried again, and what came without an engine's code: the network, a time-out. */
function mayBeRepeated(error: unknown): boolean {
  if (!(error instanceof Error) || !('retriable' in error)) return false;
  return error.retriable === true || ('code' in error && error.code === undefined);
}

interface NextSlice {
  readonly slice: Slice;
  readonly records: readonly LogRecord[];
}

/** Records that were read and are not stored, in the order of the log. */
function createBuffer(settings: ArchiveSettings) {
  let waiting: { readonly record: LogRecord; readonly next: number }[] = [];
  let bytes = 0;
  let hurried = false;
  let listeners: (() => void)[] = [];

  const isReady = () => bytes >= settings.sliceBytesMax || waiting.length >= settings.sliceRecordsMax;
  const wake = () => {
    const woken = listeners;
    listeners = [];
    for (const listener of woken) listener();
  };
  const changed = () => new Promise<void>((resolve) => listeners.push(resolve));

  /** As much of what waits as one slice may hold, at least one record. */
  function take(): NextSlice | null {
    let [count, size] = [0, 0];
    for (const { record } of waiting) {
      if (count > 0 && (count >= settings.sliceRecordsMax || size + record.value.length > settings.sliceBytesMax)) break;
      count++;
      size += record.value.length;
    }
    const taken = waiting.slice(0, count);
    const [first, last] = [taken[0], taken.at(-1)];
    if (!first || !last) return null;
    waiting = waiting.slice(count);
    bytes -= size;
    wake();
    return { slice: { from: first.record.offset, to: last.next }, records: taken.map(({ record }) => record) };
  }

  return {
    wake,
    changed,
    full: () => bytes >= settings.sliceBytesMax * slicesHeldMax || waiting.length >= settings.sliceRecordsMax * slicesHeldMax,
    hurry(on: boolean) {
      hurried = on;
      wake();
    },
    add(records: readonly LogRecord[], next: number) {
      for (const [i, record] of records.entries()) {
        waiting.push({ record, next: records[i + 1]?.offset ?? next });
        bytes += record.value.length;
      }
      wake();
    },
    isHurried: () => hurried,
    /** Waits for the first record; false when stopped. */
    async arrived(signal: AbortSignal): Promise<boolean> {
      while (waiting.length === 0 && !signal.aborted) await changed();
      return !signal.aborted;
    },
    /** What is ready without waiting. */
    readySlice: () => (isReady() || hurried ? take() : null),
    /** Waits a while for more records; null when stopped. */
    async nextSlice(signal: AbortSignal): Promise<NextSlice | null> {
      let lingered = false;
      const timer = setTimeout(() => {
        lingered = true;
        wake();
      }, settings.lingerMs);
      const mayTake = () => isReady() || hurried || lingered || signal.aborted;
      while (!mayTake()) await changed();
      clearTimeout(timer);
      return signal.aborted ? null : take();
    },
  };
}
