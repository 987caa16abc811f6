import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRedisState, type RedisTrouble } from '../../src/adapters/state/redis.js';
import { Unavailable } from '../../src/ports/unavailable.js';
import { describeStateContract } from '../contracts/state.contract.js';
import { startRedis, startRedisPair, valkeyProgram, type RedisServer } from './support/redis-server.js';

const put = [{ key: 'a', value: Buffer.from('1') }];

/** WAITAOF came with Redis 7.2, of which Valkey is the continuation; Debian's Redis is older. */
describe.skipIf(!existsSync(valkeyProgram))('Valkey, which has WAITAOF (needs valkey-server)', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ program: valkeyProgram });
  });
  const ends: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const end of [...ends, () => server.stop()]) await end();
  });

  describeStateContract('Valkey', async () => {
    const options = { url: server.url, prefix: `test-${Math.random().toString(36).slice(2)}` };
    const [state, other] = [await createRedisState(options), await createRedisState(options)];
    return {
      state,
      other,
      opener: { module: new URL('support/redis-opener.ts', import.meta.url).href, config: options },
      close: async () => void (await Promise.all([state.close(), other.close()])),
    };
  });

  it('is asked after every group of commits whether they are on its disk', async () => {
    const state = await createRedisState({ url: server.url });
    const calls = async () =>
      Number(/cmdstat_waitaof:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? '0');
    await state.commit('s', { put });
    const before = await calls();
    for (let i = 0; i < 10; i++) await state.commit('s', { put });
    expect((await calls()) - before).toBe(10);
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => state.commit('s', { put: [{ key: `${i}`, value: Buffer.from('1') }] })),
    );
    expect((await calls()) - before).toBeLessThan(20);
    await state.close();
  });

  it('that stops keeping its append-only file is left at once', async () => {
    const state = await createRedisState({ url: server.url });
    await state.commit('s', { put });
    await server.command('CONFIG', 'SET', 'appendonly', 'no');
    await expect(state.commit('s', { put })).rejects.toThrow(/no longer keeps an append-only file|keeps no append-only file/);
    await server.command('CONFIG', 'SET', 'appendonly', 'yes');
    await state.close();
  });

  it('whose settings may not be read answers for the flush itself', async () => {
    const closed = await startRedis({ program: valkeyProgram, settings: ['--rename-command', 'CONFIG', ''] });
    const troubles: RedisTrouble[] = [];
    const state = await createRedisState({ url: closed.url, onTrouble: (trouble) => troubles.push(trouble) });
    expect(await state.commit('s', { put })).toBe('committed');
    expect(troubles.map(({ error }) => error?.message)).toEqual([expect.stringMatching(/WAITAOF is asked after every commit/)]);
    await state.close();
    await closed.stop();
  });

  it('with replicas waits for them, too, and not for the second in which they tell what they have flushed', async () => {
    const { master, replica } = await startRedisPair({ program: valkeyProgram });
    ends.push(
      () => master.stop(),
      () => replica.stop(),
    );
    const state = await createRedisState({ url: master.url, replicasMin: 1, replyMsMax: 600, deadlineMs: 2_500 });
    for (let i = 0; i < 20; i++) expect(await state.commit('s', { put })).toBe('committed');
    process.kill(replica.pid, 'SIGSTOP');
    const failed = await state.commit('s', { put }).catch((error: unknown) => error);
    process.kill(replica.pid, 'SIGCONT');
    expect(failed).toBeInstanceOf(Unavailable);
    expect(String(failed)).toMatch(/0 of its replicas have the latest commits/);
    expect(await state.commit('s', { put })).toBe('committed');
    await state.close();
  });
});
