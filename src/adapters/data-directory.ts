import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
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
    const release = await takeLock(directory, place);
    writeFileSync(place.pidFile, `${ownPid}\n`);
    return { release };
  } catch (error) {
    place.free();
    throw describeDirectoryError(directory, error);
  }
}

/** Makes the directory where it is missing, for its owner only, and checks that it can be written. Throws `DataDirectoryError`. */
export function prepareDirectory(directory: string): void {
  try {
    makeDirectory(directory, 0o700);
    if (!statSync(directory).isDirectory()) throw notADirectory(directory);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw describeDirectoryError(directory, error);
  }
}

/** As `mkdirSync(…, { recursive: true })`, which never ends where the system answers "not found" for a name below a directory. */
function makeDirectory(path: string, mode: number): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (!existsSync(parent)) makeDirectory(parent, 0o777);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another process may have been quicker.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Whether the directory is closed to everybody but its owner: the secrets of webhooks lie in it. */
export function isPrivate(directory: string): boolean {
  return (statSync(directory).mode & 0o077) === 0;
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
      return notADirectory(directory, error);
    case 'ENOENT':
      return new DataDirectoryError(
        `Data directory ${directory} cannot be made (${code}): set HUQI_DATA_DIR to a directory that can.`,
        {
          cause: error,
        },
      );
  }
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 28 || message.includes('MDB_MAP_FULL') || isDiskFull(directory)) {
    return new DataDirectoryError(
      `Data directory ${directory}: the disk is full; nothing of this write was kept and all earlier data is intact. Free some space and start again.`,
      { retriable: true, cause: error },
    );
  }
  if (/MDB_(INVALID|VERSION_MISMATCH|CORRUPTED|PAGE_NOTFOUND)/.test(message)) {
    return new DataDirectoryError(
      `Data directory ${directory} does not hold a readable database (${message}): restore a copy or use another directory.`,
      {
        cause: error,
      },
    );
  }
  return new DataDirectoryError(`Data directory ${directory}: ${message}. Check the disk and the directory's rights.`, {
    cause: error,
  });
}

function notADirectory(directory: string, cause?: unknown): DataDirectoryError {
  return new DataDirectoryError(
    `Data directory ${directory} is not a directory: move the file away, or set HUQI_DATA_DIR to another directory.`,
    {
      cause,
    },
  );
}

interface LockPlace {
  readonly lockFile: string;
  readonly pidFile: string;
  /** The directory's name for socket addresses, which the kernel cuts off at about 100 bytes. */
  readonly shortDirectory: string;
  free(): void;
}

/** Longest socket path that every supported system takes (macOS has 104 bytes with the end mark). */
const socketPathBytesMax = 103;
/** `huqi.lock-` and eight characters. */
const socketNameBytes = 18;

function lockPlace(directory: string): LockPlace {
  const files = { lockFile: join(directory, 'huqi.lock'), pidFile: join(directory, 'huqi.pid') };
  if (Buffer.byteLength(directory) + 1 + socketNameBytes <= socketPathBytesMax) {
    return { ...files, shortDirectory: directory, free: () => undefined };
  }
  const descriptor = openSync(directory, constants.O_RDONLY);
  const shortDirectory = `/proc/self/fd/${descriptor}`;
  if (existsSync(shortDirectory)) return { ...files, shortDirectory, free: () => closeSync(descriptor) };
  closeSync(descriptor);
  throw new DataDirectoryError(
    `Data directory ${directory}: the path is longer than ${socketPathBytesMax - 1 - socketNameBytes} bytes, too long for the lock: use a shorter one.`,
  );
}

const takeTriesMax = 5;
/** A contender that is about to remove the dead lock before ours, and would remove ours, has done so after this long. */
const settleMs = 25;

/**
 * Listens under a name of its own and then links that to the lock's name, which is atomic: whoever finds the lock finds it
 * listening or dead. Returns what gives the lock back.
 */
async function takeLock(directory: string, place: LockPlace): Promise<() => Promise<void>> {
  const name = `huqi.lock-${randomBytes(4).toString('hex')}`;
  const server = await listen(join(place.shortDirectory, name));
  const own = join(directory, name);
  const inode = inodeOf(own);
  const stop = () => new Promise<void>((resolve) => server.close(() => resolve()));
  try {
    for (let attempt = 0; attempt < takeTriesMax; attempt++) {
      if (tryLink(own, place.lockFile)) {
        await wait(settleMs);
        if (inodeOf(place.lockFile) === inode) return () => giveBack(place, inode, stop);
      }
      await refuseOrClear(directory, place);
    }
    throw new DataDirectoryError(inUse(directory, place.pidFile), { retriable: true });
  } catch (error) {
    await stop();
    throw error;
  }
}

async function giveBack(place: LockPlace, inode: bigint | undefined, stop: () => Promise<void>): Promise<void> {
  if (inodeOf(place.lockFile) === inode) {
    rmSync(place.pidFile, { force: true });
    rmSync(place.lockFile, { force: true });
  }
  await stop();
  place.free();
}

/** Throws where the lock's holder lives; removes the lock of a dead one, and only that one. */
async function refuseOrClear(directory: string, place: LockPlace): Promise<void> {
  const inode = inodeOf(place.lockFile);
  if (inode === undefined) return;
  if (await answers(join(place.shortDirectory, 'huqi.lock')))
    throw new DataDirectoryError(inUse(directory, place.pidFile), { retriable: true });
  if (inodeOf(place.lockFile) !== inode) return;
  rmSync(place.lockFile, { force: true });
  removeDeadNames(directory, inode);
}

/** A killed holder's own name is the same socket as its lock. */
function removeDeadNames(directory: string, inode: bigint): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith('huqi.lock-') && inodeOf(join(directory, name)) === inode) rmSync(join(directory, name), { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
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

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
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
