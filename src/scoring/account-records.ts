import { dayMs } from '../domain/bank-day.js';
import { accountChanges, sharedKinds, type Login, type Profile, type SharedKind } from '../domain/reference.js';
import { knownProfile, profileBytes, storedProfile, type KnownProfile } from './known-profile.js';
import { loginColumn, loginSteps, viewOfLogin, type LoginView } from './login-view.js';
import { mapEntryBytes, RowPool } from './row-pool.js';
import { fillMap, keptMap, snapshotted, type Snapshotted } from './snapshot-state.js';
import { keyOfText } from './byte-key.js';

/** `AccountChange`s are numbered by `accountChanges`; a set of them is a number with those bits. */
export type AccountChange = (typeof accountChanges)[number];
type StopAction = 'stop' | 'freeze' | 'release';

/**
 * What reference records say about accounts. Records may come late and in any order: the answers are the same. Of an account
 * are kept its latest profile, and of its logins, changes, stop-pays and stop-pays of its kin the latest 200 each, as far as
 * they lie within 400 days of the account's newest record. A record whose id is among those kept changes nothing; one
 * of a profile's time counts as later if its id sorts behind.
 */
export interface AccountRecords {
  takeProfile(account: number, profile: Profile): void;
  takeChange(account: number, what: AccountChange, timeMs: number, id: string): void;
  takeLogin(account: number, login: Login): void;
  takeStop(account: number, action: StopAction, timeMs: number): void;
  /** An account that shares something with this one was stopped. */
  takeKinStop(account: number, timeMs: number): void;
  /** How many enterprises are known to share the account's thing of that kind; replaces what was said before. */
  takeFirms(account: number, shared: SharedKind, firms: number): void;
  profile(account: number): KnownProfile | undefined;
  /** Changes of one of `kinds` (a set) after `afterMs` and up to `upToMs`. */
  changes(account: number, kinds: number, afterMs: number, upToMs: number): number;
  /** Milliseconds since the latest change of one of `kinds` (a set) at or before `atMs`; NaN without one. */
  sinceChangeMs(account: number, kinds: number, atMs: number): number;
  /** The latest login at or before `atMs`. Walks over the account's logins: ask once a leg. */
  login(account: number, atMs: number): LoginView | undefined;
  /** The latest stop or freeze up to `atMs` came after `sinceMs`, and no release with it or since. */
  isStopped(account: number, sinceMs: number, atMs: number): boolean;
  isKinStopped(account: number, sinceMs: number, atMs: number): boolean;
  /** NaN unknown. */
  firms(account: number, shared: SharedKind): number;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const keptMs = 400 * dayMs;
const eachMax = 200;

/** Columns of an account's row: its newest record's time, heads of its chains, and one per shared kind. */
const column = { newestMs: 0, logins: 1, changes: 2, stops: 3, kinStops: 4, firms: 5 } as const;
type Chain = typeof column.logins | typeof column.changes | typeof column.stops | typeof column.kinStops;

/** Chains run from new to old, ordered by time, rank (a step, a kind of change, an action) and key (of the id). */
const { timeMs: timeColumn, rank: rankColumn, key: keyColumn } = loginColumn;
const eventWidth = 3;

const stopActions: readonly StopAction[] = ['stop', 'freeze', 'release'];
const release = stopActions.indexOf('release');

export function createAccountRecords(): AccountRecords {
  const rows = new Map<number, number>();
  const accounts = new RowPool(column.firms + sharedKinds.length);
  const logins = new RowPool(Object.keys(loginColumn).length);
  const events = new RowPool(eventWidth);
  const profiles = new Map<number, KnownProfile>();
  let bytesOfProfiles = 0;

  function rowOf(account: number): number {
    let row = rows.get(account);
    if (row === undefined) {
      row = accounts.take();
      rows.set(account, row);
      const base = row * accounts.width;
      accounts.numbers.fill(-1, base, base + column.firms);
      accounts.numbers[base] = -Infinity;
      accounts.numbers.fill(NaN, base + column.firms, base + accounts.width);
    }
    return row;
  }

  /** Where in `accounts.numbers` something of an account stands; -1 without records. */
  function placeOf(account: number, wanted: number): number {
    const row = rows.get(account);
    return row === undefined ? -1 : row * accounts.width + wanted;
  }

  const oldestMs = (row: number): number => accounts.numbers[row * accounts.width]! - keptMs;

  function note(row: number, timeMs: number): void {
    const at = row * accounts.width;
    accounts.numbers[at] = Math.max(accounts.numbers[at]!, timeMs);
  }

  /** Puts a row into its place of a chain; -1 where it is known already, too old, or one too many. */
  function insert(pool: RowPool, row: number, chain: Chain, timeMs: number, rank: number, key: number): number {
    const { numbers, width } = pool;
    if (isKnown(pool, row, chain, timeMs, rank, key)) return -1;
    note(row, timeMs);
    if (timeMs < oldestMs(row)) return -1;
    const head = row * accounts.width + chain;
    dropTail(pool, row, head);
    let newer = -1;
    let at = accounts.numbers[head]!;
    let count = 0;
    while (at >= 0 && isNewer(numbers, at * width, timeMs, rank, key)) {
      newer = at;
      at = pool.next[at]!;
      count++;
    }
    if (count >= eachMax) return -1;
    const own = pool.take();
    pool.next[own] = at;
    if (newer < 0) accounts.numbers[head] = own;
    else pool.next[newer] = own;
    pool.numbers[own * width + timeColumn] = timeMs;
    pool.numbers[own * width + rankColumn] = rank;
    pool.numbers[own * width + keyColumn] = key;
    dropAfter(pool, own, eachMax - count - 1);
    return own;
  }

  function isKnown(pool: RowPool, row: number, chain: Chain, timeMs: number, rank: number, key: number): boolean {
    const { numbers, next, width } = pool;
    const oldest = oldestMs(row);
    for (let at = accounts.numbers[row * accounts.width + chain]!; at >= 0; at = next[at]!) {
      const base = at * width;
      if (numbers[base + timeColumn]! < oldest) return false;
      // Stop-pays have no id: there the time and the action tell them apart.
      if (key !== 0 ? numbers[base + keyColumn] === key : numbers[base] === timeMs && numbers[base + rankColumn] === rank)
        return true;
    }
    return false;
  }

  function dropTail(pool: RowPool, row: number, head: number): void {
    const oldest = oldestMs(row);
    let last = -1;
    let at = accounts.numbers[head]!;
    while (at >= 0 && pool.numbers[at * pool.width]! >= oldest) {
      last = at;
      at = pool.next[at]!;
    }
    if (last >= 0) dropAfter(pool, last, 0);
    else {
      accounts.numbers[head] = -1;
      releaseAll(pool, at);
    }
  }

  /** The first row of a chain of changes, from `at` on, that is of one of `kinds` and after `afterMs`; -1 without one. */
  function nextOfKinds(first: number, kinds: number, afterMs: number): number {
    for (let at = first; at >= 0 && events.numbers[at * eventWidth]! > afterMs; at = events.next[at]!)
      if ((kinds >>> events.numbers[at * eventWidth + rankColumn]!) & 1) return at;
    return -1;
  }

  /** The latest row of a chain at or before `atMs`; -1 without one. */
  function latest(pool: RowPool, account: number, chain: Chain, atMs: number): number {
    const head = placeOf(account, chain);
    if (head < 0) return -1;
    let at = accounts.numbers[head]!;
    while (at >= 0 && pool.numbers[at * pool.width]! > atMs) at = pool.next[at]!;
    return at >= 0 && pool.numbers[at * pool.width]! >= accounts.numbers[head - chain]! - keptMs ? at : -1;
  }

  return {
    takeProfile(account, profile) {
      const before = profiles.get(account);
      const known = knownProfile(profile);
      if (before && (known.timeMs < before.timeMs || (known.timeMs === before.timeMs && known.id <= before.id))) return;
      if (before?.id === known.id) return;
      note(rowOf(account), known.timeMs);
      profiles.set(account, known);
      bytesOfProfiles += profileBytes(known) - (before ? profileBytes(before) : 0);
    },
    takeChange(account, what, timeMs, id) {
      insert(events, rowOf(account), column.changes, timeMs, accountChanges.indexOf(what), keyOfText(0, id));
    },
    takeLogin(account, login) {
      const step = loginSteps.indexOf(login.step);
      const own = insert(logins, rowOf(account), column.logins, Date.parse(login.time), step, keyOfText(0, login.id));
      if (own < 0) return;
      const base = own * logins.width;
      const { numbers } = logins;
      numbers[base + loginColumn.session] = keyOf(login.session);
      numbers[base + loginColumn.ip] = keyOf(login.device?.ip);
      numbers[base + loginColumn.mac] = keyOf(login.device?.mac);
      numbers[base + loginColumn.province] = login.province ?? NaN;
      numbers[base + loginColumn.latitude] = login.latitude ?? NaN;
      numbers[base + loginColumn.longitude] = login.longitude ?? NaN;
      numbers[base + loginColumn.remote] = login.isRemoteControlled === true ? 1 : 0;
      numbers[base + loginColumn.operator] = keyOf(login.operator);
      numbers[base + loginColumn.device] = keyOf(login.device?.id);
    },
    takeStop(account, action, timeMs) {
      insert(events, rowOf(account), column.stops, timeMs, stopActions.indexOf(action), 0);
    },
    takeKinStop(account, timeMs) {
      insert(events, rowOf(account), column.kinStops, timeMs, 0, 0);
    },
    takeFirms(account, shared, firms) {
      accounts.numbers[rowOf(account) * accounts.width + column.firms + sharedKinds.indexOf(shared)] = firms;
    },
    profile: (account) => profiles.get(account),
    changes(account, kinds, afterMs, upToMs) {
      let at = latest(events, account, column.changes, upToMs);
      if (at < 0) return 0;
      const oldest = accounts.numbers[placeOf(account, column.newestMs)]! - keptMs;
      let count = 0;
      for (;;) {
        at = nextOfKinds(at, kinds, afterMs);
        if (at < 0 || events.numbers[at * eventWidth]! < oldest) return count;
        count++;
        at = events.next[at]!;
      }
    },
    sinceChangeMs(account, kinds, atMs) {
      const newest = latest(events, account, column.changes, atMs);
      if (newest < 0) return NaN;
      const at = nextOfKinds(newest, kinds, -Infinity) * eventWidth;
      const oldest = accounts.numbers[placeOf(account, column.newestMs)]! - keptMs;
      return at < 0 || events.numbers[at]! < oldest ? NaN : atMs - events.numbers[at]!;
    },
    login(account, atMs) {
      const own = latest(logins, account, column.logins, atMs);
      if (own < 0) return undefined;
      const oldest = accounts.numbers[placeOf(account, column.newestMs)]! - keptMs;
      return viewOfLogin(logins, own, atMs, oldest);
    },
    isStopped(account, sinceMs, atMs) {
      const at = latest(events, account, column.stops, atMs) * eventWidth;
      return at >= 0 && events.numbers[at + rankColumn] !== release && events.numbers[at]! > sinceMs;
    },
    isKinStopped(account, sinceMs, atMs) {
      const at = latest(events, account, column.kinStops, atMs) * eventWidth;
      return at >= 0 && events.numbers[at]! > sinceMs;
    },
    firms(account, shared) {
      const at = placeOf(account, column.firms + sharedKinds.indexOf(shared));
      return at < 0 ? NaN : accounts.numbers[at]!;
    },
    bytesUsed: () =>
      accounts.bytesUsed() +
      logins.bytesUsed() +
      events.bytesUsed() +
      bytesOfProfiles +
      (rows.size + profiles.size) * mapEntryBytes,
    snapshot: snapshotted(
      () => ({
        rows: keptMap(rows),
        accounts: accounts.snapshot.save(),
        logins: logins.snapshot.save(),
        events: events.snapshot.save(),
        profiles: () => [...profiles],
        bytesOfProfiles,
      }),
      (state) => {
        fillMap(rows, state.rows);
        accounts.snapshot.load(state.accounts);
        logins.snapshot.load(state.logins);
        events.snapshot.load(state.events);
        profiles.clear();
        for (const [account, profile] of state.profiles) profiles.set(account, storedProfile(profile));
        ({ bytesOfProfiles } = state);
      },
    ),
  };
}

const keyOf = (text: string | undefined): number => (text === undefined ? 0 : keyOfText(0, text));

function isNewer(numbers: Float64Array, base: number, timeMs: number, rank: number, key: number): boolean {
  if (numbers[base + timeColumn] !== timeMs) return numbers[base + timeColumn]! > timeMs;
  if (numbers[base + rankColumn] !== rank) return numbers[base + rankColumn]! > rank;
  return numbers[base + keyColumn]! > key;
}

/** Releases all but `more` of the rows behind `row`. */
function dropAfter(pool: RowPool, row: number, more: number): void {
  let last = row;
  for (let i = 0; i < more && pool.next[last]! >= 0; i++) last = pool.next[last]!;
  const first = pool.next[last]!;
  pool.next[last] = -1;
  releaseAll(pool, first);
}

function releaseAll(pool: RowPool, first: number): void {
  for (let at = first; at >= 0;) {
    const following = pool.next[at]!;
    pool.release(at);
    at = following;
  }
}
