import { Worker } from 'node:worker_threads';
import type { CalendarData } from '../domain/calendar.js';
import type { Hit } from '../domain/hit.js';
import type { PatternSource } from '../scoring/pattern-set.js';
import { TransactionView } from '../scoring/transaction-view.js';
import type { FileEngineStats } from './file-engines.js';
import { createRecordReader } from './file-records.js';
import type { FileScorer, FileScorerOptions } from './score-file.js';
import {
  createSlot,
  hasRoom,
  pieceBytes,
  putRecord,
  type ScoreAnswer,
  type ScoreOrder,
  type ScoreWorkerData,
  type Slot,
  type SlotOrder,
} from './score-slots.js';

/**
 * Scores files on several threads: the caller's reads, and one thread for each pattern set scores, all of them the same records
 * in the same order. A bounded number of slots is on its way; the reader waits when all of them are.
 */
export interface ThreadedScorer extends Omit<FileScorer, 'end'> {
  /** The engines' figures, one for each set. */
  end(): Promise<readonly FileEngineStats[]>;
}

export interface ThreadedScorerOptions extends Omit<FileScorerOptions, 'onHits'> {
  /** The pattern sets to score with. */
  readonly sets: readonly (readonly PatternSource[])[];
  readonly calendar: CalendarData;
  /** The first so many lines only bring the engines' state on: their hits were taken before. */
  readonly warmLines?: number;
  /** So does what comes before the first record of this time or later. */
  readonly scoreFromMs?: number;
  /** A slot that all sets have scored, in the order of the records. */
  readonly onSlot: (scored: ScoredSlot) => void;
}

export interface ScoredSlot {
  /** Hits of each set. */
  readonly hits: readonly (readonly Hit[])[];
  /** Lines read up to the end of this slot, over all files. */
  readonly lines: number;
}

/** A thread that scores ended before the work did. */
export class ScoringThreadFailed extends Error {
  readonly retriable = false;
  constructor(cause: unknown) {
    const { code, message } =
      cause instanceof Error ? (cause as NodeJS.ErrnoException) : { code: undefined, message: String(cause) };
    super(
      code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? 'the thread that scores ran out of memory; score less at once or give Node more with NODE_OPTIONS=--max-old-space-size=<MB>'
        : `the thread that scores failed: ${message}`,
      { cause },
    );
    this.name = 'ScoringThreadFailed';
  }
}

const slotsOnTheWay = 4;

/** Scores with one set on a thread of its own, the same way as `createFileScorer` does on the caller's. */
export async function createTwoThreadScorer(
  sources: readonly PatternSource[],
  calendar: CalendarData,
  { onHits, ...options }: FileScorerOptions,
): Promise<FileScorer> {
  const scorer = await createThreadedScorer({
    ...options,
    sets: [sources],
    calendar,
    onSlot: ({ hits: [hits] }) => {
      if (hits!.length > 0) onHits(hits!);
    },
  });
  return { ...scorer, end: async () => (await scorer.end())[0]! };
}

export async function createThreadedScorer(options: ThreadedScorerOptions): Promise<ThreadedScorer> {
  const {
    sets,
    calendar,
    partitions,
    nowMs,
    warmLines = 0,
    scoreFromMs = -Infinity,
    onSlot,
    onRejected,
    onTransaction,
  } = options;
  const slots = Array.from({ length: slotsOnTheWay }, createSlot);
  const data = (sources: readonly PatternSource[]): ScoreWorkerData => ({
    sources,
    calendar,
    partitions,
    slots: slots.map(({ memory }) => memory),
  });
  const threads = sets.map((sources, thread) => startThread(data(sources), (answer) => take(thread, answer)));
  /** Slots that the threads have, oldest first. */
  const pending: { readonly slot: number; readonly lines: number; readonly hits: (readonly Hit[] | undefined)[] }[] = [];
  const free = slots.map((_, i) => i);
  let wake: () => void = () => undefined;
  let failure: unknown;

  let filling: Filling | undefined;
  let chunk: Buffer | undefined;
  let chunkAt = 0;
  const view = new TransactionView();
  let isBefore = scoreFromMs > -Infinity;
  const reader = createRecordReader({
    nowMs,
    onRejected,
    sink: {
      view: () => view,
      transaction(read) {
        onTransaction?.(read);
        const { slot, extras } = filling!;
        const isInSlot = read.bytes === chunk;
        const shift = isInSlot ? chunkAt : extras.add(read.bytes, read.start, read.end) - read.start;
        putRecord(slot, filling!.records++, read, shift, isInSlot);
        if (read.timeMs >= scoreFromMs) isBefore = false;
        // Once scoring has begun it goes on: what comes late after it is scored as in live work.
        if (isBefore || reader.totals.lines <= warmLines) filling!.warmRecords = filling!.records;
      },
      reference(reference) {
        if (Date.parse(reference.time) >= scoreFromMs) isBefore = false;
        filling!.references.push({ before: filling!.records, isWarm: isBefore || reader.totals.lines <= warmLines, reference });
      },
    },
  });

  function take(thread: number, { slot, hits }: Extract<ScoreAnswer, { kind: 'scored' }>): void {
    const scored = pending.find((one) => one.slot === slot);
    if (!scored) throw new Error(`a thread answered for slot ${slot}, which nobody gave it`);
    scored.hits[thread] = hits;
    // Each thread takes the slots in order, so the oldest is done first.
    while (pending.length > 0 && pending[0]!.hits.every((of) => of !== undefined)) {
      const done = pending.shift()!;
      try {
        onSlot({ hits: done.hits as (readonly Hit[])[], lines: done.lines });
      } catch (error) {
        failure ??= error;
      }
      free.push(done.slot);
    }
    wake();
  }

  for (const { failed } of threads) {
    failed.catch((error: unknown) => {
      failure ??= error;
      wake();
    });
  }

  function check(): void {
    if (failure !== undefined) throw failure instanceof Error ? failure : new ScoringThreadFailed(failure);
  }

  async function until(isSo: () => boolean): Promise<void> {
    for (check(); !isSo(); check()) await new Promise<void>((resolve) => (wake = resolve));
  }

  async function nextSlot(): Promise<Filling> {
    await until(() => free.length > 0);
    const number = free.shift()!;
    return { number, slot: slots[number]!, used: 0, records: 0, warmRecords: 0, extras: createExtras(), references: [] };
  }

  function send(): void {
    if (!filling) return;
    const { number, records, warmRecords, extras, references } = filling;
    filling = undefined;
    pending.push({ slot: number, lines: reader.totals.lines, hits: threads.map(() => undefined) });
    const order: SlotOrder = { kind: 'slot', slot: number, records, warmRecords, extras: extras.bytes(), references };
    for (const thread of threads) thread.tell(order);
  }

  try {
    await Promise.all(threads.map(({ ready }) => ready));
  } catch (error) {
    await Promise.all(threads.map((thread) => thread.stop()));
    throw error;
  }
  return {
    totals: reader.totals,
    begin: (file) => reader.begin(file),
    async push(bytes) {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        if (filling && !hasRoom(filling.used, filling.records)) send();
        filling ??= await nextSlot();
        const piece = bytes.subarray(at, at + pieceBytes);
        chunkAt = filling.used;
        filling.used += piece.length;
        piece.copy(filling.slot.bytes, chunkAt);
        chunk = filling.slot.bytes.subarray(chunkAt, filling.used);
        reader.push(chunk);
      }
      check();
    },
    async finish() {
      filling ??= await nextSlot();
      reader.finish();
      send();
    },
    async end() {
      await until(() => pending.length === 0);
      return Promise.all(threads.map((thread) => thread.stats()));
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.stop()));
    },
    bytesUsed: () => reader.bytesUsed() + slots.reduce((sum, slot) => sum + bytesOf(slot), 0),
  };
}

interface Filling {
  readonly number: number;
  readonly slot: Slot;
  used: number;
  records: number;
  warmRecords: number;
  readonly extras: Extras;
  readonly references: SlotOrder['references'][number][];
}

/** Bytes of records that do not lie in the slot: over the border of two pieces, or rewritten. */
interface Extras {
  /** Where the bytes lie now. */
  add(bytes: Uint8Array, start: number, end: number): number;
  bytes(): Uint8Array;
}

function createExtras(): Extras {
  let kept = new Uint8Array(0);
  let used = 0;
  return {
    add(bytes, start, end) {
      const at = used;
      used += end - start;
      if (used > kept.length) {
        const wider = new Uint8Array(Math.max(used, kept.length * 2, pieceBytes));
        wider.set(kept);
        kept = wider;
      }
      kept.set(bytes.subarray(start, end), at);
      return at;
    },
    // A copy: what is sent is the whole buffer behind a view.
    bytes: () => kept.slice(0, used),
  };
}

interface Thread {
  readonly ready: Promise<void>;
  /** Rejects when the thread ends by itself. */
  readonly failed: Promise<never>;
  tell(order: ScoreOrder): void;
  stats(): Promise<FileEngineStats>;
  stop(): Promise<void>;
}

function startThread(data: ScoreWorkerData, onScored: (answer: Extract<ScoreAnswer, { kind: 'scored' }>) => void): Thread {
  const worker = new Worker(new URL('score-worker.js', import.meta.url), { workerData: data });
  let isStopping = false;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  const waiting: ((stats: FileEngineStats) => void)[] = [];
  worker.on('message', (answer: ScoreAnswer) => {
    switch (answer.kind) {
      case 'ready':
        isReady();
        return;
      case 'scored':
        onScored(answer);
        return;
      case 'stats':
        waiting.shift()?.(answer.stats);
        return;
    }
  });
  worker.on('error', (error) => fail(new ScoringThreadFailed(error)));
  worker.on('exit', (code) => {
    if (!isStopping) fail(new ScoringThreadFailed(`it ended with ${code} before the work was done`));
  });
  const tell = (order: ScoreOrder): void => worker.postMessage(order);
  return {
    ready: Promise.race([ready, failed]),
    failed,
    tell,
    stats: () =>
      Promise.race([
        new Promise<FileEngineStats>((resolve) => {
          waiting.push(resolve);
          tell({ kind: 'stats' });
        }),
        failed,
      ]),
    async stop() {
      isStopping = true;
      await worker.terminate();
    },
  };
}

function bytesOf({ memory: { bytes, words, doubles } }: Slot): number {
  return bytes.byteLength + words.byteLength + doubles.byteLength;
}
