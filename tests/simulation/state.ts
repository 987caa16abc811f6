import type { Change, CommitResult, State, StateEntry } from '../../src/ports/state.js';
import type { Network } from './network.js';
import type { Incarnation, World } from './world.js';

/** The store: what every process sees of the state. */
export interface StateServer {
  get(slot: string, keys: readonly string[]): (Uint8Array | null)[];
  scan(slot: string, options: { prefix: string; after?: string; limit: number }): StateEntry[];
  commit(slot: string, change: Change): Commit;
  /**
   * A replica takes over that lacks some of the last commits: of those that were not answered yet, and where `mayForget`, of
   * those that were. Returns how many are gone.
   */
  failOver(most: number, mayForget: boolean): number;
  /** Every replica has everything. */
  replicate(): void;
}

export interface Commit {
  readonly slot: string;
  readonly result: CommitResult;
  readonly atMs: number;
  /** The caller was told that it is durable. */
  isAnswered: boolean;
  isUndone: boolean;
}

interface Undo extends Commit {
  readonly before: readonly { readonly key: string; readonly value: Uint8Array | undefined }[];
}

/** What lies further back has reached every replica. */
const replicatedAfterMs = 3_000;

export function createStateServer(world: World): StateServer {
  const slots = new Map<string, Map<string, Uint8Array>>();
  const undo: Undo[] = [];

  function tableOf(slot: string): Map<string, Uint8Array> {
    let table = slots.get(slot);
    if (!table) slots.set(slot, (table = new Map()));
    return table;
  }

  return {
    get: (slot, keys) => keys.map((key) => tableOf(slot).get(key)?.slice() ?? null),

    scan(slot, { prefix, after, limit }) {
      const found = [...tableOf(slot)].filter(([key]) => key.startsWith(prefix) && (after === undefined || key > after));
      found.sort(([one], [other]) => (one < other ? -1 : 1));
      return found.slice(0, limit).map(([key, value]) => ({ key, value: value.slice() }));
    },

    commit(slot, { expect = [], put = [], delete: removed = [] }) {
      const table = tableOf(slot);
      const holds = expect.every(({ key, value }) => isSame(table.get(key) ?? null, value));
      const keys = holds ? [...new Set([...put.map(({ key }) => key), ...removed])] : [];
      const commit: Undo = {
        slot,
        result: holds ? 'committed' : 'conflict',
        atMs: world.nowMs(),
        isAnswered: false,
        isUndone: false,
        before: keys.map((key) => ({ key, value: table.get(key) })),
      };
      if (!holds) return commit;
      for (const key of removed) table.delete(key);
      for (const { key, value } of put) table.set(key, value.slice());
      undo.push(commit);
      while (undo[0] && undo[0].atMs < world.nowMs() - replicatedAfterMs) undo.shift();
      return commit;
    },

    failOver(most, mayForget) {
      let gone = 0;
      for (let last = undo.at(-1); last && gone < most; last = undo.at(-1)) {
        if (last.isAnswered && !mayForget) break;
        undo.pop();
        const table = tableOf(last.slot);
        for (const { key, value } of last.before) {
          if (value) table.set(key, value);
          else table.delete(key);
        }
        last.isUndone = true;
        world.trace(`the store forgets a commit to ${last.slot}${last.isAnswered ? ' that it had answered' : ''}`);
        world.count(`the store forgot ${last.isAnswered ? 'an answered' : 'a'} commit to ${last.slot.split('/')[0]}`);
        gone++;
      }
      return gone;
    },

    replicate: () => void undo.splice(0),
  };
}

/** The state as one process has it. */
export function createStateClient(world: World, server: StateServer, network: Network, owner: Incarnation): State {
  function ask<T>(what: string, answer: () => T): Promise<T> {
    return network.call(owner, { part: 'state', kind: 'read', what, steps: [], answer });
  }

  return {
    get: (slot, keys) => (keys.length === 0 ? Promise.resolve([]) : ask(`get ${slot}`, () => server.get(slot, keys))),
    scan: (slot, options) => ask(`scan ${slot} ${options.prefix}`, () => server.scan(slot, options)),
    async commit(slot, change) {
      let last: Commit | null = null;
      const apply = (): void => {
        last = server.commit(slot, change);
        if (last.result === 'conflict') world.count(`conflict in ${slot.split('/')[0]}`);
        world.trace(`${slot}: ${last.result}`);
      };
      return network.call(owner, {
        part: 'state',
        kind: 'commit',
        what: `commit ${slot}`,
        steps: [{ all: apply, half: () => undefined }],
        answer: () => {
          // Sent again under its own id: where it is not known any more, it is tried anew.
          if (last?.isUndone) {
            world.count('a commit was sent again after a failover');
            apply();
          }
          last!.isAnswered = true;
          return last!.result;
        },
      });
    },
    close: () => Promise.resolve(),
  };
}

function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}
