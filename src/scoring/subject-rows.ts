import { widerLength } from './growth.js';
import { column, type Plan } from './plan.js';
import { never } from './pair-table.js';
import { kept, snapshotted } from './snapshot-state.js';

/** One row of numbers per subject, laid out by the plan: `numbers[row * width + column]`. */
export class SubjectRows {
  numbers: Float64Array;
  readonly width: number;
  private readonly blank: Float64Array;
  private rowsByAccount = new Int32Array(1024).fill(-1);
  size = 0;

  readonly snapshot = snapshotted(
    () => ({
      numbers: kept(this.numbers, this.size * this.width),
      rowsByAccount: kept(this.rowsByAccount),
      size: this.size,
    }),
    ({ numbers, rowsByAccount, size }) => {
      this.numbers = numbers;
      this.rowsByAccount = rowsByAccount;
      this.size = size;
    },
  );

  constructor(plan: Plan) {
    this.width = plan.width;
    this.blank = blankRow(plan);
    this.numbers = new Float64Array(256 * this.width);
  }

  /** Row of the account with this number; opened on first sight, which may replace `numbers`. */
  rowOf(account: number): number {
    const known = this.known(account);
    return known >= 0 ? known : this.open(account);
  }

  /** The row where the account has one, else -1. */
  known(account: number): number {
    return account < this.rowsByAccount.length ? this.rowsByAccount[account]! : -1;
  }

  /** A row as an account begins with, that belongs to nobody. */
  blankRow(): Float64Array {
    return this.blank.slice();
  }

  bytesUsed(): number {
    return this.numbers.byteLength + this.rowsByAccount.byteLength;
  }

  private open(account: number): number {
    if (account >= this.rowsByAccount.length) {
      const wider = new Int32Array(Math.max(account + 1, this.rowsByAccount.length * 2)).fill(-1);
      wider.set(this.rowsByAccount);
      this.rowsByAccount = wider;
    }
    const row = this.size++;
    if (this.size * this.width > this.numbers.length) {
      const wider = new Float64Array(widerLength(this.numbers.length));
      wider.set(this.numbers);
      this.numbers = wider;
    }
    this.rowsByAccount[account] = row;
    this.numbers.set(this.blank, row * this.width);
    return row;
  }
}

function blankRow(plan: Plan): Float64Array {
  const row = new Float64Array(plan.width);
  row[column.clockMs] = never;
  row[column.newest] = -1;
  row[column.oldest] = -1;
  row[column.named] = -1;
  row[column.day] = -1;
  row[column.balanceFen] = Number.NaN;
  row[column.lotHead] = -1;
  for (const { headColumn, cells } of plan.windows) {
    if (headColumn >= 0) {
      row[headColumn] = -1;
      row[headColumn + 1] = Infinity;
    }
    for (const cell of cells) if (cell.kind === 'max' || cell.kind === 'min') row[cell.column] = Number.NaN;
  }
  for (const sketch of plan.sketches) row[sketch.column] = -1;
  return row;
}
