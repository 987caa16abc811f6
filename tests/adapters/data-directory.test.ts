import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireDataDirectory, DataDirectoryError, isPrivate } from '../../src/adapters/data-directory.js';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.js';

const holderScript = fileURLToPath(new URL('./lock-holder.ts', import.meta.url));

/** A process of its own that takes the directory and says what came of it. */
async function startHolder(directory: string): Promise<{ said: string; pid: number; kill: () => Promise<void> }> {
  const child = spawn(process.execPath, ['--import', 'tsx', holderScript, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'close');
  const [said] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return {
    said,
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

describe('the data directory', () => {
  let directory: TemporaryDirectory;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  it('is made where it is missing, and refused to a second platform with the pid of the first', async () => {
    const path = join(directory.path, 'new', 'data');
    const lock = await acquireDataDirectory(path);
    await expect(acquireDataDirectory(path)).rejects.toThrow(
      new RegExp(`^Data directory ${path} is in use by process ${process.pid}: stop it first`),
    );
    const { said, kill } = await startHolder(path);
    expect(said).toBe(
      `DataDirectoryError: Data directory ${path} is in use by process ${process.pid}: stop it first, or set HUQI_DATA_DIR to another directory.`,
    );
    await kill();
    await lock.release();
  });

  it('is made for its owner only, and one that is there keeps its rights', async () => {
    const path = join(directory.path, 'made', 'data');
    await (await acquireDataDirectory(path)).release();
    expect(statSync(path).mode & 0o777).toBe(0o700);
    chmodSync(path, 0o750);
    await (await acquireDataDirectory(path)).release();
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(isPrivate(path)).toBe(false);
  });

  it('is free again at once after its holder was killed', async () => {
    const holder = await startHolder(directory.path);
    expect(holder.said).toBe('taken');
    await expect(acquireDataDirectory(directory.path)).rejects.toThrow(`process ${holder.pid}`);
    await holder.kill();
    const lock = await acquireDataDirectory(directory.path);
    await lock.release();
  });

  it('is free again after it was released, and nothing of the lock is left', async () => {
    const lock = await acquireDataDirectory(directory.path);
    await lock.release();
    expect(existsSync(join(directory.path, 'huqi.lock'))).toBe(false);
    const next = await acquireDataDirectory(directory.path);
    await next.release();
  });

  it('goes to exactly one of those who try to take over a dead one at the same moment', async () => {
    const dead = await startHolder(directory.path);
    await dead.kill();
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => acquireDataDirectory(directory.path)));
    const locks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(locks).toHaveLength(1);
    for (const lock of locks) await lock.release();
  });

  it('may have a path longer than a socket address holds', async () => {
    const path = join(directory.path, 'x'.repeat(120));
    const lock = await acquireDataDirectory(path);
    await expect(acquireDataDirectory(path)).rejects.toThrow('in use by process');
    await lock.release();
    const next = await acquireDataDirectory(path);
    await next.release();
  });

  it('is refused in one sentence where it is a file', async () => {
    const path = join(directory.path, 'file');
    writeFileSync(path, '');
    await expect(acquireDataDirectory(path)).rejects.toThrow(/is not a directory:/);
    await expect(acquireDataDirectory(join(path, 'below'))).rejects.toThrow(DataDirectoryError);
  });

  it.skipIf(process.getuid?.() === 0)('is refused in one sentence where it cannot be written', async () => {
    chmodSync(directory.path, 0o500);
    await expect(acquireDataDirectory(directory.path)).rejects.toThrow(/cannot be written/);
    chmodSync(directory.path, 0o700);
  });

  it('is refused where the system lets nobody write', async () => {
    await expect(acquireDataDirectory('/proc/huqi')).rejects.toThrow(DataDirectoryError);
  });
});
