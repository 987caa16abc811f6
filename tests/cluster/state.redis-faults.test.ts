import { afterEach, describe, expect, it, vi } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createRedisState,
  StoreLost,
  type RedisState,
  type RedisStateOptions,
  type RedisTrouble,
} from '../../src/adapters/state/redis.js';
import { Unavailable } from '../../src/ports/unavailable.js';
import type { State } from '../../src/ports/state.js';
import { startFaultProxy, type FaultProxy } from './support/fault-proxy.js';
import { startRedis, startRedisPair, until, type RedisServer, type RedisServerOptions } from './support/redis-server.js';

const toEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
});

const quick = { replyMsMax: 500, deadlineMs: 10_000 };

async function open(options: RedisStateOptions): Promise<{ state: RedisState; troubles: RedisTrouble[] }> {
  const troubles: RedisTrouble[] = [];
  const state = await createRedisState({ ...quick, ...options, onTrouble: (trouble) => troubles.push(trouble) });
  toEnd.push(() => state.close());
  return { state, troubles };
}

async function serve(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  toEnd.push(() => server.stop());
  return server;
}

async function proxyTo(port: number): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ target: port });
  toEnd.push(() => proxy.close());
  return proxy;
}

/** A server behind a proxy: `state` goes through it, `direct` does not. */
async function behindProxy(options: Partial<RedisStateOptions> = {}) {
  const server = await serve();
  const proxy = await proxyTo(server.port);
  const { state, troubles } = await open({ url: `redis://127.0.0.1:${proxy.port}`, ...options });
  const { state: direct } = await open({ url: server.url });
  return { server, proxy, state, troubles, direct };
}

const bytes = (text: string) => Buffer.from(text);
const put = (state: State, key: string, value: string) => state.commit('s', { put: [{ key, value: bytes(value) }] });
const swap = (state: State, key: string, from: string | null, to: string) =>
  state.commit('s', {
    expect: [{ key, value: from === null ? null : bytes(from) }],
    put: [{ key, value: bytes(to) }],
  });
const read = async (state: State, key: string) => (await state.get('s', [key]))[0]?.toString() ?? null;

describe('a commit whose reply is lost', () => {
  it('is applied once and answered as it ended', async () => {
    const { proxy, state, server } = await behindProxy();
    await put(state, 'a', 'one');
    const lost = proxy.cutReplies('reply-is-lost');
    expect(await swap(state, 'a', 'one', 'reply-is-lost')).toBe('committed');
    await lost;
    expect(await read(state, 'a')).toBe('reply-is-lost');
    expect(String(await server.command('HGET', '{huqi:s}:head', 'commits'))).toBe('2');
  });

  it('is answered as it ended even when its reply is lost again and again', async () => {
    const { proxy, state } = await behindProxy();
    await put(state, 'a', 'one');
    const lost = proxy.cutReplies('lost-three-times', 3);
    expect(await swap(state, 'a', 'one', 'lost-three-times')).toBe('committed');
    await lost;
    const refused = proxy.cutReplies('never-stored', 2);
    expect(await swap(state, 'a', 'one', 'never-stored')).toBe('conflict');
    await refused;
    expect(await read(state, 'a')).toBe('lost-three-times');
  });

  it('keeps a long chain right while connections are cut all the time', async () => {
    const { proxy, state, direct } = await behindProxy();
    const chain = async (key: string) => {
      for (let i = 0; i < 150; i++) {
        if (i % 10 === 3) void proxy.cutReplies(`${key}=${i + 1};`);
        const from = i === 0 ? null : `${key}=${i};`;
        expect(await swap(state, key, from, `${key}=${i + 1};`)).toBe('committed');
      }
    };
    await Promise.all(['a', 'b', 'c'].map(chain));
    for (const key of ['a', 'b', 'c']) expect(await read(direct, key)).toBe(`${key}=150;`);
  });

  it('does not happen later, when a stalled network delivers it after all', async () => {
    const { proxy, state, direct } = await behindProxy();
    await put(direct, 'a', 'one');
    await read(state, 'a');
    proxy.stallStanding();
    expect(await swap(state, 'a', 'one', 'two')).toBe('committed');
    // What the late attempt expects holds again.
    expect(await swap(direct, 'a', 'two', 'one')).toBe('committed');
    proxy.resume();
    await sleep(500);
    expect(await read(direct, 'a')).toBe('one');
  });

  it('does not happen later, when it was answered as refused meanwhile', async () => {
    const { proxy, state, direct } = await behindProxy();
    await put(direct, 'a', 'one');
    await read(state, 'a');
    proxy.stallStanding();
    expect(await swap(state, 'a', 'zero', 'late')).toBe('conflict');
    expect(await swap(direct, 'a', 'one', 'zero')).toBe('committed');
    proxy.resume();
    await sleep(500);
    expect(await read(direct, 'a')).toBe('zero');
  });

  it('is unknown, and told so, when more commits came after it than the slot remembers', async () => {
    const { proxy, state, direct } = await behindProxy();
    await put(state, 'a', 'one');
    const lost = proxy.cutReplies('forgotten');
    const commit = swap(state, 'a', 'one', 'forgotten');
    commit.catch(() => undefined);
    await lost;
    proxy.refuse();
    for (let i = 0; i < 1_100; i += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => put(direct, 'b', `${i + k}`)));
    proxy.resume();
    await expect(commit).rejects.toThrow(/more than 1024 commits since.*may or may not have happened/);
    await expect(commit).rejects.toBeInstanceOf(Unavailable);
  });
});

describe('a connection', () => {
  it('that gives no reply is ridden out until the deadline, then the call is unavailable, and later ones go on', async () => {
    const { proxy, state, direct } = await behindProxy({ deadlineMs: 1_500 });
    await put(state, 'a', 'one');
    proxy.stall();
    const outcomes = await Promise.allSettled([
      put(state, 'a', 'two'),
      read(state, 'a'),
      state.scan('s', { prefix: '', limit: 1 }),
    ]);
    for (const outcome of outcomes) {
      expect(outcome.status === 'rejected' && outcome.reason).toBeInstanceOf(Unavailable);
      expect(outcome.status === 'rejected' && String(outcome.reason)).toMatch(/could not be used for 1.5 s/);
    }
    proxy.resume();
    await put(state, 'b', 'three');
    expect(await read(direct, 'b')).toBe('three');
  });

  it('that swallows replies is given up for another', async () => {
    const { proxy, state } = await behindProxy();
    await put(state, 'a', 'one');
    proxy.swallowReplies();
    const commit = swap(state, 'a', 'one', 'two');
    await sleep(700);
    proxy.resume();
    expect(await commit).toBe('committed');
  });

  it('that is reset or slow in the middle of reads costs no answer', async () => {
    const { proxy, state, troubles } = await behindProxy();
    await put(state, 'a', 'x'.repeat(100_000));
    proxy.delay(20);
    const reads = Array.from({ length: 50 }, () => read(state, 'a'));
    await sleep(30);
    proxy.reset();
    expect((await Promise.all(reads)).every((value) => value?.length === 100_000)).toBe(true);
    expect(troubles.map(({ kind }) => kind)).toContain('lost');
    expect(troubles.at(-1)?.kind).toBe('recovered');
  });

  it('is not tried for in a spin while nobody is there', async () => {
    const { proxy, state } = await behindProxy({ deadlineMs: 3_000 });
    await put(state, 'a', 'one');
    proxy.refuse();
    const before = proxy.connectionsMade;
    const timers = vi.spyOn(globalThis, 'setTimeout'); // each attempt sets one
    await Promise.allSettled(Array.from({ length: 50 }, (_, i) => put(state, `k${i}`, 'v')));
    expect(timers.mock.calls.length).toBeGreaterThan(50);
    expect(timers.mock.calls.length).toBeLessThan(2_000);
    timers.mockRestore();
    expect(proxy.connectionsMade - before).toBeLessThan(200);
    const settled = proxy.connectionsMade;
    await sleep(500); // the attempt that was under way at the deadline ends by itself: two connections at most
    const made = proxy.connectionsMade;
    expect(made - settled).toBeLessThanOrEqual(2);
    await sleep(500);
    expect(proxy.connectionsMade).toBe(made);
  });
});

describe('a Redis that dies', () => {
  it('has everything that it acknowledged when it comes back, and the calls go on', async () => {
    const server = await serve();
    const { state } = await open({ url: server.url });
    let acknowledged = 0;
    let stop = false;
    const stopped = () => stop;
    const writer = (async () => {
      for (let i = 1; !stopped(); i++) {
        expect(await swap(state, 'n', i === 1 ? null : `${i - 1}`, `${i}`)).toBe('committed');
        acknowledged = i;
      }
    })();
    for (let round = 0; round < 4; round++) {
      const seen = acknowledged;
      await until('some commits', () => acknowledged > seen + 20);
      await server.kill();
      const before = acknowledged;
      await server.restart();
      expect(Number(await server.command('HGET', '{huqi:s}:values', 'n'))).toBeGreaterThanOrEqual(before);
    }
    stop = true;
    await writer;
    expect(await read(state, 'n')).toBe(`${acknowledged}`);
    expect(Number(await server.command('HGET', '{huqi:s}:head', 'commits'))).toBe(acknowledged);
    // The scripts are forgotten by a restart, too: scanning needs its own again.
    expect(await state.scan('s', { prefix: '', limit: 10 })).toHaveLength(1);
  });

  it('and comes back empty is not taken for a new one', async () => {
    const server = await serve();
    const { state, troubles } = await open({ url: server.url });
    await put(state, 'a', 'one');
    await server.kill();
    server.wipe();
    await server.restart();
    const failed = await put(state, 'a', 'two').catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(StoreLost);
    expect(failed).toMatchObject({ retriable: false });
    expect(String(failed)).toMatch(/it is empty: the state that it held is gone.*restore/);
    // And so from now on, even if somebody makes a store there.
    await (await createRedisState({ url: server.url })).close();
    await expect(read(state, 'a')).rejects.toBe(failed);
    await expect(state.scan('other', { prefix: '', limit: 1 })).rejects.toBe(failed);
    expect(troubles.filter(({ kind }) => kind === 'fatal')).toHaveLength(1);
  });

  it('and is emptied under a standing connection is noticed by reads and by commits', async () => {
    for (const use of [
      (state: State) => read(state, 'a'),
      (state: State) => put(state, 'a', 'x'),
      (state: State) => state.scan('s', { prefix: '', limit: 1 }),
    ]) {
      const server = await serve();
      const { state } = await open({ url: server.url });
      await put(state, 'a', 'one');
      await server.command('FLUSHALL');
      await expect(use(state)).rejects.toBeInstanceOf(StoreLost);
      // A process that starts over what is left, less the one slot, knows that it was there.
      const { state: fresh } = await open({ url: server.url, prefix: 'again' });
      expect(fresh.isNew).toBe(true);
      await put(fresh, 'a', 'one');
      await server.command('DEL', '{again:s}:head', '{again:s}:values', '{again:s}:order', '{again:s}:recent');
      const { state: later } = await open({ url: server.url, prefix: 'again' });
      expect(later.isNew).toBe(false);
      await expect(use(later)).rejects.toThrow(/slot "s", which held state, is gone/);
    }
  });
});

describe('a master whose replica takes its place', () => {
  it('is followed when it dies', async () => {
    const { master, replica } = await startRedisPair();
    toEnd.push(
      () => master.stop(),
      () => replica.stop(),
    );
    const { state } = await open({
      url: `redis://127.0.0.1:${master.port},127.0.0.1:${replica.port}`,
      replicasMin: 1,
      deadlineMs: 3_000,
    });
    for (let i = 1; i <= 50; i++) expect(await swap(state, 'n', i === 1 ? null : `${i - 1}`, `${i}`)).toBe('committed');
    await master.kill();
    const waiting = swap(state, 'm', null, 'after');
    waiting.catch(() => undefined);
    await sleep(300);
    await replica.command('REPLICAOF', 'NO', 'ONE');
    // A replica is still asked for, and none is left.
    await expect(waiting).rejects.toThrow(/0 of its replicas have the latest commits and redis.replicasMin is 1/);
    const { state: alone } = await open({ url: `redis://127.0.0.1:${master.port},127.0.0.1:${replica.port}` });
    expect(await swap(alone, 'n', '50', '51')).toBe('committed');
    expect(await read(state, 'n')).toBe('51');
    // The old master comes back and does not know: nobody goes on with either.
    await master.restart();
    await expect(
      createRedisState({ url: `redis://127.0.0.1:${master.port},127.0.0.1:${replica.port}`, deadlineMs: 1_000 }),
    ).rejects.toThrow(/each says it is the master; make all but the right one replicas of it/);
  });

  it('is followed when it is demoted while connections stand, for commits and for reads', async () => {
    const { master, replica } = await startRedisPair();
    toEnd.push(
      () => master.stop(),
      () => replica.stop(),
    );
    const { state: writer } = await open({ url: `redis://127.0.0.1:${master.port},127.0.0.1:${replica.port}` });
    const { state: reader } = await open({ url: `redis://127.0.0.1:${master.port},127.0.0.1:${replica.port}` });
    await put(writer, 'a', 'one');
    expect(await read(reader, 'a')).toBe('one');
    await until('the replica to have it', async () => String(await replica.command('HGET', '{huqi:s}:values', 'a')) === 'one');
    await replica.command('REPLICAOF', 'NO', 'ONE');
    // It cannot reach its master and goes on answering with what it has.
    await master.command('REPLICAOF', '127.0.0.1', 1);
    expect(await swap(writer, 'a', 'one', 'two')).toBe('committed');
    expect(await read(reader, 'a')).toBe('two');
    expect(String(await replica.command('HGET', '{huqi:s}:values', 'a'))).toBe('two');
  });

  it('is followed at one address that leads elsewhere afterwards, and a chain whose end was lost does not go on by itself', async () => {
    const { master, replica } = await startRedisPair();
    toEnd.push(
      () => master.stop(),
      () => replica.stop(),
    );
    const proxy = await proxyTo(master.port);
    const { state } = await open({ url: `redis://127.0.0.1:${proxy.port}` });
    await put(state, 'chain', 'kept');
    await until(
      'the replica to have it',
      async () => String(await replica.command('HGET', '{huqi:s}:values', 'chain')) === 'kept',
    );
    await replica.command('REPLICAOF', 'NO', 'ONE'); // from here on the replica misses what the master acknowledges
    expect(await swap(state, 'chain', 'kept', 'lost')).toBe('committed');
    await master.kill();
    proxy.retarget(replica.port);
    expect(await swap(state, 'chain', 'lost', 'next')).toBe('conflict');
    expect(await read(state, 'chain')).toBe('kept');
    expect(await swap(state, 'chain', 'kept', 'next')).toBe('committed');
  });
});

describe('replicas that must have a commit', () => {
  it('hold it up while they stand still, and it is known as one when they go on', async () => {
    const { master, replica } = await startRedisPair();
    toEnd.push(
      () => master.stop(),
      () => replica.stop(),
    );
    const { state } = await open({ url: master.url, replicasMin: 1, replyMsMax: 1_000, deadlineMs: 20_000 });
    await put(state, 'a', 'one');
    process.kill(replica.pid, 'SIGSTOP');
    let ended = false;
    const commit = swap(state, 'a', 'one', 'two').finally(() => (ended = true));
    await sleep(1_500);
    expect(ended).toBe(false);
    process.kill(replica.pid, 'SIGCONT');
    expect(await commit).toBe('committed');
    expect(String(await master.command('HGET', '{huqi:s}:head', 'commits'))).toBe('2');
  });
});

describe('a store in which nothing was ever committed', () => {
  it('is new to whoever opens it, until the first commit of anybody', async () => {
    const server = await serve();
    const { state: first } = await open({ url: server.url });
    const { state: second } = await open({ url: server.url });
    expect([first.isNew, second.isNew]).toEqual([true, true]);
    await put(first, 'a', 'one');
    expect((await open({ url: server.url })).state.isNew).toBe(false);
    expect(await read(second, 'a')).toBe('one');
  });
});

describe('a slot that several begin at once', () => {
  it('is not taken for one that was lost', async () => {
    const server = await serve();
    const states = await Promise.all(Array.from({ length: 4 }, async () => (await open({ url: server.url })).state));
    const slots = Array.from({ length: 200 }, (_, i) => `slot-${i}`);
    const claim = (state: State, slot: string, i: number) =>
      state.commit(slot, { expect: [{ key: 'owner', value: null }], put: [{ key: 'owner', value: bytes(`${i}`) }] });
    for (const slot of slots) {
      const reads = states.flatMap((state) => [state.get(slot, ['owner']), state.scan(slot, { prefix: '', limit: 1 })]);
      const results = await Promise.all(states.map((state, i) => claim(state, slot, i)));
      expect(results.filter((result) => result === 'committed')).toHaveLength(1);
      await Promise.all(reads);
    }
  });
});

describe('a Redis whose memory is full', () => {
  it('holds commits up, keeps each whole, and goes on once there is room', async () => {
    const server = await serve();
    const { state, troubles } = await open({ url: server.url, deadlineMs: 1_000 });
    await put(state, 'a', 'one');
    await server.command('CONFIG', 'SET', 'maxmemory', '10kb');
    await expect(put(state, 'a', 'two')).rejects.toThrow(/its memory is full; raise maxmemory/);
    expect(await read(state, 'a')).toBe('one');
    expect(troubles.map(({ kind }) => kind)).toContain('refused');
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(await swap(state, 'a', 'one', 'two')).toBe('committed');
  });
});
