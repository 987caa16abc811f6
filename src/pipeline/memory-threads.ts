import { Worker } from 'node:worker_threads';
import type { CalendarData } from '../domain/calendar.js';
import { frameName } from '../domain/frame.js';
import type { LogRecord } from '../ports/log.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { createBufferPool } from './buffer-pool.js';
import type { FrameViews } from './frame-views.js';
import {
  type MemoryAnswer,
  type MemoryCall,
  type MemoryCalls,
  type MemoryFault,
  type MemoryWorkerData,
  type PackedRecords,
  packRecords,
  type Room,
  type SetInWords,
  unpackOutputs,
} from './memory-messages.js';
import type { MeteredMemories } from './metered-memories.js';
import { sumOfReadings } from './pattern-meter.js';
import { BatchFault, type PartitionMemory } from './score-memory.js';
import type { Chunks } from './snapshot-packing.js';

/**
 * Memories on threads of their own: the thread of the process takes in, journals, warns and delivers meanwhile, and each
 * processor scores. A memory stays on the thread that had fewest when it was opened.
 */
export interface MemoryThreads extends MeteredMemories {
  /** The threads compile the set already, so that the first partition need not wait for it. */
  prepare(id: string): Promise<void>;
  close(): Promise<void>;
}

export interface MemoryThreadsOptions {
  readonly threads: number;
  readonly calendar: CalendarData;
  /** The texts of a set; null where there is no such set. */
  readonly sourcesOf: (id: string) => Promise<Pick<SetInWords, 'sources'> | null>;
  readonly frameViews?: FrameViews;
  /** What they run; the scorer of this folder where left out. */
  readonly script?: URL;
}

/** A thread that scores has ended by itself: what its partitions knew is gone with it. */
export class ScoringThreadLost extends Error {
  readonly retriable = false;
  constructor(cause: unknown) {
    super('a thread that scores has ended; the process must be started again', { cause });
    this.name = 'ScoringThreadLost';
  }
}

/** Room for batches on their way that lies ready. */
const roomBytesMax = 32 * 2 ** 20;

export function createMemoryThreads({
  threads,
  calendar,
  sourcesOf,
  frameViews,
  script = new URL('memory-worker.js', import.meta.url),
}: MemoryThreadsOptions): MemoryThreads {
  const started = Array.from({ length: threads }, () => startThread(script, { calendar }));
  const pool = createBufferPool(roomBytesMax);
  let memories = 0;

  async function inWords(id: string): Promise<SetInWords> {
    const found = await sourcesOf(id);
    if (!found) throw new RangeError(`there is no pattern set ${id}`);
    return { id, sources: found.sources };
  }

  const takeRoom = (bytes: number): Room => {
    const { buffer, length } = pool.take(bytes);
    return new Uint8Array(buffer as ArrayBuffer, 0, length);
  };
  const giveRoom = ({ buffer }: Room): void => pool.give(Buffer.from(buffer));

  function pack(records: readonly LogRecord[]): PackedRecords {
    const known = records.flatMap(({ value }): PackedRecords['known'] => {
      const name = frameViews ? frameName(value) : '';
      const found = frameViews?.take(name);
      return found ? [[name, found]] : [];
    });
    return packRecords(records, known, takeRoom);
  }

  return {
    async prepare(id) {
      const set = await inWords(id);
      await Promise.all(started.map(({ ask }) => ask('prepare', { set })));
    },
    async openMemory(set, place) {
      const thread = started.reduce((fewest, one) => (one.memories < fewest.memories ? one : fewest));
      const { ask } = thread;
      const memory = ++memories;
      thread.memories++;
      try {
        await ask('open', { memory, set: await inWords(set.id), place });
      } catch (error) {
        thread.memories--;
        throw error;
      }
      let patternSet = set;
      // Where the thread is gone, so is what it would do.
      const tell = (call: 'drop' | 'close'): void => void ask(call, { memory }).catch(() => undefined);

      async function* chunks(): Chunks {
        for (;;) {
          const chunk = await ask('chunk', { memory });
          if (!chunk) return;
          yield chunk;
        }
      }

      const opened: PartitionMemory<PatternSet> = {
        get patternSet() {
          return patternSet;
        },
        async score(records, how) {
          const packed = pack(records);
          const { outputs, room, ...rest } = await ask('score', { memory, records: packed, how }, [packed.room.buffer]);
          giveRoom(room);
          return { ...rest, outputs: unpackOutputs(outputs) };
        },
        async warm(records, how) {
          const packed = pack(records);
          const { legs, room } = await ask('warm', { memory, records: packed, how }, [packed.room.buffer]);
          giveRoom(room);
          return legs;
        },
        async adopt(next) {
          if (next.planId !== patternSet.planId) return false;
          const isAdopted = await ask('adopt', { memory, set: await inWords(next.id) });
          if (isAdopted) patternSet = next;
          return isAdopted;
        },
        async copy() {
          const copy = await ask('copy', { memory });
          return copy && { marks: copy.marks, chunks, drop: () => tell('drop') };
        },
        restore: () => ({
          take: async (stored) => void (await ask('restore', { memory, stored }, ownBufferOf(stored))),
          end: async (marks) => void (await ask('restored', { memory, marks })),
        }),
        close() {
          thread.memories--;
          tell('close');
        },
      };
      return opened;
    },
    read: async () => sumOfReadings(await Promise.all(started.map(({ ask }) => ask('read', {})))),
    close: async () => {
      await Promise.all(started.map((thread) => thread.stop()));
    },
  };
}

/** What can go over whole; a view of something larger is copied. */
function ownBufferOf({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (fault: Error) => void;
}

function startThread(script: URL, data: MemoryWorkerData) {
  const worker = new Worker(script, { workerData: data });
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let lost: Error | null = null;

  const end = (cause: unknown): void => {
    lost ??= new ScoringThreadLost(cause);
    for (const { reject } of waiting.values()) reject(lost);
    waiting.clear();
  };
  worker.on('message', (answer: MemoryAnswer) => {
    const asked = waiting.get(answer.number);
    waiting.delete(answer.number);
    // Whoever asked a thread that was given up has been told already.
    if ('fault' in answer) asked?.reject(errorOf(answer.fault));
    else asked?.resolve(answer.value as never);
  });
  worker.on('error', end);
  worker.on('messageerror', end);
  worker.on('exit', (code) => end(new Error(`it ended with ${code}`)));

  function ask<Call extends MemoryCall>(
    call: Call,
    asked: MemoryCalls[Call]['ask'],
    over: readonly ArrayBuffer[] = [],
  ): Promise<MemoryCalls[Call]['answer']> {
    if (lost) return Promise.reject(lost);
    const number = ++last;
    const answered = new Promise<MemoryCalls[Call]['answer']>((resolve, reject) => waiting.set(number, { resolve, reject }));
    worker.postMessage({ number, call, ask: asked }, over);
    return answered;
  }

  return {
    ask,
    /** That are open on it, or being opened. */
    memories: 0,
    async stop() {
      await worker.terminate();
      end(new Error('it was stopped'));
    },
  };
}

/** A fault of another thread, as what it was where somebody tells it from others. None of them goes away by trying again. */
function errorOf({ name, message, stack, isOfBatch }: MemoryFault): Error {
  const error = isOfBatch ? new BatchFault(message) : new Error(message);
  return Object.assign(error, { name, ...(stack === undefined ? {} : { stack }), ...(isOfBatch ? {} : { retriable: false }) });
}
