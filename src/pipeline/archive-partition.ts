import { setTimeout as sleep } from 'node:timers/promises';
import type { IPolicy } from 'cockatiel';
import { z } from 'zod';
import type { Log, LogBatch, ArchivedTopic } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { ArchiveBrake } from './archive-brake.js';
import { createBuffer, type ArchiveBuffer } from './archive-buffer.js';
import { archiveSlot } from './archive-positions.js';
import { readSlice, sliceSchema } from './archive-slice.js';
import { createSliceStore, type SliceStore, type Tables } from './archive-store.js';
import { isFresh } from './fresh.js';
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

/** What the partitions of one process share. */
export interface Shared {
  /** Lets only so many slices be stored at once. */
  readonly bulkhead: IPolicy;
  readonly brake: ArchiveBrake;
  readonly tables: Tables;
}

/** `fail` is told the fault that stops the partition. */
export async function openArchivePartition(
  options: ArchiveOptions,
  topic: ArchivedTopic,
  partition: number,
  shared: Shared,
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
    onLost: fail,
  });
  const buffer = createBuffer(
    topic === 'transactions' ? { ...settings, lingerMs: settings.lingerMs * transactionsLinger } : settings,
  );
  const stop = new AbortController();
  let fault: { readonly error: unknown } | null = null;

  const slices = createSliceStore({ ...options, ...shared, topic, partition, signal: stop.signal });
  const running = storeAll(options, { topic, partition, slot, buffer, slices, signal: stop.signal }).catch((error: unknown) => {
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
  readonly buffer: ArchiveBuffer;
  readonly slices: SliceStore;
  readonly signal: AbortSignal;
}

/** Slice after slice, until stopped. A slice that an earlier run left open comes first, read again from the log. */
async function storeAll(options: ArchiveOptions, storing: Storing): Promise<void> {
  const { topic, partition, slot, buffer, slices, signal } = storing;
  const patience = createPatience(options, storing);
  const left = slot.head.open;
  if (left) {
    await slices.store(left, () => readSlice(options.log, topic, partition, left));
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
      await slices.store(slice, () => Promise.resolve(records));
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
    return isFresh(clock.now(), sinceMs, patienceMs);
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
