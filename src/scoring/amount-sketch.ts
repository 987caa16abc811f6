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

export interface AmountSketches {
  /** A row for one more subject. */
  open(): number;
  /** `amountClass` is `amountClassOf` the amount. */
  add(row: number, amountClass: number, timeMs: number): void;
  /** Number of amounts seen in the window, up to the halving of full rows; 0 for row -1. */
  samples(row: number, timeMs: number): number;
  /** Amount in fen that the share `rank` (0..1) of the amounts does not exceed; NaN without amounts. */
  percentile(row: number, rank: number, timeMs: number): number;
  bytesUsed(): number;
}

export function createAmountSketches(windowMs: number): AmountSketches {
  const halfMs = windowMs / 2;
  const counts: Uint8Array[] = [];
  const halves: Float64Array[] = [];
  let rows = 0;

  /** Brings a row to the half that holds `timeMs`; earlier halves fall out. A late amount stays in the present half. */
  function turn(row: number, timeMs: number): Uint8Array {
    const chunk = counts[row >>> chunkBits]!;
    const half = halves[row >>> chunkBits]!;
    const place = row & (rowsPerChunk - 1);
    const at = place * rowBytes;
    const now = Math.floor(timeMs / halfMs);
    const then = half[place]!;
    if (now > then) {
      if (now === then + 1) chunk.copyWithin(at + classes, at, at + classes);
      else chunk.fill(0, at + classes, at + rowBytes);
      chunk.fill(0, at, at + classes);
      half[place] = now;
    }
    return chunk;
  }

  const offset = (row: number): number => (row & (rowsPerChunk - 1)) * rowBytes;

  function total(chunk: Uint8Array, at: number): number {
    let sum = 0;
    for (let i = 0; i < rowBytes; i++) sum += chunk[at + i]!;
    return sum;
  }

  return {
    open() {
      if (rows % rowsPerChunk === 0) {
        counts.push(new Uint8Array(rowsPerChunk * rowBytes));
        halves.push(new Float64Array(rowsPerChunk).fill(-1e12));
      }
      return rows++;
    },
    add(row, amountClass, timeMs) {
      const chunk = turn(row, timeMs);
      const at = offset(row);
      const index = at + amountClass;
      if (chunk[index] === countMax) for (let i = 0; i < rowBytes; i++) chunk[at + i] = chunk[at + i]! >> 1;
      chunk[index] = chunk[index]! + 1;
    },
    samples(row, timeMs) {
      if (row < 0) return 0;
      const chunk = turn(row, timeMs);
      const at = offset(row);
      return total(chunk, at);
    },
    percentile(row, rank, timeMs) {
      if (row < 0) return Number.NaN;
      const chunk = turn(row, timeMs);
      const at = offset(row);
      const all = total(chunk, at);
      if (all === 0) return Number.NaN;
      let before = 0;
      for (let c = 0; c < classes; c++) {
        before += chunk[at + c]! + chunk[at + classes + c]!;
        if (before >= rank * all) return classMiddle(c);
      }
      return classMiddle(classes - 1);
    },
    bytesUsed: () => counts.length * rowsPerChunk * (rowBytes + 8),
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
