import { widerLength } from './growth.js';
import { never } from './pair-table.js';
import { RowPool } from './row-pool.js';
import { kept, keptTables, snapshotted, type Snapshotted } from './snapshot-state.js';

/**
 * Which devices, addresses, operators … an account has used: of each kind the latest 32, the one unused longest is forgotten
 * first. `kind` is an index into `sharedKinds`, `account` a row number, `key` a 53-bit hash of kind and value. Uses may come
 * late: one counts at its own time, and a use that came before it counts as before it.
 */
export interface SharedUse {
  /**
   * The account used the thing. True where the thing's partition should be told: it was not told of this account's use within
   * the hour before, so that a use goes on being told once an hour.
   */
  note(account: number, kind: number, key: number, timeMs: number): boolean;
  /** When this account last used this very thing, the latest `note` of it left out; -1e15 for never. */
  lastMs(account: number, kind: number, key: number): number;
  /** The account has used another of the kind. */
  hasOthers(account: number, kind: number, key: number): boolean;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const thingsMax = 32;
const tellMs = 3_600_000;

/** Columns of a thing an account used; `beforeMs` is `lastMs` without the latest note. Chains run from new to old. */
const column = { key: 0, lastMs: 1, beforeMs: 2, toldMs: 3 } as const;
const width = 4;

export function createSharedUse(): SharedUse {
  const things = new RowPool(width);
  /** By kind, then by account: its first thing + 1, 0 for none. */
  let heads: Int32Array[] = [];
  const of = (row: number, wanted: number): number => things.numbers[row * width + wanted]!;
  const headOf = (account: number, kind: number): number => (heads[kind]?.[account] ?? 0) - 1;

  function setHead(account: number, kind: number, row: number): void {
    let own = heads[kind] ?? new Int32Array(0);
    if (account >= own.length) {
      const wider = new Int32Array(Math.max(64, account + 1, widerLength(own.length)));
      wider.set(own);
      own = wider;
    }
    own[account] = row + 1;
    heads[kind] = own;
  }

  function find(account: number, kind: number, key: number): number {
    let row = headOf(account, kind);
    while (row >= 0 && of(row, column.key) !== key) row = things.next[row]!;
    return row;
  }

  function unlink(account: number, kind: number, row: number): void {
    const head = headOf(account, kind);
    if (head === row) {
      setHead(account, kind, things.next[row]!);
      return;
    }
    let previous = head;
    while (things.next[previous] !== row) previous = things.next[previous]!;
    things.next[previous] = things.next[row]!;
  }

  /** Puts a row before those that were not used later; the last of too many is forgotten. */
  function link(account: number, kind: number, row: number): void {
    let newer = -1;
    let at = headOf(account, kind);
    let count = 1;
    for (; at >= 0 && of(at, column.lastMs) > of(row, column.lastMs); at = things.next[at]!) {
      newer = at;
      count++;
    }
    things.next[row] = at;
    if (newer < 0) setHead(account, kind, row);
    else things.next[newer] = row;
    let last = row;
    for (; things.next[last]! >= 0; last = things.next[last]!) count++;
    if (count <= thingsMax) return;
    unlink(account, kind, last);
    things.release(last);
  }

  return {
    note(account, kind, key, timeMs) {
      let row = find(account, kind, key);
      if (row < 0) {
        row = things.take();
        things.numbers.set([key, never, never, never], row * width);
      } else unlink(account, kind, row);
      const base = row * width;
      const { numbers } = things;
      const before = numbers[base + column.lastMs]!;
      const isToTell = timeMs - numbers[base + column.toldMs]! >= tellMs;
      numbers[base + column.beforeMs] = before;
      numbers[base + column.lastMs] = Math.max(before, timeMs);
      if (isToTell) numbers[base + column.toldMs] = timeMs;
      link(account, kind, row);
      return isToTell;
    },
    lastMs(account, kind, key) {
      const row = find(account, kind, key);
      return row < 0 ? never : of(row, column.beforeMs);
    },
    hasOthers(account, kind, key) {
      const head = headOf(account, kind);
      return head >= 0 && (of(head, column.key) !== key || things.next[head]! >= 0);
    },
    bytesUsed: () => things.bytesUsed() + heads.reduce((sum, own) => sum + own.byteLength, 0),
    snapshot: snapshotted(
      () => ({
        things: things.snapshot.save(),
        heads: keptTables(Array.from(heads, (own: Int32Array | undefined) => kept(own ?? new Int32Array(0)))),
      }),
      (state) => {
        things.snapshot.load(state.things);
        heads = [...state.heads];
      },
    ),
  };
}
