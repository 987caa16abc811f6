import { randomBytes } from 'node:crypto';
import type { Change, CommitResult, State, StateEntry } from '../../../ports/state.js';
import { Unavailable } from '../../../ports/unavailable.js';
import { createCalls, createTroubles, refusalOf, type Calls } from './calls.js';
import { assertCount, assertSlot, isEmpty, prepareChange } from './change.js';
import type { Argument, Command, Outcome } from './connection.js';
import { passes, reasonOf, RedisRefused, ReplyRefused, type ConnectionLost, type Unconfirmed } from './faults.js';
import { resolveOptions, startDeadline, type RedisStateOptions, type ResolvedOptions } from './options.js';
import { commitScript, recentMax, runScript, scanScript, slotKeys, storeKeys } from './scripts.js';
import type { Server } from './server.js';
import { findServers, type Servers } from './servers.js';
import { createStore, type Store } from './store.js';

export type { RedisStateOptions, RedisTrouble } from './options.js';

export interface RedisState extends State {
  /** Nothing was ever committed here, in any slot. A log that has records already and a new state do not belong together. */
  readonly isNew: boolean;
}

/**
 * The state port on Redis 6.2 or later, Valkey, or a cluster of them. Every commit has an id of its own, which the slot keeps: one
 * whose reply was lost is asked for again and answers what happened the first time. Calls reject with `Unavailable` when Redis
 * cannot be used for the deadline, with `StoreLost` when what was stored is gone, and with `RedisRefused` when Redis is not safe.
 */
export async function createRedisState(given: RedisStateOptions): Promise<RedisState> {
  const options = resolveOptions(given);
  const troubles = createTroubles(given.onTrouble ?? (() => undefined));
  let servers: Servers | undefined;
  let store: Store | undefined;
  const find = async () =>
    (servers ??= await findServers({
      ...options.servers,
      admit: async (server) => {
        if (servers?.cluster === false) await store?.recognise(server);
        troubles.admitted(server);
      },
    }));
  const calls = createCalls(find, troubles);
  try {
    store = await begin(calls, options);
    return { ...stateOver(calls, store, options), isNew: store.isNew, close: async () => (await calls.close(), servers?.end()) };
  } catch (error) {
    servers?.end();
    throw error instanceof Unavailable && passes(error.cause) ? startFault(error.cause) : error;
  }
}

async function begin(calls: Calls, options: ResolvedOptions): Promise<Store> {
  const deadlineMs = startDeadline(options);
  const store = await createStore(calls, options.prefix, deadlineMs);
  await calls.run(storeKeys(options.prefix).store, deadlineMs, async ({ name, inspection }) => {
    for (const { verdict, detail } of inspection.findings)
      if (verdict === 'doubtful')
        calls.troubles.tell({ kind: 'doubtful', server: name, error: new Error(`Redis ${name}: ${detail}.`) });
  });
  return store;
}

function startFault(cause: ConnectionLost | ReplyRefused | Unconfirmed): RedisRefused {
  const reason = reasonOf(cause);
  const remedy = reason.includes(';') ? '' : ' Start Redis there, or correct HUQI_REDIS_URL.';
  return new RedisRefused(`Redis ${cause.server}: ${reason}.${remedy}`);
}

function stateOver(calls: Calls, store: Store, { prefix, deadlineMs }: ResolvedOptions): Omit<State, 'close'> {
  let mayAskRole = true;

  /** Sends reads, and makes sure that it was a master that answered: a replica's answer may be of yesterday. */
  async function read(server: Server, commands: readonly Command[]): Promise<unknown[]> {
    const outcomes = await server.reads.send(mayAskRole ? [...commands, ['ROLE']] : commands);
    const role = mayAskRole ? outcomes.pop() : undefined;
    if (role?.error instanceof ReplyRefused && !/LOADING|MASTERDOWN/.test(role.error.code)) mayAskRole = false;
    else if (role && String((valueOf(role) as readonly Buffer[])[0]) !== 'master')
      throw new ReplyRefused(server.name, 'READONLY it has become a replica');
    return outcomes.map(valueOf);
  }

  async function get(slot: string, keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    const { values, head } = slotKeys(prefix, slot);
    return calls.run(values, deadlineMs, async (server) => {
      await store.openSlot(server, slot);
      const mustBeThere = store.hasBegun(slot);
      const [found, owner] = await read(server, [
        ['HMGET', values, ...keys],
        ['HGET', head, 'store'],
      ]);
      store.check(server, slot, owner, mustBeThere);
      return found as (Buffer | null)[];
    });
  }

  async function scan(slot: string, lowest: Buffer, highest: Buffer, limit: number): Promise<StateEntry[]> {
    const { values, order, head } = slotKeys(prefix, slot);
    return calls.run(values, deadlineMs, async (server) => {
      await store.openSlot(server, slot);
      const mustBeThere = store.hasBegun(slot);
      const ask = (whole: boolean) =>
        read(server, [runScript(scanScript, whole, [values, order, head], [lowest, highest, limit])]);
      const [reply] = await withScript(ask);
      const [owner, ...flat] = reply as [unknown, ...Buffer[]];
      store.check(server, slot, owner, mustBeThere);
      return flat.flatMap((key, i) => (i % 2 === 0 ? [{ key: key.toString(), value: flat[i + 1]! }] : []));
    });
  }

  /** `doubt`: an attempt was sent whose outcome is unknown. From then on a refusal is noted, too, lest that attempt arrive late. */
  async function commit(slot: string, change: Change): Promise<CommitResult> {
    const { values, order, head, recent } = slotKeys(prefix, slot);
    const { counts, args, bytes } = prepareChange(slot, change);
    const id = randomBytes(16);
    let doubt = false;
    let base = Infinity;
    return calls.run(values, deadlineMs, async (server) => {
      server.lookAgain();
      base = Math.min(base, await store.openSlot(server, slot));
      const ask = async (whole: boolean) => {
        const header: Argument[] = [id, store.id, base, store.hasBegun(slot) ? 1 : 0, doubt ? 1 : 0, ...counts];
        const command = runScript(commitScript, whole, [values, order, head, recent], [...header, ...args]);
        try {
          return (await server.commits.add(command, bytes)) as [Buffer, number | Buffer];
        } catch (error) {
          if (error instanceof ReplyRefused) throw refusalOf(error);
          doubt = true;
          throw error;
        }
      };
      for (;;) {
        const [status, commits] = await withScript(ask);
        const result = await store.settle(server, slot, String(status), commits);
        if (result !== 'stale') return result;
        if (doubt)
          throw new Unavailable(
            `Redis ${server.name}: slot "${slot}" had more than ${recentMax} commits since the reply to this one was lost. It may or may not have happened.`,
          );
        base = commits as number;
      }
    });
  }

  return {
    async get(slot, keys) {
      assertSlot(slot);
      assertCount(keys.length, 'keys in one get');
      return keys.length === 0 ? [] : get(slot, keys);
    },
    async scan(slot, { prefix: start, after, limit }) {
      assertSlot(slot);
      assertCount(limit, 'entries in one scan');
      const resumes = after !== undefined && Buffer.compare(Buffer.from(after), Buffer.from(start)) >= 0;
      const lowest = Buffer.from(resumes ? `(${after}` : `[${start}`);
      // No key holds the byte 255, which UTF-8 has no use for.
      const highest = Buffer.concat([Buffer.from(`(${start}`), Buffer.of(0xff)]);
      return limit === 0 ? [] : scan(slot, lowest, highest, limit);
    },
    async commit(slot, change) {
      assertSlot(slot);
      return isEmpty(change) ? 'committed' : commit(slot, change);
    },
  };
}

function valueOf({ error, reply }: Outcome): unknown {
  if (error) throw refusalOf(error);
  return reply;
}

/** A server forgets scripts when it restarts or its place is taken. */
async function withScript<T>(ask: (whole: boolean) => Promise<T>): Promise<T> {
  try {
    return await ask(false);
  } catch (error) {
    if (error instanceof ReplyRefused && error.code === 'NOSCRIPT') return ask(true);
    throw error;
  }
}
