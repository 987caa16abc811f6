import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LogBatch, PartitionProcessor, ReadLimit } from '../../../ports/log.js';
import { watchFailed } from '../reopening.js';

const idleWaitMs = 60_000;

/** One partition of the log. */
export interface PartitionSource {
  read(from: number, limit: ReadLimit, signal: AbortSignal): Promise<LogBatch>;
  first(): Promise<number>;
  waitFor(from: number, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
}

export interface PartitionWork {
  readonly source: PartitionSource;
  readonly open: () => Promise<PartitionProcessor>;
  /** Aborts when the partition is taken away: the batch in hand is the last. */
  readonly signal: AbortSignal;
  /** Resolves when a batch may be begun. */
  readonly mayBegin: (signal: AbortSignal) => Promise<void>;
  readonly onOpen: (isOpen: boolean) => void;
  /** Where it reads next; called when it opens and after each batch. */
  readonly onPosition: (position: number) => void;
}

/** Opens the partition, processes it batch by batch until it is taken away, closes it. Rejects with the first fault. */
export async function workOnPartition(work: PartitionWork, progressed: () => void): Promise<void> {
  const processor = await work.open();
  try {
    work.onOpen(true);
    await processAll(work, processor, progressed);
  } catch (error) {
    // The first fault is the one to tell; a second from closing would hide it.
    await processor.close().catch(() => undefined);
    throw error;
  } finally {
    work.onOpen(false);
  }
  await processor.close();
}

async function processAll(work: PartitionWork, processor: PartitionProcessor, progressed: () => void): Promise<void> {
  const { source } = work;
  const watch = watchFailed(processor.failed, work.signal);
  const { signal } = watch;
  let position = processor.start === 'earliest' ? await source.first() : processor.start;
  let ahead: Promise<LogBatch> | null = null;
  work.onPosition(position);
  while (!signal.aborted) {
    const batch = await unlessAborted(ahead ?? source.read(position, processor.limit, signal), signal);
    ahead = null;
    if (!batch) break;
    if (batch.records.length === 0) {
      position = batch.next;
      await source.waitFor(position, idleWaitMs, signal);
      continue;
    }
    await work.mayBegin(signal);
    if (signal.aborted) break;
    if (isLarge(batch, processor.limit)) {
      // The next batch comes while this one is worked on.
      ahead = source.read(batch.next, processor.limit, signal);
      ahead.catch(() => undefined);
    }
    await processor.process(batch);
    position = batch.next;
    work.onPosition(position);
    progressed();
    // A long backlog must not starve the rest of the process.
    await nextTurn();
  }
  watch.check();
}

/**
 * Whether more is waiting, most likely. A small batch is all that there was: what is read ahead of it would be smaller still, and
 * what comes in meanwhile would wait for both of them.
 */
function isLarge({ records }: LogBatch, { recordsMax, bytesMax }: ReadLimit): boolean {
  return records.length * 2 >= recordsMax || records.reduce((sum, { value }) => sum + value.length, 0) * 2 >= bytesMax;
}

/** A fault of what was given up at the signal is none. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  try {
    return await promise;
  } catch (fault) {
    if (signal.aborted) return null;
    throw fault;
  }
}
