import { column, type Plan } from './plan.js';
import { never } from './pair-table.js';

const chunkBits = 10;
const rowsPerChunk = 1 << chunkBits;

/** One row of numbers per subject, laid out by the plan. */
export interface SubjectRows {
  /** Row of the account with this number; opened on first sight. */
  rowOf(account: number): number;
  /** The row where the account has one, else -1. */
  known(account: number): number;
  chunk(row: number): Float64Array;
  base(row: number): number;
  readonly size: number;
  bytesUsed(): number;
}

export function createSubjectRows(plan: Plan): SubjectRows {
  const width = plan.width;
  const blank = blankRow(plan);
  const chunks: Float64Array[] = [];
  let rowsByAccount = new Int32Array(4096).fill(-1);
  let size = 0;

  return {
    rowOf(account) {
      if (account >= rowsByAccount.length) {
        const wider = new Int32Array(Math.max(account + 1, rowsByAccount.length * 2)).fill(-1);
        wider.set(rowsByAccount);
        rowsByAccount = wider;
      }
      const known = rowsByAccount[account]!;
      if (known >= 0) return known;
      if (size % rowsPerChunk === 0) chunks.push(new Float64Array(rowsPerChunk * width));
      const row = size++;
      rowsByAccount[account] = row;
      chunks[row >>> chunkBits]!.set(blank, (row & (rowsPerChunk - 1)) * width);
      return row;
    },
    known: (account) => (account < rowsByAccount.length ? rowsByAccount[account]! : -1),
    chunk: (row) => chunks[row >>> chunkBits]!,
    base: (row) => (row & (rowsPerChunk - 1)) * width,
    get size() {
      return size;
    },
    bytesUsed: () => chunks.length * rowsPerChunk * width * 8 + rowsByAccount.byteLength,
  };
}

function blankRow(plan: Plan): Float64Array {
  const row = new Float64Array(plan.width);
  row[column.clockMs] = never;
  row[column.newest] = -1;
  row[column.oldest] = -1;
  row[column.day] = -1;
  row[column.balanceFen] = Number.NaN;
  row[column.lotHead] = -1;
  for (const { headColumn, cells } of plan.windows) {
    if (headColumn >= 0) {
      row[headColumn] = -1;
      row[headColumn + 1] = Infinity;
      row[headColumn + 2] = -1;
    }
    for (const cell of cells) if (cell.kind === 'max' || cell.kind === 'min') row[cell.column] = Number.NaN;
  }
  for (const sketch of plan.sketches) row[sketch.column] = -1;
  return row;
}
