import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { FirstKeysKeeper } from '../pipeline/keys.js';

/** Where the first keys stand, readable by the directory's owner only. */
export const firstKeysFile = (dataDir: string): string => join(dataDir, 'keys.json');

/**
 * Writes them beside that file first: of two processes that start at once on the same state, the keys of one become valid. Killed
 * right after they became valid, they stand in the file that is named like it.
 */
export function keepFirstKeys(dataDir: string): FirstKeysKeeper {
  return async (keys) => {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const draft = `${firstKeysFile(dataDir)}.${randomUUID().slice(0, 8)}`;
    await writeFile(draft, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600, flush: true });
    await chmod(draft, 0o600);
    return {
      confirm: () => rename(draft, firstKeysFile(dataDir)),
      discard: () => rm(draft, { force: true }),
    };
  };
}
