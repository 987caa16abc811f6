import type { LogRecord } from '../ports/log.js';
import type { Slice } from './archive-slice.js';

export interface BufferSettings {
  readonly sliceBytesMax: number;
  readonly sliceRecordsMax: number;
  /** Longest wait for more records before a slice is taken. */
  readonly lingerMs: number;
}

export interface NextSlice {
  readonly slice: Slice;
  readonly records: readonly LogRecord[];
}

/** Records held for one partition, in slices; beyond it reading waits. */
const slicesHeldMax = 2;

export type ArchiveBuffer = ReturnType<typeof createBuffer>;

/** Records that were read and are not stored, in the order of the log. */
export function createBuffer(settings: BufferSettings) {
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
