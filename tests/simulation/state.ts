import type { OutgoingRecord } from '../../src/ports/log.js';
import type { Change, CommitResult, SlotCommit, State, StateEntry } from '../../src/ports/state.js';
import { byPartition, type LogServer } from './log.js';
import type { Network } from './network.js';
import type { Incarnation, World } from './world.js';

/** The store: what every process sees of the state. */
export interface StateServer {
  get(slot: string, keys: readonly string[]): (Uint8Array | null)[];
  scan(slot: string, options: { prefix: string; after?: string; limit: number }): StateEntry[];
  commit(slot: string, change: Change): Commit;
  /** All of them or none; such commits stay. */
  commitAll(commits: readonly SlotCommit[]): CommitResult;
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

    commit(slot, change) {
      const { put = [], delete: removed = [] } = change;
      const table = tableOf(slot);
      const holds = isExpected(table, change);
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
      apply(table, change);
      undo.push(commit);
      while (undo[0] && undo[0].atMs < world.nowMs() - replicatedAfterMs) undo.shift();
      return commit;
    },

    commitAll(commits) {
      if (!commits.every(({ slot, change }) => isExpected(tableOf(slot), change))) return 'conflict';
      for (const { slot, change } of commits) apply(tableOf(slot), change);
      return 'committed';
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

function isExpected(table: ReadonlyMap<string, Uint8Array>, { expect = [] }: Change): boolean {
  return expect.every(({ key, value }) => isSame(table.get(key) ?? null, value));
}

function apply(table: Map<string, Uint8Array>, { put = [], delete: removed = [] }: Change): void {
  for (const key of removed) table.delete(key);
  for (const { key, value } of put) table.set(key, value.slice());
}

/** The state as one process has it; with a `log` it lies in one store with it. */
export function createStateClient(
  world: World,
  server: StateServer,
  network: Network,
  owner: Incarnation,
  log: LogServer | null,
): State {
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
    ...(log ? { together: (commits, records) => together(log, commits, records) } : {}),
    close: () => Promise.resolve(),
  };

  function together(to: LogServer, commits: readonly SlotCommit[], records: readonly OutgoingRecord[]): Promise<CommitResult> {
    const slots = commits.map(({ slot }) => slot).join(' ');
    let result: CommitResult = 'conflict';
    const write = (): void => {
      result = server.commitAll(commits);
      world.trace(`${slots}: ${result}`);
      world.count(result === 'committed' ? 'state and log were written together' : 'a write to state and log was refused');
      if (result === 'conflict') return;
      for (const { topic, partition, values } of byPartition(records)) to.write(topic, partition, values, owner);
    };
    return network.call(owner, {
      part: 'state',
      kind: 'commit',
      what: `commit ${slots} with ${records.length} records`,
      steps: [{ all: write, half: () => undefined }],
      answer: () => result,
    });
  }
}

function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}
