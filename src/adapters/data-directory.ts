import { accessSync, closeSync, constants, mkdirSync, openSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { pid as ownPid } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';

/** The data directory cannot be used. One sentence that says what is wrong, where, and what to do. */
export class DataDirectoryError extends Error {
  readonly retriable: boolean;
  constructor(message: string, options: { retriable?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'DataDirectoryError';
    this.retriable = options.retriable ?? false;
  }
}

export interface DataDirectoryLock {
  release(): Promise<void>;
}

/**
 * Takes the data directory for one running platform; a second one is refused with the pid of the first.
 * The lock is a listening Unix socket in the directory: the kernel drops it with its process, so a killed holder
 * leaves nothing that blocks the next start, and pids reused or hidden by containers do not matter.
 */
export async function acquireDataDirectory(directory: string): Promise<DataDirectoryLock> {
  prepareDirectory(directory);
  const place = lockPlace(directory);
  try {
    const server = await takeSocket(directory, place);
    writeFileSync(place.pidFile, `${ownPid}\n`);
    return {
      release: async () => {
        rmSync(place.pidFile, { force: true });
        await new Promise<void>((resolve) => server.close(() => resolve()));
        place.free();
      },
    };
  } catch (error) {
    place.free();
    throw describeDirectoryError(directory, error);
  }
}

/** Makes the directory where it is missing and checks that it can be written. Throws `DataDirectoryError`. */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw describeDirectoryError(directory, error);
  }
}

/** What the system said about the directory, as one sentence. */
export function describeDirectoryError(directory: string, error: unknown): DataDirectoryError {
  if (error instanceof DataDirectoryError) return error;
  const { code, message } = errorFacts(error);
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new DataDirectoryError(
        `Data directory ${directory} cannot be written (${code}): give this user the right to write there, or set HUQI_DATA_DIR to another directory.`,
        { cause: error },
      );
    case 'EEXIST':
    case 'ENOTDIR':
      return new DataDirectoryError(
        `Data directory ${directory} is not a directory (${code}): move the file away, or set HUQI_DATA_DIR to another directory.`,
        { cause: error },
      );
    case 'ENOENT':
      return new DataDirectoryError(`Data directory ${directory} cannot be made (${code}): set HUQI_DATA_DIR to a directory that can.`, {
        cause: error,
      });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 28 || message.includes('MDB_MAP_FULL') || isDiskFull(directory)) {
    return new DataDirectoryError(
      `Data directory ${directory}: the disk is full; nothing of this write was kept and all earlier data is intact. Free some space and start again.`,
      { retriable: true, cause: error },
    );
  }
  if (/MDB_(INVALID|VERSION_MISMATCH|CORRUPTED|PAGE_NOTFOUND)/.test(message)) {
    return new DataDirectoryError(`Data directory ${directory} does not hold a readable database (${message}): restore a copy or use another directory.`, {
      cause: error,
    });
  }
  return new DataDirectoryError(`Data directory ${directory}: ${message}. Check the disk and the directory's rights.`, { cause: error });
}

interface LockPlace {
  readonly socketPath: string;
  /** The path as the kernel takes it: at most about 100 bytes. */
  readonly boundPath: string;
  readonly pidFile: string;
  free(): void;
}

/** Longest socket path that every supported system takes (macOS has 104 bytes with the end mark). */
const socketPathBytesMax = 103;

function lockPlace(directory: string): LockPlace {
  const socketPath = join(directory, 'huqi.lock');
  const pidFile = join(directory, 'huqi.pid');
  if (Buffer.byteLength(socketPath) <= socketPathBytesMax) return { socketPath, boundPath: socketPath, pidFile, free: () => undefined };
  // A long path is cut off by the kernel's socket address; the open directory gives it a short name.
  const descriptor = openSync(directory, constants.O_RDONLY);
  try {
    const boundPath = `/proc/self/fd/${descriptor}/huqi.lock`;
    statSync(`/proc/self/fd/${descriptor}`);
    return { socketPath, boundPath, pidFile, free: () => closeSync(descriptor) };
  } catch {
    closeSync(descriptor);
    throw new DataDirectoryError(
      `Data directory ${directory}: the path is longer than ${socketPathBytesMax - '/huqi.lock'.length} bytes, too long for the lock: use a shorter one.`,
    );
  }
}

const takeTriesMax = 5;
/** A contender that saw our socket between bind and listen may have removed it; after this long it has. */
const settleMs = 25;

async function takeSocket(directory: string, place: LockPlace): Promise<Server> {
  for (let attempt = 0; attempt < takeTriesMax; attempt++) {
    const server = await listen(place.boundPath);
    if (server) {
      const inode = inodeOf(place.socketPath);
      await wait(settleMs);
      if (inode !== undefined && inodeOf(place.socketPath) === inode) return server;
      await new Promise<void>((resolve) => server.close(() => resolve()));
      continue;
    }
    const inode = inodeOf(place.socketPath);
    if (await answers(place.boundPath)) throw new DataDirectoryError(inUse(directory, place.pidFile));
    if (inode !== undefined && inodeOf(place.socketPath) === inode) rmSync(place.socketPath, { force: true });
  }
  throw new DataDirectoryError(inUse(directory, place.pidFile));
}

function inUse(directory: string, pidFile: string): string {
  let holder = 'another process';
  try {
    holder = `process ${readFileSync(pidFile, 'utf8').trim()}`;
  } catch {
    // The holder has not written its pid yet; the sentence is clear without it.
  }
  return `Data directory ${directory} is in use by ${holder}: stop it first, or set HUQI_DATA_DIR to another directory.`;
}

/** A listening server, or null where something already lies at the path. */
function listen(path: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)));
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === 'ENOTSOCK') resolve(false);
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function isDiskFull(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < 1_000_000;
  } catch {
    return false;
  }
}

function errorFacts(error: unknown): { code: unknown; message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  return { code: 'code' in error ? error.code : undefined, message: error.message };
}
