import { widerLength } from './growth.js';
import { kept, snapshotted } from './snapshot-state.js';

/**
 * Rows of a fixed number of doubles in one typed array, with a free list, and one link a row, so that rows form chains: what few
 * subjects have costs nothing for the others, and no object is made per row.
 */
export class RowPool {
  /** Row `r` begins at `r * width`. Another array after each `take` that had to grow. */
  numbers: Float64Array;
  /** The row after a row in its chain, -1 at the end. */
  next: Int32Array;
  private used = 0;
  private free = -1;

  constructor(
    readonly width: number,
    rows = 64,
  ) {
    this.numbers = new Float64Array(rows * width);
    this.next = new Int32Array(rows);
  }

  readonly snapshot = snapshotted(
    () => ({
      numbers: kept(this.numbers, this.used * this.width),
      next: kept(this.next, this.used),
      used: this.used,
      free: this.free,
    }),
    ({ numbers, next, used, free }) => {
      this.numbers = numbers;
      this.next = next;
      this.used = used;
      this.free = free;
    },
  );

  /** A row of its own, with no row after it. What its numbers held before is still there. */
  take(): number {
    let row = this.free;
    if (row >= 0) this.free = this.next[row]!;
    else {
      row = this.used++;
      if (row === this.next.length) this.grow();
    }
    this.next[row] = -1;
    return row;
  }

  /** The row may be taken again; the caller has unlinked it. */
  release(row: number): void {
    this.next[row] = this.free;
    this.free = row;
  }

  /** Ends the chain at `row`: those behind it may be taken again. */
  releaseAfter(row: number): void {
    for (let at = this.next[row]!; at >= 0;) {
      const following = this.next[at]!;
      this.release(at);
      at = following;
    }
    this.next[row] = -1;
  }

  bytesUsed(): number {
    return this.numbers.byteLength + this.next.byteLength;
  }

  private grow(): void {
    const rows = widerLength(this.next.length);
    const numbers = new Float64Array(rows * this.width);
    numbers.set(this.numbers);
    this.numbers = numbers;
    const next = new Int32Array(rows);
    next.set(this.next);
    this.next = next;
  }
}

/** What an entry of a `Map` from number to number takes, in bytes: an estimate for `bytesUsed`. */
export const mapEntryBytes = 40;
