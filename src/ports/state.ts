import type { OutgoingRecord } from './log.js';

/**
 * The state store: patterns, lists, journal, checkpoints, deliveries due. Embedded on LMDB, in a cluster on Redis.
 * Every key lives in a slot; one commit touches one slot (a hash tag on Redis Cluster).
 *
 * Promises (each has a contract test that runs over every adapter):
 * 1. `commit` applies all of its changes or none, and only if every expectation holds.
 * 2. `commit` resolves 'committed' only when the change is durable.
 * 3. After a commit resolved, `get` and `scan` of any member see it.
 * 4. `scan` returns keys in byte order, each once, at most `limit`, all with the prefix and after the cursor.
 * 5. Keys and values come back byte for byte.
 * 6. `together`, where state and log lie in one store, makes all of its commits and appends durable at once, or does nothing where
 *    an expectation of any of them does not hold.
 */
export interface StateEntry {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface Change {
  /** Compare-and-set: each key must hold exactly this value (null = must not exist). */
  readonly expect?: readonly { readonly key: string; readonly value: Uint8Array | null }[];
  readonly put?: readonly StateEntry[];
  readonly delete?: readonly string[];
}

/** A change and the slot that it is made in. */
export interface SlotCommit {
  readonly slot: string;
  readonly change: Change;
}

export type CommitResult = 'committed' | 'conflict';

export type Together = (commits: readonly SlotCommit[], records: readonly OutgoingRecord[]) => Promise<CommitResult>;

export interface State {
  get(slot: string, keys: readonly string[]): Promise<(Uint8Array | null)[]>;
  scan(
    slot: string,
    options: { readonly prefix: string; readonly after?: string; readonly limit: number },
  ): Promise<StateEntry[]>;
  commit(slot: string, change: Change): Promise<CommitResult>;
  /** Absent where state and log are two stores: whoever writes to both makes do with one after the other. */
  readonly together?: Together;
  close(): Promise<void>;
}
