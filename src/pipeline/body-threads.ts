import { Worker } from 'node:worker_threads';
import { createBodyReader, type AboutBody, type BodyReader } from './body-reader.js';
import type { LineReaderOptions } from './intake-lines.js';
import { type LineBlock, unpackLines } from './line-block.js';

/** What a reading thread is told, and what it answers. */
export interface ReadOrder {
  readonly number: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly about: AboutBody;
}
export interface ReadAnswer {
  readonly number: number;
  /** Null where it could not be read there. */
  readonly block: LineBlock | null;
}

export interface ThreadsOptions {
  readonly threads: number;
  /** A thread ended by itself; what it had in hand is read on this one. */
  readonly onLost: (fault: unknown) => void;
  /** What they run; the reader of this folder where left out. */
  readonly script?: URL;
}

/** Shorter bodies are read in the time that telling another thread takes. */
const threadBytesMin = 64 * 1024;

/**
 * Reads large bodies on threads of their own, so that the thread that scores has that time. A thread reads a copy; the lines that
 * come of it lie over the caller's bytes. Whatever a thread cannot read, and all of it once the threads are gone, is read on this one.
 */
export function createThreadedBodyReader(
  options: LineReaderOptions,
  { threads, onLost, script = new URL('body-worker.js', import.meta.url) }: ThreadsOptions,
): BodyReader {
  const here = createBodyReader(options);
  const started = Array.from({ length: threads }, () => startThread(new Worker(script, { workerData: options }), onLost));
  return {
    async read(bytes, about) {
      const free = started.filter((thread) => thread.isAlive()).toSorted((one, other) => one.waiting() - other.waiting())[0];
      const block = free && bytes.length >= threadBytesMin ? await free.read(bytes, about) : null;
      return block ? unpackLines(block, bytes, about.attempt) : here.read(bytes, about);
    },
    close: async () => {
      await Promise.all(started.map((thread) => thread.stop()));
    },
  };
}

function startThread(worker: Worker, onLost: (fault: unknown) => void) {
  // Whoever waits for an answer has something else that keeps the process.
  worker.unref();
  const waiting = new Map<number, (block: LineBlock | null) => void>();
  let last = 0;
  let isAlive = true;

  const end = (fault: unknown): void => {
    if (isAlive && fault !== undefined) onLost(fault);
    isAlive = false;
    for (const answered of waiting.values()) answered(null);
    waiting.clear();
  };
  worker.on('message', ({ number, block }: ReadAnswer) => {
    waiting.get(number)?.(block);
    waiting.delete(number);
  });
  worker.on('error', end);
  worker.on('exit', (code) => end(new Error(`the thread ended with ${code}`)));

  return {
    isAlive: () => isAlive,
    waiting: () => waiting.size,
    /** Null where it was not read. */
    read(body: Buffer, about: AboutBody): Promise<LineBlock | null> {
      const number = ++last;
      const bytes = new Uint8Array(body);
      const order: ReadOrder = { number, bytes, about };
      const answer = new Promise<LineBlock | null>((resolve) => waiting.set(number, resolve));
      worker.postMessage(order, [bytes.buffer]);
      return answer;
    },
    async stop() {
      end(undefined);
      await worker.terminate();
    },
  };
}
