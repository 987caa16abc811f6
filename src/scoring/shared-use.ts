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

/**
 * Which enterprises use a thing, by the thing's key (`device:4f…`). Of a thing the 128 accounts that used it last are
 * kept, so at most 128 enterprises (what more of them share is public), and of each account's uses the latest 4: a question is exact unless an account has used
 * the thing more often since `atMs`. A thing unused for 400 days may be forgotten.
 */
export interface Firms {
  /** True where more than one account has used the thing: a cheap question before the dearer ones. */
  use(key: string, firm: string, account: string, timeMs: number): boolean;
  /** Different enterprises that used the thing after `sinceMs` and up to `atMs`. */
  firms(key: string, sinceMs: number, atMs: number): number;
  /** Different accounts; likewise. */
  accounts(key: string, sinceMs: number, atMs: number): number;
  /** Accounts that ever used it, latest first, at most 128. */
  accountsOf(key: string): readonly string[];
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

interface Thing {
  head: number;
}

export function createFirms(): Firms {
  const users = new RowPool(userWidth);
  /** First user of a thing. Chains run from the latest use to the earliest. */
  const things = new Map<string, Thing>();
  let names = createNames();
  let newestMs = -Infinity;
  let sweepAt = sweepFrom;
  let keyCharacters = 0;
  const seen = new Set<number>();
  const of = (row: number, wanted: number): number => users.numbers[row * userWidth + wanted]!;

  function headOf(key: string): number {
    return things.get(key)?.head ?? -1;
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
  function takeUser(thing: Thing, firm: number, account: number): number {
    let previous = -1;
    for (let row = thing.head; row >= 0; row = users.next[row]!) {
      if (of(row, user.account) === account && of(row, user.firm) === firm) {
        if (previous < 0) thing.head = users.next[row]!;
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

  function link(thing: Thing, row: number): void {
    let newer = -1;
    let at = thing.head;
    let count = 1;
    for (; at >= 0 && of(at, user.uses) > of(row, user.uses); at = users.next[at]!) {
      newer = at;
      count++;
    }
    users.next[row] = at;
    if (newer < 0) thing.head = row;
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

  function cutAfter(last: number): void {
    for (let row = users.next[last]!; row >= 0;) {
      const following = users.next[row]!;
      users.release(row);
      row = following;
    }
    users.next[last] = -1;
  }

  function count(key: string, who: Who, sinceMs: number, atMs: number): number {
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
    const live = createNames();
    for (const [key, { head }] of things) {
      if (of(head, user.uses) < newestMs - keptMs) {
        cutAfter(head);
        users.release(head);
        things.delete(key);
        keyCharacters -= key.length;
        continue;
      }
      for (let row = head; row >= 0; row = users.next[row]!)
        for (const who of [user.firm, user.account])
          users.numbers[row * userWidth + who] = live.numberOf(names.texts[of(row, who)]!);
    }
    names = live;
    sweepAt = Math.max(sweepFrom, things.size * 2);
  }

  return {
    use(key, firm, account, timeMs) {
      newestMs = Math.max(newestMs, timeMs);
      let thing = things.get(key);
      if (!thing) {
        if (things.size >= sweepAt) sweep();
        keyCharacters += key.length;
        thing = { head: -1 };
        things.set(key, thing);
      }
      const row = takeUser(thing, names.numberOf(firm), names.numberOf(account));
      addUse(row, timeMs);
      link(thing, row);
      return users.next[thing.head]! >= 0;
    },
    firms: (key, sinceMs, atMs) => count(key, user.firm, sinceMs, atMs),
    accounts: (key, sinceMs, atMs) => count(key, user.account, sinceMs, atMs),
    accountsOf(key) {
      seen.clear();
      for (let row = headOf(key); row >= 0; row = users.next[row]!) seen.add(of(row, user.account));
      return [...seen].map((account) => names.texts[account]!);
    },
    bytesUsed: () => users.bytesUsed() + things.size * 56 + keyCharacters + names.bytesUsed(),
    snapshot: snapshotted(
      () => ({
        users: users.snapshot.save(),
        keys: () => [...things.keys()],
        heads: () => kept(Int32Array.from(things.values(), ({ head }) => head)),
        names: () => [...names.texts],
        newestMs,
        sweepAt,
        keyCharacters,
      }),
      (state) => {
        users.snapshot.load(state.users);
        things.clear();
        state.keys.forEach((key, i) => things.set(key, { head: state.heads[i]! }));
        names = createNames();
        for (const text of state.names) names.numberOf(text);
        ({ newestMs, sweepAt, keyCharacters } = state);
      },
    ),
  };
}

/** Texts as numbers, so that each is kept once. */
function createNames() {
  const numbers = new Map<string, number>();
  const texts: string[] = [];
  let characters = 0;
  return {
    texts: texts as readonly string[],
    numberOf(text: string): number {
      let number = numbers.get(text);
      if (number === undefined) {
        number = texts.length;
        numbers.set(text, number);
        texts.push(text);
        characters += text.length;
      }
      return number;
    },
    bytesUsed: () => texts.length * 64 + characters,
  };
}
