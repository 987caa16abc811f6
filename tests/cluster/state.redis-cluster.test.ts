import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRedisState, StoreLost, type RedisState, type RedisTrouble } from '../../src/adapters/state/redis.js';
import { describeStateContract } from '../contracts/state.contract.js';
import { startRedisCluster, until, type RedisServer } from './support/redis-server.js';

let servers: readonly RedisServer[];
beforeAll(async () => {
  servers = await startRedisCluster();
});
afterAll(() => Promise.all(servers.map((server) => server.stop())));

const url = () => `redis://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
const opener = new URL('support/redis-opener.ts', import.meta.url).href;
const newPrefix = () => `test-${Math.random().toString(36).slice(2)}`;

describeStateContract('Redis Cluster', async () => {
  const options = { url: url(), prefix: newPrefix() };
  const [state, other] = [await createRedisState(options), await createRedisState(options)];
  return {
    state,
    other,
    opener: { module: opener, config: options },
    close: async () => void (await Promise.all([state.close(), other.close()])),
  };
});

describe('the state on a cluster', () => {
  let state: RedisState;
  let prefix: string;
  const troubles: RedisTrouble[] = [];
  const slots = Array.from({ length: 24 }, (_, i) => `slot-${i}`);
  const openState = (only = url()) =>
    createRedisState({ url: only, prefix, replyMsMax: 1_000, onTrouble: (trouble) => troubles.push(trouble) });
  const next = (slot: string, from: number) =>
    state.commit(slot, {
      expect: [{ key: 'n', value: from === 0 ? null : Buffer.from(`${from}`) }],
      put: [{ key: 'n', value: Buffer.from(`${from + 1}`) }],
    });
  const number = async (slot: string) => Number((await state.get(slot, ['n']))[0]?.toString() ?? '0');
  const advance = async () => {
    for (const slot of slots) expect(await next(slot, await number(slot))).toBe('committed');
  };
  const ownerOf = async (key: string) => {
    const hashSlot = await servers[0]!.command('CLUSTER', 'KEYSLOT', key);
    for (const server of servers) {
      const found = await server.command('CLUSTER', 'COUNTKEYSINSLOT', hashSlot as number);
      if (Number(found) > 0) return server;
    }
    throw new Error(`nobody holds ${key}`);
  };

  afterEach(async () => {
    await state.close();
    troubles.length = 0;
  });
  const begin = async (only?: string) => {
    prefix = newPrefix();
    state = await openState(only);
  };

  it('spreads slots over the masters, found from any one of them', async () => {
    await begin(`redis://127.0.0.1:${servers[1]!.port}`);
    await Promise.all(slots.map((slot) => next(slot, 0)));
    const owners = new Set(await Promise.all(slots.map(async (slot) => (await ownerOf(`{${prefix}:${slot}}:head`)).port)));
    expect(owners.size).toBe(3);
    expect(await Promise.all(slots.map(number))).toEqual(slots.map(() => 1));
  });

  it('goes on when a master is killed and comes back', async () => {
    await begin();
    await advance();
    await servers[2]!.kill();
    const waiting = advance();
    await servers[2]!.restart();
    await waiting;
    expect(await Promise.all(slots.map(number))).toEqual(slots.map(() => 2));
    expect(troubles.map(({ kind }) => kind)).toContain('recovered');
  });

  it('follows a hash slot that is moved to another master while it commits', async () => {
    await begin();
    await advance();
    const tag = `{${prefix}:slot-0}`;
    const hashSlot = Number(await servers[0]!.command('CLUSTER', 'KEYSLOT', tag));
    const from = await ownerOf(`${tag}:head`);
    const to = servers.find((server) => server !== from)!;
    const [fromId, toId] = await Promise.all([from, to].map(async (server) => String(await server.command('CLUSTER', 'MYID'))));
    let stop = false;
    const stopped = () => stop;
    let count = 1;
    const writer = (async () => {
      while (!stopped()) {
        expect(await next('slot-0', count)).toBe('committed');
        count++;
      }
    })();
    await to.command('CLUSTER', 'SETSLOT', hashSlot, 'IMPORTING', fromId!);
    await from.command('CLUSTER', 'SETSLOT', hashSlot, 'MIGRATING', toId!);
    for (const part of ['values', 'order', 'head', 'recent'])
      await from.command('MIGRATE', '127.0.0.1', to.port, `${tag}:${part}`, 0, 5_000);
    const half = count;
    for (const server of [to, from, ...servers]) await server.command('CLUSTER', 'SETSLOT', hashSlot, 'NODE', toId!);
    await until('commits at the new master', () => count > half + 20);
    stop = true;
    await writer;
    expect(await number('slot-0')).toBe(count);
    expect((await ownerOf(`${tag}:head`)).port).toBe(to.port);
  });

  it('notices that a master has come back empty, whichever it was', async () => {
    await begin();
    await advance();
    const home = await ownerOf(`{${prefix}}:store`);
    const owners = await Promise.all(slots.map(async (slot) => ownerOf(`{${prefix}:${slot}}:head`)));
    const away = slots.find((_, i) => owners[i] !== home)!;
    await owners[slots.indexOf(away)]!.command('FLUSHALL');
    await expect(next(away, 1)).rejects.toBeInstanceOf(StoreLost);
    await state.close();
    state = await openState();
    expect(state.isNew).toBe(false);
    await expect(next(away, 0)).rejects.toThrow(/which held state, is gone/);
    await state.close();
    // The one that held the store's id: what the others hold is of another store then.
    await home.command('FLUSHALL');
    state = await openState();
    expect(state.isNew).toBe(true);
    const left = slots.find((_, i) => owners[i] !== home && owners[i] !== owners[slots.indexOf(away)])!;
    await expect(next(left, 1)).rejects.toThrow(/belongs to another store/);
  });
});
