import { afterEach, describe, expect, it } from 'vitest';
import { createLmdbLog } from '../../../src/adapters/log/lmdb.js';
import { DataDirectoryError, openEnvironment } from '../../../src/adapters/lmdb-environment.js';
import { createLmdbState } from '../../../src/adapters/state/lmdb.js';
import type { LogTrouble } from '../../../src/ports/log.js';
import { contractPartitions, describeLogContract } from '../../contracts/log.contract.js';
import { temporaryDirectory, type TemporaryDirectory } from '../temporary-directory.js';

describeLogContract('LMDB', async () => {
  const directory = temporaryDirectory();
  const environment = openEnvironment({ directory: directory.path });
  const troubles: LogTrouble[] = [];
  const log = createLmdbLog(environment, { partitions: contractPartitions, onTrouble: (trouble) => troubles.push(trouble) });
  return {
    log,
    troubles,
    atomic: true,
    opener: { module: new URL('../openers.ts', import.meta.url).href, config: directory.path },
    close: async () => {
      await log.close();
      await environment.close();
      directory.remove();
    },
  };
});

describe('the embedded log', () => {
  const directories: TemporaryDirectory[] = [];
  afterEach(() => {
    for (const directory of directories.splice(0)) directory.remove();
  });
  const freshDirectory = () => {
    const directory = temporaryDirectory();
    directories.push(directory);
    return directory.path;
  };

  it('is the same after it was closed and opened again, offsets and advisory positions too', async () => {
    const directory = freshDirectory();
    const before = openEnvironment({ directory });
    const log = createLmdbLog(before, { partitions: contractPartitions });
    await log.append(['a', 'b', 'c'].map((value) => ({ topic: 'hits', partition: 1, value: Buffer.from(value) })));
    await log.trim('hits', 1, 1);
    const seen: number[] = [];
    const member = await log.join('g', 'hits', async () => ({
      start: 'earliest',
      limit: { recordsMax: 10, bytesMax: 1_000 },
      process: async (batch) => void seen.push(batch.next),
      close: async () => undefined,
    }));
    await expect.poll(() => seen).toEqual([3]);
    await member.leave();
    await log.close();
    await before.close();

    const after = openEnvironment({ directory });
    const again = createLmdbLog(after, { partitions: contractPartitions });
    expect(await again.bounds('hits', 1)).toEqual({ first: 1, next: 3 });
    expect(await again.committed('g', 'hits', 1)).toBe(3);
    expect(await again.committed('g', 'hits', 0)).toBeNull();
    await again.close();
    await after.close();
  });

  it('refuses another number of partitions than the directory was filled with', async () => {
    const directory = freshDirectory();
    const environment = openEnvironment({ directory });
    const log = createLmdbLog(environment, { partitions: contractPartitions });
    await log.append([{ topic: 'hits', partition: 0, value: Buffer.from('a') }]);
    const other = () => createLmdbLog(environment, { partitions: { ...contractPartitions, transactions: 8 } });
    expect(other).toThrow(DataDirectoryError);
    expect(other).toThrow(/transactions in 4 partitions, 8 are configured/);
    await environment.close();
  });

  it('has flushed a state change that was queued before an append once that append is durable', async () => {
    const environment = openEnvironment({ directory: freshDirectory() });
    const log = createLmdbLog(environment, { partitions: contractPartitions });
    const state = createLmdbState(environment);
    let stateDone = false;
    const commit = state.commit('s', { put: [{ key: 'a', value: Buffer.from('1') }] }).then(() => (stateDone = true));
    await log.append([{ topic: 'hits', partition: 0, value: Buffer.from('a') }]);
    expect(stateDone).toBe(true);
    await commit;
    await environment.close();
  });

  it('shares one flush among appends that come at the same time', async () => {
    const environment = openEnvironment({ directory: freshDirectory() });
    const log = createLmdbLog(environment, { partitions: contractPartitions });
    const appendOnce = () => log.append([{ topic: 'hits', partition: 0, value: Buffer.alloc(500) }]);
    await appendOnce();
    const time = async (work: () => Promise<unknown>) => {
      const startMs = performance.now();
      await work();
      return performance.now() - startMs;
    };
    const together = await time(() => Promise.all(Array.from({ length: 300 }, appendOnce)));
    const apart = await time(async () => {
      for (let i = 0; i < 300; i++) await appendOnce();
    });
    expect(together).toBeLessThan(apart / 2);
    await environment.close();
  });

  it('fails only the append that is at fault when several wait for the same flush', async () => {
    const environment = openEnvironment({ directory: freshDirectory() });
    const log = createLmdbLog(environment, { partitions: contractPartitions });
    const good = (value: string) => log.append([{ topic: 'hits', partition: 0, value: Buffer.from(value) }]);
    const results = await Promise.allSettled([
      good('a'),
      environment.write(10, () => {
        throw new Error('at fault');
      }),
      good('b'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const { records } = await log.read('hits', 0, 0, { recordsMax: 10, bytesMax: 100 });
    expect(records.map(({ value }) => Buffer.from(value).toString())).toEqual(['a', 'b']);
    await environment.close();
  });

  it('refuses a record of more than 64 MiB and says which', async () => {
    const environment = openEnvironment({ directory: freshDirectory() });
    const log = createLmdbLog(environment, { partitions: contractPartitions });
    await expect(log.append([{ topic: 'hits', partition: 0, value: new Uint8Array(64 * 2 ** 20 + 1) }])).rejects.toThrow(
      /hits\/0: a record of 67108865 bytes/,
    );
    await environment.close();
  });
});
