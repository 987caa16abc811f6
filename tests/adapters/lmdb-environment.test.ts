import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataDirectoryError, openEnvironment } from '../../src/adapters/lmdb-environment.js';
import { createLmdbState } from '../../src/adapters/state/lmdb.js';
import { temporaryDirectory, type TemporaryDirectory } from './temporary-directory.js';

describe('the LMDB environment', () => {
  let directory: TemporaryDirectory;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  it('refuses a directory that is a file, in one sentence', () => {
    const path = join(directory.path, 'file');
    writeFileSync(path, '');
    expect(() => openEnvironment({ directory: path })).toThrow(/^Data directory .*file is not a directory: .*HUQI_DATA_DIR/);
  });

  it('refuses a file that is no database, in one sentence', () => {
    writeFileSync(join(directory.path, 'huqi.mdb'), 'this is not a database'.repeat(1_000));
    expect(() => openEnvironment({ directory: directory.path })).toThrow(DataDirectoryError);
  });

  it('lets the process end while it writes', () => {
    const script = fileURLToPath(new URL('./commit-storm.ts', import.meta.url));
    for (let run = 0; run < 4; run++) {
      const { status, signal, stderr } = spawnSync(process.execPath, ['--import', 'tsx', script, directory.path], {
        timeout: 30_000,
        encoding: 'utf8',
      });
      expect({ status, signal, stderr }).toEqual({ status: 7, signal: null, stderr: '' });
    }
  });

  it('undoes what an operation wrote before it threw', async () => {
    const environment = openEnvironment({ directory: directory.path });
    const table = environment.textTable('t');
    const failing = environment.write(1, () => {
      void table.put('half', Buffer.from('1'));
      throw new Error('in the middle');
    });
    await expect(failing).rejects.toThrow('in the middle');
    environment.refresh();
    expect(table.getBinary('half')).toBeUndefined();
    await environment.close();
  });

  it('does what is queued before it closes, and refuses what comes after', async () => {
    const environment = openEnvironment({ directory: directory.path });
    const state = createLmdbState(environment);
    const queued = Array.from({ length: 50 }, (_, i) => state.commit('s', { put: [{ key: `${i}`, value: Buffer.from('1') }] }));
    await environment.close();
    expect(await Promise.all(queued)).toHaveLength(50);
    await expect(state.commit('s', { put: [{ key: 'late', value: Buffer.from('1') }] })).rejects.toThrow(/closed/);
    const again = openEnvironment({ directory: directory.path });
    expect(await createLmdbState(again).scan('s', { prefix: '', limit: 100 })).toHaveLength(50);
    await again.close();
  });

  it('refuses more than the queue holds instead of growing without end', async () => {
    const environment = openEnvironment({ directory: directory.path });
    const writes = Array.from({ length: 6 }, () => environment.write(100 * 2 ** 20, () => 'done'));
    const results = await Promise.allSettled(writes);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
    const last = results.at(-1);
    expect(last?.status === 'rejected' && last.reason instanceof DataDirectoryError && last.reason.retriable).toBe(true);
    expect(await environment.write(1, () => 'room again')).toBe('room again');
    await environment.close();
  });

  // A file size limit stands in for a full disk: the kernel refuses to write beyond it in the same way.
  it.skipIf(process.platform !== 'linux')(
    'rejects a write that does not fit on the disk, keeps all earlier ones, says that it is time to end, and lives on',
    () => {
      const script = fileURLToPath(new URL('./fill-disk.ts', import.meta.url));
      const limited = `trap '' XFSZ; ulimit -f 2048; exec "${process.execPath}" --import tsx "${script}" "${directory.path}"`;
      const { stdout, status } = spawnSync('bash', ['-c', limited], { encoding: 'utf8' });
      const told = JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as Record<string, unknown>;
      expect(told).toMatchObject({ error: 'DataDirectoryError', lost: 0, unhandled: 0, after: 'committed', isTold: true });
      expect(told.message).toMatch(/^Data directory .*\. (Check the disk|Free some space)/);
      expect(told.kept).toBeGreaterThan(5);
      expect(status).toBe(0);
    },
  );
});
