import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

export interface RedisServerOptions {
  /** Default true. */
  readonly appendonly?: boolean;
  /** Default `always`. */
  readonly appendfsync?: 'always' | 'everysec' | 'no';
  readonly password?: string;
  /** The port of its master. */
  readonly replicaOf?: number;
  readonly cluster?: boolean;
  /** Which program; default is Debian's, or HUQI_TEST_REDIS. */
  readonly program?: string;
  /** More settings, as `name value` parts of the command line. */
  readonly settings?: readonly string[];
}

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly directory: string;
  readonly pid: number;
  /** Sends one command over a connection of its own. */
  command(name: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port over what is on disk, once it is gone; with `settings` changed for good. */
  restart(settings?: readonly string[]): Promise<void>;
  /** Forgets what is on disk, while it is down. */
  wipe(): void;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

const redisProgram = process.env['HUQI_TEST_REDIS'] ?? '/usr/bin/redis-server';
/** A server that has WAITAOF, where there is one: Debian's Redis is older. */
export const valkeyProgram = process.env['HUQI_TEST_VALKEY'] ?? '/usr/bin/valkey-server';

const startMsMax = 20_000;
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A real Redis on a free loopback port, with a directory of its own. Throws where the program is missing or does not start. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const program = options.program ?? redisProgram;
  if (!existsSync(program))
    throw new Error(
      `${program} is not there: install Debian's redis-server, or name one with HUQI_TEST_REDIS (or HUQI_TEST_VALKEY).`,
    );
  const directory = mkdtempSync(join(tmpdir(), 'huqi-redis-'));
  const port = await freePort(options.cluster === true);
  let settings = options.settings ?? [];
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const started = spawn(program, commandLine(port, directory, options, settings), { stdio: ['ignore', 'ignore', 'inherit'] });
    child = started;
    running.add(started);
    started.once('exit', () => running.delete(started));
    await ready(started, port, directory, options.password);
  }

  async function kill(): Promise<void> {
    const dying = child;
    if (!dying || dying.exitCode !== null || dying.signalCode !== null) return;
    const gone = once(dying, 'exit');
    dying.kill('SIGKILL');
    await gone;
  }

  await start();
  return {
    port,
    directory,
    url: options.password ? `redis://:${options.password}@127.0.0.1:${port}` : `redis://127.0.0.1:${port}`,
    get pid() {
      return child?.pid ?? 0;
    },
    command: (name, ...args) => withClient(port, options.password, (client) => client.call(name, args)),
    kill,
    async restart(changed) {
      await kill();
      settings = changed ?? settings;
      await start();
    },
    wipe() {
      for (const name of ['appendonlydir', 'appendonly.aof', 'dump.rdb'])
        rmSync(join(directory, name), { recursive: true, force: true });
    },
    async stop() {
      await kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A master and a replica that has caught up with it. */
export async function startRedisPair(options: RedisServerOptions = {}): Promise<{ master: RedisServer; replica: RedisServer }> {
  const master = await startRedis(options);
  const replica = await startRedis({ ...options, replicaOf: master.port });
  await until(`replica on ${replica.port} to catch up`, async () => {
    const info = String(await replica.command('INFO'));
    // What it took over is written into a new append-only file first.
    return info.includes('master_link_status:up') && /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(info);
  });
  return { master, replica };
}

/** Three masters that share the hash slots, without replicas. */
export async function startRedisCluster(options: RedisServerOptions = {}): Promise<readonly RedisServer[]> {
  const servers = await Promise.all([1, 2, 3].map(() => startRedis({ ...options, cluster: true })));
  const bounds = [0, 5_461, 10_923, 16_384];
  for (const [i, server] of servers.entries()) await server.command('CLUSTER', 'ADDSLOTSRANGE', bounds[i]!, bounds[i + 1]! - 1);
  for (const server of servers.slice(1)) await server.command('CLUSTER', 'MEET', '127.0.0.1', servers[0]!.port);
  for (const server of servers)
    await until(`cluster node on ${server.port} to be ready`, async () => {
      const info = String(await server.command('CLUSTER', 'INFO'));
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
    });
  return servers;
}

export async function until(what: string, isTrue: () => Promise<boolean> | boolean, msMax = startMsMax): Promise<void> {
  const deadline = Date.now() + msMax;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited ${msMax} ms in vain for ${what}`);
    await sleep(20);
  }
}

function commandLine(port: number, directory: string, options: RedisServerOptions, settings: readonly string[]): string[] {
  const { appendonly = true, appendfsync = 'always', password, replicaOf, cluster } = options;
  const flags: Record<string, string | number> = {
    port,
    dir: directory,
    logfile: join(directory, 'log'),
    save: '',
    'repl-diskless-sync-delay': 0,
    appendonly: appendonly ? 'yes' : 'no',
    appendfsync,
    ...(password ? { requirepass: password, masterauth: password } : {}),
    ...(cluster ? { 'cluster-enabled': 'yes', 'cluster-node-timeout': 2_000 } : {}),
  };
  return [
    '--bind',
    '127.0.0.1',
    ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]),
    ...(replicaOf ? ['--replicaof', '127.0.0.1', `${replicaOf}`] : []),
    ...settings,
  ];
}

async function ready(child: ChildProcess, port: number, directory: string, password: string | undefined): Promise<void> {
  const deadline = Date.now() + startMsMax;
  for (;;) {
    const log = () => readFileSync(join(directory, 'log'), 'utf8').slice(-1_000);
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the Redis server on port ${port} ended: ${log()}`);
    try {
      if ((await withClient(port, password, (client) => client.call('PING'))) === 'PONG') return;
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`the Redis server on port ${port} is not ready after ${startMsMax} ms: ${log()}`, { cause: error });
    }
    await sleep(20);
  }
}

async function withClient<T>(port: number, password: string | undefined, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    disableClientInfo: true,
    protocol: 2,
    ...(password ? { password } : {}),
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** Below 55,536, because a cluster's second port is 10,000 above. */
export async function freePort(twoPorts = false): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 25_000);
    if ((await isFree(port)) && (!twoPorts || (await isFree(port + 10_000)))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const outcome = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (outcome) await new Promise((resolve) => server.close(resolve));
  return outcome;
}
