import { mapEntryBytes, RowPool } from './row-pool.js';
import { fillMap, keptMap, snapshotted, type Snapshotted } from './snapshot-state.js';

/** Which payers brought traces of which origins to an account: its latest 128, for a trace's life. */
export interface Gatherings {
  /** False where it is known already, or older than all that are kept. */
  note(account: number, origin: number, via: number, timeMs: number, hops: number): boolean;
  count(account: number, hops: number, sinceMs: number, atMs: number): number;
  sweep(beforeMs: number): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const eachMax = 128;
/** Columns; chains run from new to old. */
const column = { timeMs: 0, origin: 1, via: 2, hops: 3 } as const;
const width = 4;

export function createGatherings(lifeMs: number): Gatherings {
  const rows = new RowPool(width);
  const heads = new Map<number, number>();
  const via = new Set<number>();
  const of = (row: number, wanted: number): number => rows.numbers[row * width + wanted]!;

  /** Different payers with a trace of `origin`, from `first` on along the chain. */
  function payers(first: number, origin: number, hops: number, sinceMs: number): number {
    via.clear();
    for (let row = first; row >= 0 && of(row, column.timeMs) > sinceMs; row = rows.next[row]!)
      if (of(row, column.origin) === origin && (hops === 0 || of(row, column.hops) === hops)) via.add(of(row, column.via));
    return via.size;
  }

  /** Cuts a chain behind `last`. */
  function cut(last: number): void {
    for (let row = rows.next[last]!; row >= 0;) {
      const following = rows.next[row]!;
      rows.release(row);
      row = following;
    }
    rows.next[last] = -1;
  }

  return {
    note(account, origin, payer, timeMs, hops) {
      const head = heads.get(account) ?? -1;
      let newer = -1;
      let at = head;
      let count = 0;
      for (; at >= 0 && of(at, column.timeMs) >= timeMs; at = rows.next[at]!) {
        const isSame =
          of(at, column.timeMs) === timeMs &&
          of(at, column.origin) === origin &&
          of(at, column.via) === payer &&
          of(at, column.hops) === hops;
        if (isSame) return false;
        newer = at;
        count++;
      }
      if (count >= eachMax) return false;
      const row = rows.take();
      rows.numbers.set([timeMs, origin, payer, hops], row * width);
      rows.next[row] = at;
      if (newer < 0) heads.set(account, row);
      else rows.next[newer] = row;
      let last = row;
      for (count++; count < eachMax && rows.next[last]! >= 0; count++) last = rows.next[last]!;
      cut(last);
      return true;
    },
    count(account, hops, sinceMs, atMs) {
      let first = heads.get(account) ?? -1;
      while (first >= 0 && of(first, column.timeMs) > atMs) first = rows.next[first]!;
      if (first < 0) return 0;
      const latestMs = of(first, column.timeMs);
      let most = 0;
      for (let row = first; row >= 0 && of(row, column.timeMs) === latestMs; row = rows.next[row]!)
        most = Math.max(most, payers(first, of(row, column.origin), hops, sinceMs));
      return most;
    },
    sweep(beforeMs) {
      for (const [account, head] of heads) {
        if (of(head, column.timeMs) + lifeMs < beforeMs) {
          cut(head);
          rows.release(head);
          heads.delete(account);
          continue;
        }
        let last = head;
        while (rows.next[last]! >= 0 && of(rows.next[last]!, column.timeMs) + lifeMs >= beforeMs) last = rows.next[last]!;
        cut(last);
      }
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
