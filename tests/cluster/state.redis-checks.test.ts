import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import {
  checkRedis,
  createRedisState,
  RedisRefused,
  type RedisStateOptions,
  type RedisTrouble,
} from '../../src/adapters/state/redis.js';
import { freePort, startRedis, startRedisPair, type RedisServer, type RedisServerOptions } from './support/redis-server.js';

const toEnd: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
});

async function serve(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  toEnd.push(() => server.stop());
  return server;
}

/** What the state refuses to begin with, as text. */
async function refusal(options: RedisStateOptions): Promise<string> {
  const failed = await createRedisState({ deadlineMs: 1_000, replyMsMax: 500, ...options }).then(
    (state) => state.close(),
    (error: unknown) => error,
  );
  expect(failed).toBeInstanceOf(RedisRefused);
  expect(failed).toMatchObject({ retriable: false });
  return failed instanceof Error ? failed.message : '';
}

/** All that is not good; a slow machine may find the trial commit slow. */
const faultsOf = (findings: Awaited<ReturnType<typeof checkRedis>>) =>
  findings.filter(({ check, verdict }) => verdict === 'bad' || (verdict === 'doubtful' && check !== 'commit'));

const put = [{ key: 'a', value: Buffer.from('1') }];

describe('a Redis that would lose what it acknowledges is refused', () => {
  it.each<[string, RedisServerOptions, RegExp]>([
    ['without an append-only file', { appendonly: false }, /keeps no append-only file.*set appendonly yes/],
    ['that flushes once a second', { appendfsync: 'everysec' }, /appendfsync is everysec.*set appendfsync always/],
    ['that leaves flushing to the system', { appendfsync: 'no' }, /appendfsync is no.*set appendfsync always/],
    [
      'that does not flush during a rewrite',
      { settings: ['--no-appendfsync-on-rewrite', 'yes'] },
      /no-appendfsync-on-rewrite is yes.*set it to no/,
    ],
    [
      'that throws keys away when memory is short',
      { settings: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'] },
      /maxmemory-policy is allkeys-lru.*set maxmemory-policy noeviction/,
    ],
  ])('%s', async (_, options, message) => {
    const server = await serve(options);
    expect(await refusal({ url: server.url })).toMatch(message);
    const findings = await checkRedis({ url: server.url });
    expect(findings.filter(({ verdict }) => verdict === 'bad').map(({ detail }) => detail)).toEqual([
      expect.stringMatching(message),
    ]);
  });

  it('also when it comes back so while the platform runs', async () => {
    const server = await serve();
    const state = await createRedisState({ url: server.url });
    toEnd.push(() => state.close());
    await state.commit('s', { put });
    await server.restart(['--appendfsync', 'everysec']);
    await expect(state.commit('s', { put })).rejects.toThrow(/appendfsync is everysec/);
    await server.restart([]);
    await sleep(200); // a failed connection answers for those who ask just after it
    expect(await state.commit('s', { put })).toBe('committed');
  });
});

describe('a Redis behind TLS', () => {
  it('is used with its authority named, and refused without', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'huqi-tls-'));
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(directory, name));
    toEnd.push(async () => rmSync(directory, { recursive: true, force: true }));
    const subject = [
      '-subj',
      '/CN=redis',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-days',
      '2',
      '-nodes',
      '-newkey',
      'rsa:2048',
    ];
    execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key!, '-out', cert!], { stdio: 'ignore' });
    const port = await freePort();
    const tls = {
      'tls-port': `${port}`,
      'tls-cert-file': cert!,
      'tls-key-file': key!,
      'tls-ca-cert-file': cert!,
      'tls-auth-clients': 'no',
    };
    const server = await serve({ settings: Object.entries(tls).flatMap(([name, value]) => [`--${name}`, value]) });
    const url = `rediss://127.0.0.1:${port}`;
    const state = await createRedisState({ url, tls: { ca: readFileSync(cert!, 'utf8') } });
    expect(await state.commit('s', { put })).toBe('committed');
    await state.close();
    expect(await refusal({ url })).toMatch(/its certificate is not accepted/);
    expect(await refusal({ url: `redis://127.0.0.1:${port}` })).toMatch(/closed|reset|no reply|write rediss/);
    expect(await refusal({ url: `rediss://127.0.0.1:${server.port}` })).toMatch(/TLS/);
  });
});

describe('a Redis that cannot be used says why in one sentence', () => {
  it('wrong addresses, wrong passwords, wrong databases', async () => {
    const server = await serve({ password: 'right-secret' });
    const url = (rest: string) => `redis://${rest}127.0.0.1:${server.port}`;
    expect(await refusal({ url: url('') })).toMatch(/asks for a password: write it into HUQI_REDIS_URL/);
    expect(await refusal({ url: url(':wrong-secret@') })).toMatch(/refuses the password/);
    expect(await refusal({ url: url('nobody:right-secret@') })).toMatch(/refuses the password/);
    expect(await refusal({ url: `${url(':right-secret@')}/99` })).toMatch(/no such database/);
    expect(await refusal({ url: `rediss://:right-secret@127.0.0.1:${server.port}` })).toMatch(/TLS/);
    expect(await refusal({ url: 'redis://127.0.0.1:1' })).toMatch(
      /^Redis 127\.0\.0\.1:1: nobody listens there \(connection refused\)\. Start Redis there, or correct HUQI_REDIS_URL\.$/,
    );
    expect(await refusal({ url: 'redis://no-such-host.invalid:6379' })).toMatch(/no such host is known|cannot be looked up/);
    expect(await refusal({ url: 'http://127.0.0.1:6379' })).toMatch(/HUQI_REDIS_URL is not an address of Redis/);
    expect(await refusal({ url: 'redis://127.0.0.1:port' })).toMatch(/not host:port/);
    const open = await serve();
    expect(await refusal({ url: open.url, password: 'right-secret' })).toMatch(/has no password, but one was given/);
    const state = await createRedisState({ url: url(''), password: 'right-secret' });
    expect(await state.commit('s', { put })).toBe('committed');
    await state.close();
  });

  it('a replica alone, and a replica with its master', async () => {
    const { master, replica } = await startRedisPair();
    toEnd.push(
      () => master.stop(),
      () => replica.stop(),
    );
    expect(await refusal({ url: replica.url })).toMatch(
      new RegExp(`is a replica of 127\\.0\\.0\\.1:${master.port}; name its master`),
    );
    const state = await createRedisState({ url: `redis://127.0.0.1:${replica.port},127.0.0.1:${master.port}` });
    expect(await state.commit('s', { put })).toBe('committed');
    await state.close();
  });

  it('a key that another program uses', async () => {
    const server = await serve();
    await server.command('SET', '{huqi:s}:values', 'a text');
    await server.command('SET', '{huqi:t}:order', 'a text');
    const state = await createRedisState({ url: server.url });
    toEnd.push(() => state.close());
    await expect(state.commit('s', { put })).rejects.toThrow(
      /\{huqi:s\}:values is not a key of this HuQi's; give HuQi a redis.prefix/,
    );
    await expect(state.commit('t', { put })).rejects.toThrow(/not a key of this HuQi's/);
    await expect(state.get('s', ['a'])).rejects.toThrow(/another program uses a key of HuQi's/);
    await expect(state.scan('t', { prefix: '', limit: 1 })).rejects.toThrow(/another program uses a key|refuses a command/);
    expect(String(await server.command('GET', '{huqi:s}:values'))).toBe('a text');
  });

  it('never with a password or a value in it', async () => {
    const server = await serve({ password: 'right-secret' });
    const troubles: RedisTrouble[] = [];
    const wrong = { url: `redis://someone:wrong-secret@127.0.0.1:${server.port}`, deadlineMs: 500 };
    const refused = await createRedisState(wrong).catch((error: unknown) => error);
    const state = await createRedisState({ url: server.url, deadlineMs: 500, onTrouble: (trouble) => troubles.push(trouble) });
    toEnd.push(() => state.close());
    await server.kill();
    const lost = await state
      .commit('s', { put: [{ key: 'a', value: Buffer.from('6222000000000001') }] })
      .catch((error: unknown) => error);
    const shown = inspect([refused, lost, troubles, await checkRedis(wrong)], { depth: 20 });
    expect(shown).toMatch(/Unavailable/);
    expect(shown).not.toMatch(/secret|6222|EVALSHA|AUTH /);
  });
});

describe('what the doctor says', () => {
  it('of a good Redis', async () => {
    const server = await serve();
    const findings = await checkRedis({ url: server.url });
    expect(faultsOf(findings)).toEqual([]);
    expect(findings.map(({ check }) => check.replace(`127.0.0.1:${server.port} `, ''))).toEqual(
      expect.arrayContaining([
        'role',
        'version',
        'append-only file',
        'flush to disk',
        'disk',
        'eviction',
        'memory',
        'replicas',
        'commit',
      ]),
    );
    expect(findings.at(-1)?.detail).toMatch(/^one for trial took [\d.]+ ms/);
    const state = await createRedisState({ url: server.url });
    expect(state.isNew).toBe(true);
    await state.close();
  });

  it('of one where the settings may not be read: doubtful, told at the start, and it works', async () => {
    const server = await serve({ settings: ['--rename-command', 'CONFIG', ''] });
    const troubles: RedisTrouble[] = [];
    const state = await createRedisState({ url: server.url, onTrouble: (trouble) => troubles.push(trouble) });
    expect(await state.commit('s', { put })).toBe('committed');
    await state.close();
    expect(troubles.map(({ kind, error }) => `${kind}: ${error?.message}`)).toEqual([
      expect.stringMatching(
        /^doubtful: Redis 127\.0\.0\.1:\d+: CONFIG may not be read here.*see to it that appendfsync is always/,
      ),
    ]);
    expect((await checkRedis({ url: server.url })).map(({ verdict }) => verdict)).toContain('doubtful');
  });

  it('of nothing, of half an address, of nobody', async () => {
    expect(await checkRedis({ url: '' })).toEqual([expect.objectContaining({ check: 'address', verdict: 'bad' })]);
    expect(await checkRedis({ url: 'redis://127.0.0.1:1' })).toEqual([
      { check: '127.0.0.1:1', verdict: 'bad', detail: expect.stringMatching(/connection refused/) },
    ]);
  });
});

describe('a user with the rights of the guide', () => {
  it('can do all that HuQi does, and nothing to the keys of others', async () => {
    const server = await serve();
    const rights =
      '~{huqi}:* ~{huqi:*}:* resetchannels -@all +@connection +@hash +@sortedset +@list +sadd +scard +sismember +type +exists +eval +evalsha +info +role +wait +config|get';
    await server.command('ACL', 'SETUSER', 'huqi', 'on', '>some-secret', ...rights.split(' '));
    const troubles: RedisTrouble[] = [];
    const url = `redis://huqi:some-secret@127.0.0.1:${server.port}`;
    const state = await createRedisState({ url, onTrouble: (trouble) => troubles.push(trouble) });
    toEnd.push(() => state.close());
    expect(await state.commit('s', { expect: [{ key: 'a', value: null }], put, delete: ['b'] })).toBe('committed');
    expect(await state.scan('s', { prefix: '', limit: 10 })).toHaveLength(1);
    expect((await state.get('s', ['a']))[0]?.toString()).toBe('1');
    expect(troubles).toEqual([]);
    expect(faultsOf(await checkRedis({ url }))).toEqual([]);
    // A right that is missing is found before the first commit, of which it would leave half.
    await server.command('ACL', 'SETUSER', 'huqi', '-rpush');
    expect(await refusal({ url })).toMatch(/lets this user do too little.*docs\/cluster\.md/);
    expect(Number(await server.command('HGET', '{huqi:s}:head', 'commits'))).toBe(1);
    expect(await refusal({ url, prefix: 'other' })).toMatch(/lets this user do too little.*docs\/cluster\.md/);
  });
});
