import { open, readFile, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import type { BacktestCheckpoint, Checkpoints } from './backtest.js';

/** Checkpoints of a backtest in one file: the latest is whole, whenever the machine stops. */
export interface CheckpointFile extends Checkpoints {
  /** The run has ended: nothing is left to go on from. */
  remove(): Promise<void>;
}

const version = 1;
/** Only this program writes it; what is looked at is whether it is of this run. */
const storedSchema = z.looseObject({ version: z.literal(version), identity: z.string(), lines: z.int() });

/** The file holds a run that this one cannot go on from. */
export class CheckpointRefused extends Error {
  readonly retriable = false;
  constructor(file: string, why: string) {
    super(`${file} ${why}; name another file, or remove it to begin anew`);
    this.name = 'CheckpointRefused';
  }
}

/** Throws `CheckpointRefused` for a file of another run, and the file system's error. */
export async function openCheckpointFile(
  file: string,
  identity: string,
  { everyMs, now }: { everyMs: number; now: () => number },
): Promise<CheckpointFile> {
  const found = await read(file, identity);
  let savedMs = now();
  let writing: Promise<void> = Promise.resolve();
  let failure: Error | undefined;
  let next: string | undefined;

  async function write(): Promise<void> {
    while (next !== undefined) {
      const text = next;
      next = undefined;
      const handle = await open(`${file}.part`, 'w', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(`${file}.part`, file);
    }
  }

  return {
    found,
    isDue: () => now() - savedMs >= everyMs,
    save(checkpoint) {
      savedMs = now();
      const isIdle = next === undefined;
      next = JSON.stringify({ version, ...checkpoint });
      if (isIdle) writing = writing.then(write).catch((error: Error) => void (failure = error));
    },
    async settled() {
      await writing;
      if (failure) throw failure;
    },
    async remove() {
      await writing;
      await rm(file, { force: true });
    },
  };
}

async function read(file: string, identity: string): Promise<BacktestCheckpoint | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  const stored = storedSchema.safeParse(parse(text));
  if (!stored.success) throw new CheckpointRefused(file, 'is no checkpoint of a backtest');
  if (stored.data.identity !== identity)
    throw new CheckpointRefused(file, 'belongs to a backtest of other patterns or another history');
  return stored.data as unknown as BacktestCheckpoint;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
