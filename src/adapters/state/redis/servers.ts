import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'ioredis';
import { addressText, type ServerAddress } from './address.js';
import type { Connection } from './connection.js';
import { ConnectionLost, RedisRefused, ReplyRefused } from './faults.js';
import { connectionTo, openServer, type Server, type ServerOptions } from './server.js';

/** Which server holds a key. Both kinds connect when they are asked, never by themselves, and share what is under way. */
export interface Servers {
  readonly cluster: boolean;
  /** A live, safe master that serves the key just now. Rejects with what passes, or with what does not. */
  serverOf(key: string): Promise<Server>;
  /** What was known is doubtful: the next call looks again. */
  forget(server: Server): void;
  end(): void;
}

export interface ServersOptions extends ServerOptions {
  readonly addresses: readonly ServerAddress[];
  /** Called with each new connection to a server, before it is given out. */
  readonly admit: (server: Server) => Promise<void>;
}

/** Servers that are slower than this to say that they are masters, too, are not waited for. */
const graceMs = 1_000;

/** Finds out by asking whether this is a cluster, and holds on to that. */
export async function findServers(options: ServersOptions): Promise<Servers> {
  const opened = await openAll(options);
  const [first] = opened.servers;
  if (!first) throw opened.fault;
  for (const server of opened.servers) server.end();
  return first.inspection.cluster ? clusterServers(options) : replicatedServers(options);
}

/** One master, perhaps with replicas one of which may take its place. */
function replicatedServers(options: ServersOptions): Servers {
  let current: Server | undefined;
  let ended = false;
  const find = shared(async () => {
    const found = await findMaster(options);
    if (ended) found.end();
    current = found;
    return found;
  });
  return {
    cluster: false,
    serverOf: async () => (current?.alive() ? current : find('')),
    forget(server) {
      server.end();
      if (current === server) current = undefined;
    },
    end() {
      ended = true;
      current?.end();
    },
  };
}

async function findMaster(options: ServersOptions): Promise<Server> {
  const { servers, fault } = await openAll(options);
  const masters = servers.filter(({ inspection }) => inspection.master);
  const [master, rival] = masters;
  for (const server of servers) if (server !== master || rival) server.end();
  if (rival) {
    const names = masters.map(({ name }) => name).join(' and ');
    throw new ConnectionLost(names, 'each says it is the master; make all but the right one replicas of it (REPLICAOF)');
  }
  if (master) {
    await admitted(master, options);
    return master;
  }
  const [replica] = servers;
  if (replica)
    throw new ConnectionLost(
      replica.name,
      `it is a replica of ${replica.inspection.masterAt}; name its master in HUQI_REDIS_URL, too`,
    );
  throw fault;
}

async function openAll(options: ServersOptions): Promise<{ servers: Server[]; fault: unknown }> {
  const servers: Server[] = [];
  const faults: unknown[] = [];
  let late = false;
  const attempts = options.addresses.map(async (address) => {
    try {
      const server = await openServer(address, options);
      if (late) server.end();
      else servers.push(server);
      return server.inspection.master;
    } catch (error) {
      faults.push(error);
      return false;
    }
  });
  const all = Promise.allSettled(attempts);
  const master = Promise.any(attempts.map(async (attempt) => ((await attempt) ? true : Promise.reject(new Error('no master')))));
  const grace = master.then(
    () => sleep(graceMs, undefined, { ref: false }),
    () => all,
  );
  await Promise.race([all, grace]);
  late = true;
  return { servers, fault: faults.find((fault) => fault instanceof RedisRefused) ?? faults[0] };
}

interface HashSlots {
  readonly from: number;
  readonly to: number;
  readonly server: ServerAddress;
}

/** The masters of a Redis Cluster. The library's own cluster client would not wait for the disk on the connection that wrote. */
function clusterServers(options: ServersOptions): Servers {
  const open = new Map<string, Server>();
  let layout: readonly HashSlots[] | undefined;
  let ended = false;

  const readLayout = shared(async () => {
    layout = await askLayout(
      options,
      [...open.values()].filter((server) => server.alive()),
      layout ?? [],
    );
    return layout;
  });
  const openMaster = shared(async (name: string, address?: ServerAddress) => {
    try {
      const server = await openServer(address!, options);
      if (ended || !server.inspection.master) {
        server.end();
        throw new ConnectionLost(name, 'it is a replica just now');
      }
      await admitted(server, options);
      open.set(name, server);
      return server;
    } catch (error) {
      layout = undefined;
      throw error;
    }
  });

  return {
    cluster: true,
    async serverOf(key) {
      const hashSlot = new Command('get', [key]).getSlot() ?? 0;
      const slots = layout ?? (await readLayout(''));
      const address = slots.find(({ from, to }) => from <= hashSlot && hashSlot <= to)?.server;
      if (!address) {
        layout = undefined;
        throw new ReplyRefused('cluster', `CLUSTERDOWN nobody serves hash slot ${hashSlot}`);
      }
      const name = addressText(address);
      const server = open.get(name);
      return server?.alive() ? server : openMaster(name, address);
    },
    forget(server) {
      layout = undefined;
      if (!server.alive()) open.delete(server.name);
    },
    end() {
      ended = true;
      for (const server of open.values()) server.end();
    },
  };
}

/** Asks whoever answers first of those it talks to, those it was told of, and those that were named. */
async function askLayout(options: ServersOptions, live: readonly Server[], known: readonly HashSlots[]): Promise<HashSlots[]> {
  let fault: unknown;
  for (const { reads, name } of live) {
    try {
      return await askForSlots(reads, hostOf(name));
    } catch (error) {
      fault = error;
    }
  }
  for (const address of [...options.addresses, ...known.map(({ server }) => server)]) {
    let connection: Connection | undefined;
    try {
      connection = await connectionTo(address, options);
      return await askForSlots(connection, address.host);
    } catch (error) {
      fault = error;
    } finally {
      connection?.end();
    }
  }
  throw fault;
}

async function askForSlots(connection: Connection, host: string): Promise<HashSlots[]> {
  const [outcome] = await connection.send([['CLUSTER', 'SLOTS']]);
  if (!outcome || outcome.error) throw outcome?.error ?? new ConnectionLost(connection.server, 'the connection was closed');
  const rows = outcome.reply as readonly (readonly [number, number, readonly [Buffer | null, number, ...unknown[]]])[];
  // No name for a server means: the one that was asked.
  return rows.map(([from, to, [name, port]]) => ({ from, to, server: { host: name?.toString() || host, port } }));
}

const hostOf = (name: string): string => name.slice(0, name.lastIndexOf(':')).replace(/^\[|\]$/g, '');

async function admitted(server: Server, { admit }: ServersOptions): Promise<void> {
  try {
    await admit(server);
  } catch (error) {
    server.end();
    throw error;
  }
}

/** How long a failure answers for those who ask again. */
const failureMs = 100;

/** Who asks while the same is under way, or just after it failed, gets that result. */
function shared<A extends readonly unknown[], T>(
  run: (name: string, ...rest: A) => Promise<T>,
): (name: string, ...rest: A) => Promise<T> {
  const under = new Map<string, Promise<T>>();
  return (name, ...rest) => {
    const standing = under.get(name);
    if (standing) return standing;
    const started = run(name, ...rest);
    under.set(name, started);
    started.then(
      () => under.delete(name),
      () => setTimeout(() => under.delete(name), failureMs).unref(),
    );
    return started;
  };
}
