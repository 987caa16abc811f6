import { sharedKinds, type SharedKind } from '../domain/reference.js';
import { keyOfText } from './byte-key.js';
import { type ByteTable, createByteTable, spread } from './byte-table.js';
import { never } from './pair-table.js';
import { RowPool } from './row-pool.js';
import { kept, snapshotted, type Snapshotted } from './snapshot-state.js';
import { hashBytes } from './transaction-view.js';

/**
 * Which enterprises use a thing, by the thing's key (see `thingKey`). Of a thing the 128 accounts that used it last are
 * kept, so at most 128 enterprises (what more of them share is public), and of each account's uses the latest 4: a question is exact unless an account has used
 * the thing more often since `atMs`. A thing unused for 400 days may be forgotten.
 */
export interface Firms {
  /**
   * True where more than one account has used the thing: a cheap question before the dearer ones. The enterprise and the account
   * are numbers of `nameOf`, which hold until the next use.
   */
  use(key: number, firm: number, account: number, timeMs: number): boolean;
  nameOf(bytes: Uint8Array, start: number, end: number, hash: number): number;
  nameOfText(text: string): number;
  /** Different enterprises that used the thing after `sinceMs` and up to `atMs`. */
  firms(key: number, sinceMs: number, atMs: number): number;
  /** Different accounts; likewise. */
  accounts(key: number, sinceMs: number, atMs: number): number;
  /** Its latest use up to `untilMs` of those that are kept; `never` for none. */
  latestMs(key: number, untilMs: number): number;
  /** Accounts that ever used it, latest first, at most 128. */
  accountsOf(key: number): readonly string[];
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const usersMax = 128;
const usesMax = 4;
const keptMs = 400 * 86_400_000;
/** Things from which on it is worth looking for those that can be forgotten. */
const sweepFrom = 4_096;

/** Columns of a user of a thing: numbers of its enterprise and account, then its latest uses from new to old. */
const user = { firm: 0, account: 1, uses: 2 } as const;
const userWidth = user.uses + usesMax;
type Who = typeof user.firm | typeof user.account;

const encoder = new TextEncoder();

/** Kinds of keys (see `byte-key.ts`): of things in the order of `sharedKinds`, and of what somebody opened. */
export const thingSeed = 16;
const openedSeed = 32;

/** A thing that enterprises may share, as a key of 53 bits. */
export function thingKey(shared: SharedKind, value: string): number {
  return keyOfText(thingSeed + sharedKinds.indexOf(shared), value);
}

/** Accounts that a record says were opened by a person or agent, apart from those that profiles name. */
export function openedKey(shared: SharedKind, value: string): number {
  return keyOfText(openedSeed + sharedKinds.indexOf(shared), value);
}

export function createFirms(): Firms {
  const users = new RowPool(userWidth);
  /** Things by open addressing, key 0 for a free place; and the first user of each. Chains run from the latest use to the earliest. */
  let keys = new Float64Array(1_024);
  let heads = new Int32Array(1_024);
  let size = 0;
  /** Credit codes and account numbers. */
  let names = createByteTable();
  let newestMs = -Infinity;
  let sweepAt = sweepFrom;
  const seen = new Set<number>();
  const of = (row: number, wanted: number): number => users.numbers[row * userWidth + wanted]!;

  /** Place of the thing, or the free one where it would be. */
  function placeOf(key: number): number {
    const mask = keys.length - 1;
    let at = spread(key) & mask;
    while (keys[at] !== key && keys[at] !== 0) at = (at + 1) & mask;
    return at;
  }

  function headOf(key: number): number {
    const at = placeOf(key);
    return keys[at] === 0 ? -1 : heads[at]!;
  }

  /** The things with their heads in tables of `length` places; those that `isKept` refuses are left out. */
  function rehash(length: number, isKept: (head: number) => boolean): void {
    const [oldKeys, oldHeads] = [keys, heads];
    [keys, heads, size] = [new Float64Array(length), new Int32Array(length), 0];
    for (let from = 0; from < oldKeys.length; from++) {
      if (oldKeys[from] === 0 || !isKept(oldHeads[from]!)) continue;
      const to = placeOf(oldKeys[from]!);
      keys[to] = oldKeys[from]!;
      heads[to] = oldHeads[from]!;
      size++;
    }
  }

  /** Adds a use to a user's latest, in order; an earlier one, or the same again, changes nothing. */
  function addUse(row: number, timeMs: number): void {
    const first = row * userWidth + user.uses;
    const { numbers } = users;
    let at = 0;
    while (at < usesMax && numbers[first + at]! > timeMs) at++;
    if (at === usesMax || numbers[first + at] === timeMs) return;
    numbers.copyWithin(first + at + 1, first + at, first + usesMax - 1);
    numbers[first + at] = timeMs;
  }

  /** The thing's user, taken out of its chain; a new one where there is none. */
  function takeUser(place: number, firm: number, account: number): number {
    let previous = -1;
    for (let row = heads[place]!; row >= 0; row = users.next[row]!) {
      if (of(row, user.account) === account && of(row, user.firm) === firm) {
        if (previous < 0) heads[place] = users.next[row]!;
        else users.next[previous] = users.next[row]!;
        return row;
      }
      previous = row;
    }
    const row = users.take();
    const base = row * userWidth;
    users.numbers[base + user.firm] = firm;
    users.numbers[base + user.account] = account;
    users.numbers.fill(never, base + user.uses, base + userWidth);
    return row;
  }

  function link(place: number, row: number): void {
    let newer = -1;
    let at = heads[place]!;
    let count = 1;
    for (; at >= 0 && of(at, user.uses) > of(row, user.uses); at = users.next[at]!) {
      newer = at;
      count++;
    }
    users.next[row] = at;
    if (newer < 0) heads[place] = row;
    else users.next[newer] = row;
    let previous = newer;
    let last = row;
    for (; users.next[last]! >= 0; last = users.next[last]!) {
      previous = last;
      count++;
    }
    if (count <= usersMax) return;
    users.next[previous] = -1;
    users.release(last);
  }

  function count(key: number, who: Who, sinceMs: number, atMs: number): number {
    seen.clear();
    for (let row = headOf(key); row >= 0 && of(row, user.uses) > sinceMs; row = users.next[row]!) {
      for (let use = 0; use < usesMax && of(row, user.uses + use) > sinceMs; use++) {
        if (of(row, user.uses + use) > atMs) continue;
        seen.add(of(row, who));
        break;
      }
    }
    return seen.size;
  }

  /** Forgets things that no window reaches any more, and names that nothing bears any more. */
  function sweep(): void {
    sweepAt = Math.max(sweepFrom, size * 2);
    const isKept = (head: number): boolean => of(head, user.uses) >= newestMs - keptMs;
    // Numbering the names of a million things anew takes a second: not for nothing.
    if (keys.every((key, place) => key === 0 || isKept(heads[place]!))) return;
    const live = createByteTable();
    rehash(keys.length, (head) => {
      const isLive = isKept(head);
      if (isLive) {
        for (let row = head; row >= 0; row = users.next[row]!)
          for (const who of [user.firm, user.account])
            users.numbers[row * userWidth + who] = names.internInto(live, of(row, who));
      } else {
        users.releaseAfter(head);
        users.release(head);
      }
      return isLive;
    });
    names = live;
    sweepAt = Math.max(sweepFrom, size * 2);
  }

  return {
    use(key, firm, account, timeMs) {
      newestMs = Math.max(newestMs, timeMs);
      let place = placeOf(key);
      const isNew = keys[place] === 0;
      if (isNew) {
        if ((size + 1) * 2 > keys.length) {
          rehash(keys.length * 2, () => true);
          place = placeOf(key);
        }
        keys[place] = key;
        heads[place] = -1;
        size++;
      }
      const row = takeUser(place, firm, account);
      addUse(row, timeMs);
      link(place, row);
      const isShared = users.next[heads[place]!]! >= 0;
      if (isNew && size > sweepAt) sweep();
      return isShared;
    },
    nameOf: (bytes, start, end, hash) => names.intern(bytes, start, end, hash),
    nameOfText: (text) => numberIn(names, text),
    latestMs(key, untilMs) {
      let latest: number = never;
      for (let row = headOf(key); row >= 0 && of(row, user.uses) > latest; row = users.next[row]!) {
        for (let use = 0; use < usesMax && of(row, user.uses + use) > latest; use++)
          if (of(row, user.uses + use) <= untilMs) latest = of(row, user.uses + use);
      }
      return latest;
    },
    firms: (key, sinceMs, atMs) => count(key, user.firm, sinceMs, atMs),
    accounts: (key, sinceMs, atMs) => count(key, user.account, sinceMs, atMs),
    accountsOf(key) {
      seen.clear();
      for (let row = headOf(key); row >= 0; row = users.next[row]!) seen.add(of(row, user.account));
      return [...seen].map((account) => names.text(account));
    },
    bytesUsed: () => users.bytesUsed() + keys.byteLength + heads.byteLength + names.bytesUsed(),
    snapshot: snapshotted(
      () => ({
        users: users.snapshot.save(),
        keys: kept(keys),
        heads: kept(heads),
        size,
        names: names.snapshot.save(),
        newestMs,
        sweepAt,
      }),
      (state) => {
        users.snapshot.load(state.users);
        names.snapshot.load(state.names);
        ({ keys, heads, size, newestMs, sweepAt } = state);
      },
    ),
  };
}

function numberIn(names: ByteTable, text: string): number {
  const bytes = encoder.encode(text);
  return names.intern(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
}
