import { mapEntryBytes, RowPool } from './row-pool.js';
import { fillMap, keptMap, snapshotted, type Snapshotted } from './snapshot-state.js';

/**
 * Levels of accounts in cases, as at a time: the smallest that the account got by then counts. Kept are the times at which it
 * got a level no greater than any before: at most 32 an account; beyond that the oldest time at which it got a level anew
 * is forgotten.
 */
export interface CaseLevels {
  /** False where it changes nothing: it is known, or the account had a smaller one by then. */
  set(account: number, level: number, timeMs: number): boolean;
  /** NaN where the account had none by `atMs`. */
  level(account: number, atMs: number): number;
  /** When it last got the level it had at `atMs`; NaN without one. */
  sinceMs(account: number, atMs: number): number;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const eachMax = 32;

export function createCaseLevels(): CaseLevels {
  /** Time, level. Chains run from new to old, so that levels never fall along them. */
  const rows = new RowPool(2);
  const heads = new Map<number, number>();
  const timeOf = (row: number): number => rows.numbers[row * 2]!;
  const levelOf = (row: number): number => rows.numbers[row * 2 + 1]!;

  function latest(account: number, atMs: number): number {
    let row = heads.get(account) ?? -1;
    while (row >= 0 && timeOf(row) > atMs) row = rows.next[row]!;
    return row;
  }

  /** Forgets the oldest row that repeats the level of the row before it in time. */
  function dropOldestRepeat(head: number): void {
    let found = -1;
    for (let row = head; rows.next[row]! >= 0 && rows.next[rows.next[row]!]! >= 0; row = rows.next[row]!) {
      const middle = rows.next[row]!;
      if (levelOf(middle) === levelOf(rows.next[middle]!)) found = row;
    }
    if (found < 0) return;
    const gone = rows.next[found]!;
    rows.next[found] = rows.next[gone]!;
    rows.release(gone);
  }

  return {
    set(account, level, timeMs) {
      const before = latest(account, timeMs);
      if (before >= 0 && (levelOf(before) < level || (levelOf(before) === level && timeOf(before) === timeMs))) return false;
      const row = rows.take();
      rows.numbers[row * 2] = timeMs;
      rows.numbers[row * 2 + 1] = level;
      // Rows from here to the head are those that say something new: greater levels after this time no longer do.
      let newer = -1;
      let count = 1;
      for (let at = heads.get(account) ?? -1; at >= 0 && timeOf(at) > timeMs;) {
        const following = rows.next[at]!;
        if (levelOf(at) > level) rows.release(at);
        else {
          if (newer < 0) heads.set(account, at);
          else rows.next[newer] = at;
          newer = at;
          count++;
        }
        at = following;
      }
      let older = before;
      while (older >= 0 && timeOf(older) === timeMs && levelOf(older) > level) {
        const following = rows.next[older]!;
        rows.release(older);
        older = following;
      }
      if (newer < 0) heads.set(account, row);
      else rows.next[newer] = row;
      rows.next[row] = older;
      for (let at = older; at >= 0; at = rows.next[at]!) count++;
      if (count > eachMax) dropOldestRepeat(heads.get(account)!);
      return true;
    },
    level(account, atMs) {
      const row = latest(account, atMs);
      return row < 0 ? NaN : levelOf(row);
    },
    sinceMs(account, atMs) {
      const row = latest(account, atMs);
      return row < 0 ? NaN : timeOf(row);
    },
    bytesUsed: () => rows.bytesUsed() + heads.size * mapEntryBytes,
    snapshot: snapshotted(
      () => ({ rows: rows.snapshot.save(), heads: keptMap(heads) }),
      (state) => {
        rows.snapshot.load(state.rows);
        fillMap(heads, state.heads);
      },
    ),
  };
}
