import { kept, keptTables, snapshotted, type Snapshotted } from './snapshot-state.js';

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
const rowBytes = classes * 2;
const chunkBits = 10;
const rowsPerChunk = 1 << chunkBits;
/** Counts are bytes; a full one halves its row, which keeps the shape. */
const countMax = 255;

/** Columns that a sketch has in a subject's row: which row of counts is its own (-1 none), which half it stands in. */
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

export function createAmountSketches(windowMs: number): AmountSketches {
  const halfMs = windowMs / 2;
  let chunks: Uint8Array[] = [];
  let rows = 0;

  function open(): number {
    if ((rows & (rowsPerChunk - 1)) === 0) chunks.push(new Uint8Array(rowsPerChunk * rowBytes));
    return rows++;
  }

  const offset = (own: number): number => (own & (rowsPerChunk - 1)) * rowBytes;

  /** Brings a row to the half that holds `timeMs`; earlier halves fall out. A late amount stays in the present half. */
  function turn(row: Float64Array, at: number, timeMs: number): Uint8Array {
    const own = row[at]!;
    const chunk = chunks[own >>> chunkBits]!;
    const now = Math.floor(timeMs / halfMs);
    const then = row[at + 1]!;
    if (now <= then) return chunk;
    const start = offset(own);
    if (now === then + 1) chunk.copyWithin(start + classes, start, start + classes);
    else chunk.fill(0, start + classes, start + rowBytes);
    chunk.fill(0, start, start + classes);
    row[at + 1] = now;
    return chunk;
  }

  function total(chunk: Uint8Array, start: number): number {
    let sum = 0;
    for (let i = 0; i < rowBytes; i++) sum += chunk[start + i]!;
    return sum;
  }

  return {
    add(row, at, amountClass, timeMs) {
      if (row[at]! < 0) {
        row[at] = open();
        row[at + 1] = Math.floor(timeMs / halfMs);
      }
      const chunk = turn(row, at, timeMs);
      const start = offset(row[at]!);
      if (chunk[start + amountClass] === countMax) for (let i = 0; i < rowBytes; i++) chunk[start + i]! >>= 1;
      chunk[start + amountClass]!++;
    },
    samples(row, at, timeMs) {
      return row[at]! < 0 ? 0 : total(turn(row, at, timeMs), offset(row[at]!));
    },
    percentile(row, at, rank, timeMs) {
      if (row[at]! < 0) return Number.NaN;
      const chunk = turn(row, at, timeMs);
      const start = offset(row[at]!);
      const all = total(chunk, start);
      if (all === 0) return Number.NaN;
      let before = 0;
      for (let c = 0; c < classes; c++) {
        before += chunk[start + c]! + chunk[start + classes + c]!;
        if (before >= rank * all) return classMiddle(c);
      }
      return classMiddle(classes - 1);
    },
    bytesUsed: () => chunks.length * rowsPerChunk * rowBytes,
    snapshot: snapshotted(
      () => ({ chunks: keptTables(chunks.map((chunk) => kept(chunk))), rows }),
      (state) => {
        chunks = [...state.chunks];
        ({ rows } = state);
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
