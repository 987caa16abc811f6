import { randomBytes } from 'node:crypto';
import type { CommitResult } from '../../../ports/state.js';
import { refusalOf, type Calls } from './calls.js';
import { textOf, type Argument } from './connection.js';
import { ConnectionLost, RedisRefused, ReplyRefused, StoreLost } from './faults.js';
import { beginScript, commitScript, runScript, slotKeys, storeKeys } from './scripts.js';
import type { Server } from './server.js';

/** The slot of the doctor's trial commit, which does not make a store a used one. */
export const trialSlot = 'doctor';

/** Whose the keys are: an id that is written once, into a key of its own and into the head of every slot. */
export interface Store {
  readonly id: string;
  readonly isNew: boolean;
  /** Throws `StoreLost` where a server holds no store, or another one. */
  recognise(server: Server): Promise<void>;
  /** Commits of the slot so far, as of this connection. Throws `StoreLost` where it was begun and is gone. */
  openSlot(server: Server, slot: string): Promise<number>;
  hasBegun(slot: string): boolean;
  /** Looks at the id that a slot's head held when it was read. `mustBeThere`: whether it had begun when the read was sent. */
  check(server: Server, slot: string, owner: unknown, mustBeThere: boolean): void;
  /** What the commit script answered. */
  settle(server: Server, slot: string, status: string, detail: number | Buffer): Promise<CommitResult | 'stale'>;
}

export async function createStore(calls: Calls, prefix: string, deadlineMs: number): Promise<Store> {
  const keys = storeKeys(prefix);
  const begun = new Set<string>();
  const registered = new Set<string>();
  const { id, isNew } = await calls.run(keys.store, deadlineMs, async ({ commits }) => {
    const begin = runScript(beginScript, true, [keys.store, keys.slots], [randomBytes(16).toString('hex')]);
    const [found, slots] = (await queued(commits.add(begin, 0))) as [Buffer, number];
    return { id: found.toString(), isNew: slots === 0 };
  });

  await tryRights(calls, prefix, deadlineMs);

  function check(server: Server, slot: string, owner: unknown, mustBeThere: boolean): void {
    if (owner === null || owner === undefined) {
      if (mustBeThere) throw gone(server, slot);
      return;
    }
    if (textOf(owner) !== id) throw new StoreLost(server.name, `slot "${slot}" belongs to another store of HuQi's`);
    begun.add(slot);
  }

  /** So that a process that starts later knows that the slot must be there. */
  async function register(slot: string): Promise<void> {
    if (slot === trialSlot || registered.has(slot)) return;
    registered.add(slot);
    try {
      await calls.run(keys.slots, deadlineMs, ({ commits }) => queued(commits.add(['SADD', keys.slots, slot], 0)));
    } catch (error) {
      registered.delete(slot);
      if (error instanceof StoreLost) throw error;
    }
  }

  async function readHead({ name, reads }: Server, slot: string): Promise<[owner: unknown, commits: number]> {
    const [outcome] = await reads.send([['HMGET', slotKeys(prefix, slot).head, 'store', 'commits']]);
    if (!outcome || outcome.error) throw refusalOf(outcome?.error ?? new ConnectionLost(name, 'the connection was closed'));
    const [owner, commits] = outcome.reply as readonly (Buffer | null)[];
    return [owner ?? null, Number(textOf(commits) || '0')];
  }

  async function wasRegistered(slot: string): Promise<boolean> {
    return calls.run(keys.slots, deadlineMs, async ({ reads }) => {
      const [outcome] = await reads.send([['SISMEMBER', keys.slots, slot]]);
      if (outcome?.error) throw refusalOf(outcome.error);
      return outcome?.reply === 1;
    });
  }

  return {
    id,
    isNew,
    check,
    hasBegun: (slot) => begun.has(slot),

    async recognise({ name, reads }) {
      const [outcome] = await reads.send([['HGET', keys.store, 'id']]);
      if (!outcome || outcome.error) throw refusalOf(outcome?.error ?? new ConnectionLost(name, 'the connection was closed'));
      if (outcome.reply === null) throw new StoreLost(name, 'it is empty: the state that it held is gone');
      if (textOf(outcome.reply) !== id)
        throw new StoreLost(name, 'it holds the state of another HuQi, not the one that was here before');
    },

    async openSlot(server, slot) {
      const known = server.slots.get(slot);
      if (known !== undefined) return known;
      const mustBeThere = begun.has(slot);
      let [owner, commits] = await readHead(server, slot);
      if (owner === null && !mustBeThere && (await wasRegistered(slot))) {
        // Registered after it was begun, perhaps just now: it must be there by this time.
        [owner, commits] = await readHead(server, slot);
        if (owner === null) throw gone(server, slot);
      }
      check(server, slot, owner, mustBeThere);
      server.slots.set(slot, commits);
      return commits;
    },

    async settle(server, slot, status, detail) {
      switch (status) {
        case 'committed':
          begun.add(slot);
          server.slots.set(slot, detail as number);
          await register(slot);
          return status;
        case 'conflict':
          server.slots.set(slot, detail as number);
          return status;
        case 'stale':
          return status;
        case 'gone':
          throw gone(server, slot);
        default:
          throw new RedisRefused(
            `Redis ${server.name}: ${String(detail)} is not a key of this HuQi's; give HuQi a redis.prefix that nobody else uses.`,
          );
      }
    },
  };
}

/**
 * A script that may not run one of its commands has carried out those before it. So all of them are run once in a slot that has no
 * name, before any that has one.
 */
async function tryRights(calls: Calls, prefix: string, deadlineMs: number): Promise<void> {
  const { values, order, head, recent } = slotKeys(prefix, '');
  const keys = [values, order, head, recent];
  const header = ['trial', 0, 0, 1]; // whose, base, begun, doubt
  const trial = (...rest: Argument[]) => runScript(commitScript, true, keys, [randomBytes(16), ...header, ...rest]);
  await calls.run(values, deadlineMs, async ({ commits }) => {
    await queued(commits.add(trial(0, 0, 1, 0, 'key', 'value'), 0));
    await queued(commits.add(trial(0, 1, 0, 1, 'key', 'other', 'key'), 0));
    await queued(commits.add(trial(1, 0, 0, 1, 'none', 'key'), 0));
  });
}

const gone = (server: Server, slot: string): StoreLost => new StoreLost(server.name, `slot "${slot}", which held state, is gone`);

async function queued<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    throw error instanceof ReplyRefused ? refusalOf(error) : error;
  }
}
