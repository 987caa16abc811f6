import { kept, keptTables, snapshotOfAll, snapshotted, type Snapshotted } from './snapshot-state.js';

/**
 * Approximate percentiles of a subject's amounts over a long window: counts in 64 logarithmic classes from 100 yuan to
 * 1 billion yuan, relative error at most ±14 %. Two halves of the window are kept and swapped, so an answer covers
 * between half of the window and all of it. Deterministic: it depends on the subject's own amounts in their order only.
 */
const classes = 64;
const smallestFen = 10_000;
const classRatio = Math.pow(1e7, 1 / (classes - 1));
const classWidth = Math.log(classRatio);
const logSmallest = Math.log(smallestFen);
/** A full row: a byte for each class of the present half, and behind them of the half before. */
const fullBytes = classes * 2;
/** Counts are bytes; a full one halves its row, which keeps the shape. */
const countMax = 255;
/**
 * Most accounts pay seldom: up to 30 amounts are a list of their classes. How many are of the present half and of the half before,
 * the former from the third byte on, the latter from the last byte back.
 */
const listBytes = 32;
const listedMax = listBytes - 2;

/** Columns that a sketch has in a subject's row: which row is its own (see `ownRow`), which half it stands in. */
export const sketchColumns = 2;

/** All functions take the subject's row and the sketch's first column in it. */
export interface AmountSketches {
  /** `amountClass` is `amountClassOf` the amount. */
  add(row: Float64Array, at: number, amountClass: number, timeMs: number): void;
  /** Number of amounts seen in the window, up to the halving of full rows. */
  samples(row: Float64Array, at: number, timeMs: number): number;
  /** Amount in fen that the share `rank` (0..1) of the amounts does not exceed; NaN without amounts. */
  percentile(row: Float64Array, at: number, rank: number, timeMs: number): number;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

/** What stands in the first column: -1 for none, twice the number of a list, or twice that of a full row and one. */
const ownRow = { list: (list: number) => list * 2, full: (full: number) => full * 2 + 1 } as const;

export function createAmountSketches(windowMs: number): AmountSketches {
  const halfMs = windowMs / 2;
  const lists = createByteRows(listBytes);
  const fulls = createByteRows(fullBytes);
  const counts = new Uint16Array(classes);

  /** Brings a row to the half that holds `timeMs`; earlier halves fall out. A late amount stays in the present half. */
  function turn(row: Float64Array, at: number, timeMs: number): void {
    const now = Math.floor(timeMs / halfMs);
    const then = row[at + 1]!;
    if (now <= then) return;
    row[at + 1] = now;
    const own = row[at]!;
    if ((own & 1) === 0) turnList(lists.chunkOf(own >>> 1), lists.offsetOf(own >>> 1), now === then + 1);
    else turnFull(fulls.chunkOf(own >>> 1), fulls.offsetOf(own >>> 1), now === then + 1);
  }

  function turnList(chunk: Uint8Array, start: number, isNext: boolean): void {
    const present = isNext ? chunk[start]! : 0;
    chunk.copyWithin(start + listBytes - present, start + 2, start + 2 + present);
    chunk[start] = 0;
    chunk[start + 1] = present;
  }

  function turnFull(chunk: Uint8Array, start: number, isNext: boolean): void {
    if (isNext) chunk.copyWithin(start + classes, start, start + classes);
    else chunk.fill(0, start + classes, start + fullBytes);
    chunk.fill(0, start, start + classes);
  }

  /** A list that is full becomes a full row. */
  function widen(list: number): number {
    const full = fulls.open();
    const chunk = fulls.chunkOf(full);
    const start = fulls.offsetOf(full);
    const listed = lists.chunkOf(list);
    const from = lists.offsetOf(list);
    for (let i = 0; i < listed[from]!; i++) chunk[start + listed[from + 2 + i]!]!++;
    for (let i = 0; i < listed[from + 1]!; i++) chunk[start + classes + listed[from + listBytes - 1 - i]!]!++;
    lists.release(list);
    return full;
  }

  /** How many amounts are in the window; `counts` holds them by class. */
  function countAll(own: number): number {
    let all = 0;
    if ((own & 1) === 1) {
      const chunk = fulls.chunkOf(own >>> 1);
      const start = fulls.offsetOf(own >>> 1);
      for (let c = 0; c < classes; c++) all += counts[c] = chunk[start + c]! + chunk[start + classes + c]!;
      return all;
    }
    const chunk = lists.chunkOf(own >>> 1);
    const start = lists.offsetOf(own >>> 1);
    counts.fill(0);
    for (let i = 0; i < chunk[start]!; i++) counts[chunk[start + 2 + i]!]!++;
    for (let i = 0; i < chunk[start + 1]!; i++) counts[chunk[start + listBytes - 1 - i]!]!++;
    return chunk[start]! + chunk[start + 1]!;
  }

  return {
    add(row, at, amountClass, timeMs) {
      if (row[at]! < 0) {
        row[at] = ownRow.list(lists.open());
        row[at + 1] = Math.floor(timeMs / halfMs);
      }
      turn(row, at, timeMs);
      const own = row[at]!;
      if ((own & 1) === 0) {
        const chunk = lists.chunkOf(own >>> 1);
        const start = lists.offsetOf(own >>> 1);
        if (chunk[start]! + chunk[start + 1]! < listedMax) {
          chunk[start + 2 + chunk[start]!] = amountClass;
          chunk[start]!++;
          return;
        }
        row[at] = ownRow.full(widen(own >>> 1));
      }
      const full = row[at]! >>> 1;
      const chunk = fulls.chunkOf(full);
      const start = fulls.offsetOf(full);
      if (chunk[start + amountClass] === countMax) for (let i = 0; i < fullBytes; i++) chunk[start + i]! >>= 1;
      chunk[start + amountClass]!++;
    },
    samples(row, at, timeMs) {
      if (row[at]! < 0) return 0;
      turn(row, at, timeMs);
      const own = row[at]!;
      if ((own & 1) === 1) return countAll(own);
      const chunk = lists.chunkOf(own >>> 1);
      const start = lists.offsetOf(own >>> 1);
      return chunk[start]! + chunk[start + 1]!;
    },
    percentile(row, at, rank, timeMs) {
      if (row[at]! < 0) return Number.NaN;
      turn(row, at, timeMs);
      const all = countAll(row[at]!);
      if (all === 0) return Number.NaN;
      let before = 0;
      for (let c = 0; c < classes; c++) {
        before += counts[c]!;
        if (before >= rank * all) return classMiddle(c);
      }
      return classMiddle(classes - 1);
    },
    bytesUsed: () => lists.bytesUsed() + fulls.bytesUsed(),
    snapshot: snapshotOfAll({ lists: lists.snapshot, fulls: fulls.snapshot }),
  };
}

const chunkBits = 10;
const rowsPerChunk = 1 << chunkBits;

/** Rows of so many bytes, all zero when they are opened. */
function createByteRows(bytes: number) {
  let chunks: Uint8Array[] = [];
  let rows = 0;
  let spare: number[] = [];
  const chunkOf = (row: number): Uint8Array => chunks[row >>> chunkBits]!;
  const offsetOf = (row: number): number => (row & (rowsPerChunk - 1)) * bytes;

  return {
    chunkOf,
    offsetOf,
    open(): number {
      const row = spare.pop();
      if (row !== undefined) {
        chunkOf(row).fill(0, offsetOf(row), offsetOf(row) + bytes);
        return row;
      }
      if ((rows & (rowsPerChunk - 1)) === 0) chunks.push(new Uint8Array(rowsPerChunk * bytes));
      return rows++;
    },
    release: (row: number): void => void spare.push(row),
    bytesUsed: () => chunks.length * rowsPerChunk * bytes,
    snapshot: snapshotted(
      () => ({ chunks: keptTables(chunks.map((chunk) => kept(chunk))), rows, spare: kept(Int32Array.from(spare)) }),
      (state) => {
        chunks = [...state.chunks];
        rows = state.rows;
        spare = [...state.spare];
      },
    ),
  };
}

/** The logarithmic class of an amount in fen, 0 to 63. */
export function amountClassOf(amountFen: number): number {
  if (amountFen <= smallestFen) return 0;
  return Math.min(classes - 1, Math.floor((Math.log(amountFen) - logSmallest) / classWidth) + 1);
}

/** Geometric middle of a class: the class `c` holds amounts up to `smallest * ratio^c`. */
function classMiddle(c: number): number {
  return c === 0 ? smallestFen : Math.round(Math.exp(logSmallest + (c - 0.5) * classWidth));
}
