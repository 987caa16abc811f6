import { afterAll, beforeAll } from 'vitest';
import { createRedisState } from '../../src/adapters/state/redis.js';
import { describeStateContract } from '../contracts/state.contract.js';
import { startRedis, type RedisServer } from './support/redis-server.js';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describeStateContract('Redis', async () => {
  const options = { url: server.url, prefix: `test-${Math.random().toString(36).slice(2)}` };
  const [state, other] = [await createRedisState(options), await createRedisState(options)];
  return {
    state,
    other,
    opener: { module: new URL('support/redis-opener.ts', import.meta.url).href, config: options },
    close: async () => {
      await Promise.all([state.close(), other.close()]);
      await server.command('FLUSHALL');
    },
  };
});
