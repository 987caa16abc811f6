import { createAccountHeads } from './account-heads.js';
import { RowPool } from './row-pool.js';
import { snapshotted, type Snapshotted } from './snapshot-state.js';

/** Which payers brought traces of which origins to an account: its latest 128, for a trace's life. */
export interface Gatherings {
  /** False where it is known already, or older than all that are kept. */
  note(account: number, origin: number, via: number, timeMs: number, hops: number): boolean;
  count(account: number, hops: number, sinceMs: number, atMs: number): number;
  /** Looks at some of the accounts at each call, at all of them in turn. */
  sweep(beforeMs: number, accountsMost: number): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

const eachMax = 128;
/** Chains are cut to the latest 128 only when they have grown to this, so that no arrival walks along a whole chain. */
const lengthMax = 2 * eachMax;
/** Columns; chains run from new to old. */
const column = { timeMs: 0, origin: 1, via: 2, hops: 3 } as const;
const width = 4;

export function createGatherings(lifeMs: number): Gatherings {
  const rows = new RowPool(width);
  const heads = createAccountHeads();
  /** How long chains are. */
  const lengths = createAccountHeads();
  const via = new Set<number>();
  const of = (row: number, wanted: number): number => rows.numbers[row * width + wanted]!;

  /** Different payers with a trace of `origin`, from `first` on along the chain, at most `most` rows. */
  function payers(first: number, most: number, origin: number, hops: number, sinceMs: number): number {
    via.clear();
    let left = most;
    for (let row = first; left > 0 && row >= 0 && of(row, column.timeMs) > sinceMs; row = rows.next[row]!, left--)
      if (of(row, column.origin) === origin && (hops === 0 || of(row, column.hops) === hops)) via.add(of(row, column.via));
    return via.size;
  }

  return {
    note(account, origin, payer, timeMs, hops) {
      const head = heads.get(account);
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
      const base = row * width;
      const { numbers } = rows;
      numbers[base + column.timeMs] = timeMs;
      numbers[base + column.origin] = origin;
      numbers[base + column.via] = payer;
      numbers[base + column.hops] = hops;
      rows.next[row] = at;
      if (newer < 0) heads.set(account, row);
      else rows.next[newer] = row;
      const length = Math.max(0, lengths.get(account)) + 1;
      lengths.set(account, length);
      if (length < lengthMax) return true;
      let last = heads.get(account);
      for (let i = 1; i < eachMax; i++) last = rows.next[last]!;
      rows.releaseAfter(last);
      lengths.set(account, eachMax);
      return true;
    },
    count(account, hops, sinceMs, atMs) {
      let first = heads.get(account);
      let left = eachMax;
      for (; first >= 0 && of(first, column.timeMs) > atMs; left--) first = rows.next[first]!;
      if (first < 0 || left <= 0) return 0;
      const latestMs = of(first, column.timeMs);
      let most = 0;
      let row = first;
      for (let i = left; i > 0 && row >= 0 && of(row, column.timeMs) === latestMs; row = rows.next[row]!, i--)
        most = Math.max(most, payers(first, left, of(row, column.origin), hops, sinceMs));
      return most;
    },
    sweep(beforeMs, accountsMost) {
      heads.inTurn(accountsMost, (account, head) => {
        if (of(head, column.timeMs) + lifeMs < beforeMs) {
          rows.releaseAfter(head);
          rows.release(head);
          heads.set(account, -1);
          lengths.set(account, -1);
          return;
        }
        let last = head;
        let length = 1;
        for (; rows.next[last]! >= 0 && of(rows.next[last]!, column.timeMs) + lifeMs >= beforeMs; length++)
          last = rows.next[last]!;
        rows.releaseAfter(last);
        lengths.set(account, length);
      });
    },
    bytesUsed: () => rows.bytesUsed() + heads.bytesUsed() + lengths.bytesUsed(),
    snapshot: snapshotted(
      () => ({ rows: rows.snapshot.save(), heads: heads.snapshot.save(), lengths: lengths.snapshot.save() }),
      (state) => {
        rows.snapshot.load(state.rows);
        heads.snapshot.load(state.heads);
        lengths.snapshot.load(state.lengths);
      },
    ),
  };
}
