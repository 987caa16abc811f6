import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';
import { DataDirectoryError, describeDirectoryError, prepareDirectory } from './data-directory.js';

export { acquireDataDirectory, DataDirectoryError } from './data-directory.js';

/**
 * One LMDB environment, `<directory>/huqi.mdb`, shared by the log and the state: all writes of the process go through one
 * queue into one file, so that when a write is durable every write queued before it is durable too. Several processes may
 * have it open at once; who may run the platform on it is `acquireDataDirectory`'s affair.
 */
export interface LmdbEnvironment {
  readonly directory: string;
  /** A table of byte values under text keys (ordered by their UTF-8 bytes). */
  textTable(name: string): Table<string>;
  /** A table of byte values under byte keys (ordered by byte). */
  bytesTable(name: string): Table<Uint8Array>;
  /**
   * Runs `operation` inside a write transaction, alone among all processes, and resolves with its result once that is durable.
   * `operation` must be synchronous and repeatable; where it throws, nothing of it is kept. `bytes` is roughly what it will write.
   */
  write<T>(bytes: number, operation: () => T): Promise<T>;
  /** Makes the reads that follow in this turn see everything that any process has committed. */
  readonly refresh: () => void;
  /**
   * Rejects with the first commit that could not be flushed to disk, a full one most of the time. All earlier data is intact, but the
   * library does not survive many of them: the process should end. Never resolves.
   */
  readonly lost: Promise<never>;
  /** Waits for the queued writes, then closes. Nothing may be read or written afterwards. */
  close(): Promise<void>;
}

/** The part of an LMDB database that the adapters use. */
export type Table<K extends string | Uint8Array> = Pick<
  Database<Uint8Array, K>,
  'getBinary' | 'getBinaryFast' | 'doesExist' | 'getKeys' | 'put' | 'remove'
>;

/** Longest key in bytes. */
export const keyBytesMax = 1_978;

export interface EnvironmentOptions {
  readonly directory: string;
  /** Address space to reserve for the database file; it grows on disk only as it is filled. Default 256 GiB. */
  readonly mapSizeMax?: number;
}

/** Opens (or makes) the environment. Throws `DataDirectoryError`. */
export function openEnvironment({ directory, mapSizeMax = 256 * 2 ** 30 }: EnvironmentOptions): LmdbEnvironment {
  prepareDirectory(directory);
  const root = openRoot(directory, mapSizeMax);
  let lose: (fault: unknown) => void = () => undefined;
  const lost = new Promise<never>((_, reject) => (lose = reject));
  // Commands that write once see it by the write itself.
  lost.catch(() => undefined);
  const writes = createWriteQueue(root, directory, lose);
  let closed: Promise<void> | undefined;
  return {
    directory,
    textTable: (name) => root.openDB<Uint8Array, string>(name, { encoding: 'binary', ...textKeys }),
    bytesTable: (name) => root.openDB<Uint8Array, Uint8Array>(name, { encoding: 'binary', keyEncoding: 'binary' }),
    write: writes.add,
    refresh: () => root.resetReadTxn(),
    lost,
    close: () => {
      closed ??= writes.end().then(() => root.close());
      return closed;
    },
  };
}

/** Keys as their plain UTF-8 bytes; LMDB's own text encoding orders control characters differently. */
const textKeys = {
  keyEncoder: {
    writeKey: (key: string, target: Buffer, start: number) => start + target.write(key, start, 'utf8'),
    readKey: (source: Buffer, start: number, end: number) => source.toString('utf8', start, end),
  },
};

function openRoot(directory: string, mapSize: number): RootDatabase<Uint8Array, Uint8Array> {
  const path = join(directory, 'huqi.mdb');
  try {
    assertDatabaseFile(directory, path);
    return open<Uint8Array, Uint8Array>({
      path,
      maxDbs: 16,
      mapSize,
      encoding: 'binary',
      keyEncoding: 'binary',
      // A resolved write is then a flushed write, and a failed one rejects exactly one promise.
      overlappingSync: false,
      eventTurnBatching: false,
    });
  } catch (error) {
    throw describeDirectoryError(directory, error);
  }
}

/** LMDB's mark, in both of its first pages. */
const magic = Buffer.from([0xde, 0xc0, 0xef, 0xbe]);
const magicAt = 24;

/** The library does not survive opening a file that is something else. A missing or empty file is a new database. */
function assertDatabaseFile(directory: string, path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  const descriptor = openSync(path, 'r');
  const head = Buffer.alloc(magicAt + magic.length);
  try {
    readSync(descriptor, head);
  } finally {
    closeSync(descriptor);
  }
  if (head.subarray(magicAt).equals(magic)) return;
  throw new DataDirectoryError(
    `Data directory ${directory}: huqi.mdb is not a database of HuQi: restore a copy, or set HUQI_DATA_DIR to another directory.`,
  );
}

/** Commits that run, of all environments. */
const commits = new Set<Promise<void>>();
let isEnding = false;

/**
 * To be waited for before the process exits: no further commit begins, and those that run are done. A thread of the library waits for
 * what this thread has to do within a running commit, and the end of the process waits for that thread: it would never end.
 */
export async function endCommits(): Promise<void> {
  isEnding = true;
  await Promise.all(commits);
}

interface PendingWrite {
  readonly bytes: number;
  readonly operation: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Bytes and operations that one commit takes at most, and that may wait for a commit. */
const commitBytesMax = 64 * 2 ** 20;
const commitOperationsMax = 1_024;
const queuedBytesMax = 512 * 2 ** 20;
const queuedOperationsMax = 100_000;

/** Group commit: what is queued while one commit is being flushed goes into the next one together, in order. */
function createWriteQueue(root: RootDatabase<Uint8Array, Uint8Array>, directory: string, lose: (fault: unknown) => void) {
  const queue: PendingWrite[] = [];
  let queuedBytes = 0;
  let ended = false;
  let draining: Promise<void> | undefined;

  function add<T>(bytes: number, operation: () => T): Promise<T> {
    if (ended)
      return Promise.reject(new DataDirectoryError(`Data directory ${directory} is closed: nothing more can be written.`));
    if (queuedBytes + bytes > queuedBytesMax || queue.length >= queuedOperationsMax) {
      return Promise.reject(
        new DataDirectoryError(
          `Data directory ${directory}: ${queue.length} writes of ${queuedBytes} bytes are waiting for the disk; send more slowly and try again.`,
          { retriable: true },
        ),
      );
    }
    queuedBytes += bytes;
    return new Promise<T>((resolve, reject) => {
      queue.push({ bytes, operation, resolve: resolve as (result: unknown) => void, reject });
      draining ??= drain();
    });
  }

  async function drain(): Promise<void> {
    await Promise.resolve(); // lets everything that is queued in this turn join the first commit
    while (queue.length > 0) {
      if (isEnding) return;
      const running = commit(takeGroup());
      commits.add(running);
      await running;
      commits.delete(running);
    }
    draining = undefined;
  }

  function takeGroup(): PendingWrite[] {
    let bytes = 0;
    let count = 0;
    for (const write of queue) {
      bytes += write.bytes;
      if (count > 0 && (bytes > commitBytesMax || count >= commitOperationsMax)) break;
      count++;
    }
    return queue.splice(0, count);
  }

  async function commit(group: readonly PendingWrite[]): Promise<void> {
    const results: unknown[] = [];
    try {
      // A child transaction, because a throw inside a plain asynchronous one commits what was written so far.
      await root.childTransaction(() => {
        for (const write of group) results.push(write.operation());
      });
    } catch (error) {
      settleFailure(group, results.length, error);
      return;
    }
    for (const [i, write] of group.entries()) {
      queuedBytes -= write.bytes;
      write.resolve(results[i]);
    }
  }

  /** An operation that threw fails alone and the others are tried again; a failed commit fails all. */
  function settleFailure(group: readonly PendingWrite[], ran: number, error: unknown): void {
    const thrower = group[ran];
    const failed = thrower ? [thrower] : group;
    if (thrower) queue.unshift(...group.filter((write) => write !== thrower));
    const reason = describeFailure(error);
    for (const write of failed) {
      queuedBytes -= write.bytes;
      write.reject(reason);
    }
  }

  function describeFailure(error: unknown): unknown {
    if (error instanceof Error && 'commitError' in error && error.commitError instanceof Promise) {
      // The library rejects this second promise by itself; left alone it would end the process.
      void swallow(error.commitError);
      const fault = describeDirectoryError(directory, new Error('the write could not be flushed to disk', { cause: error }));
      lose(fault);
      return fault;
    }
    return error instanceof Error && error.message.includes('MDB_') ? describeDirectoryError(directory, error) : error;
  }

  async function end(): Promise<void> {
    ended = true;
    await draining;
  }

  return { add, end };
}

async function swallow(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // Told by the error that carries it.
  }
}
