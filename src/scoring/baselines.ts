import { shanghaiOffsetMs } from '../domain/bank-day.js';
import { widerLength } from './growth.js';
import { RowPool } from './row-pool.js';
import { kept, snapshotOfAll, snapshotted, type Snapshotted } from './snapshot-state.js';

/**
 * What is usual for a subject: exponentially weighted mean and deviation of its turnover by the hour or the day (buckets in
 * China's time). The closed buckets count, from the subject's first one on, empty ones as zeros; each weighs half as much as one
 * a half-life later. An amount that comes late into a closed bucket is left out. Asking changes nothing.
 */
export interface Baselines {
  add(subject: number, baseline: number, timeMs: number, amountFen: number): void;
  /**
   * Turnover so far (fen, or payments) of the bucket that holds `timeMs`, in standard deviations from the mean. NaN before 20
   * closed buckets, where all were alike, and where that bucket is closed already.
   */
  zscore(subject: number, baseline: number, timeMs: number, what: Turnover): number;
  /** The mean of a bucket before the one that holds `timeMs`; NaN likewise. */
  mean(subject: number, baseline: number, timeMs: number, what: Turnover): number;
  /** Number of the baseline with these buckets and this half-life, the same for the same. */
  define(bucketMs: number, halfLifeMs: number): number;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}
type Turnover = 'sum' | 'count';

const bucketsMin = 20;

/**
 * Columns: the current bucket and its turnover, how many are closed, and for sums and counts the mean and the weighted sum of
 * squared differences from it (West's update).
 */
const column = { bucket: 0, closed: 1, sum: 2, sumMean: 3, sumSquares: 4, count: 5, countMean: 6, countSquares: 7 } as const;
const width = 8;
/** What stands at `first` + … for either. */
const value = 0;
const mean = 1;
const squares = 2;
const firstOf = (what: Turnover): number => (what === 'sum' ? column.sum : column.count);

interface Baseline {
  readonly bucketMs: number;
  readonly halfLifeMs: number;
  /** What is left of a bucket's weight one bucket later. */
  readonly decay: number;
  readonly rows: RowPool;
  /** By subject: its row + 1, 0 for none. */
  index: Int32Array;
}

interface Norm {
  readonly mean: number;
  readonly deviation: number;
  readonly turnover: number;
}

export function createBaselines(): Baselines {
  const baselines: Baseline[] = [];

  /** The subject's norm before the bucket that holds `timeMs`, and that bucket's turnover. */
  function norm(subject: number, baseline: number, timeMs: number, what: Turnover): Norm | undefined {
    const own = baselines[baseline]!;
    const row = (own.index[subject] ?? 0) - 1;
    if (row < 0) return undefined;
    const { numbers } = own.rows;
    const base = row * width;
    const passed = bucketOf(own, timeMs) - numbers[base + column.bucket]!;
    if (passed < 0 || numbers[base + column.closed]! + passed < bucketsMin) return undefined;
    const closed = numbers.slice(base, base + width);
    if (passed > 0) close(closed, 0, passed, own.decay);
    const weight = weightOf(closed[column.closed]!, own.decay);
    const first = firstOf(what);
    return {
      mean: closed[first + mean]!,
      deviation: Math.sqrt(closed[first + squares]! / weight),
      turnover: closed[first + value]!,
    };
  }

  return {
    define(bucketMs, halfLifeMs) {
      const known = baselines.findIndex((other) => other.bucketMs === bucketMs && other.halfLifeMs === halfLifeMs);
      if (known >= 0) return known;
      const decay = Math.pow(0.5, bucketMs / halfLifeMs);
      return baselines.push({ bucketMs, halfLifeMs, decay, rows: new RowPool(width), index: new Int32Array(64) }) - 1;
    },
    add(subject, baseline, timeMs, amountFen) {
      const own = baselines[baseline]!;
      const bucket = bucketOf(own, timeMs);
      const base = rowOf(own, subject, bucket) * width;
      const { numbers } = own.rows;
      const passed = bucket - numbers[base + column.bucket]!;
      if (passed < 0) return;
      if (passed > 0) close(numbers, base, passed, own.decay);
      numbers[base + column.sum]! += amountFen;
      numbers[base + column.count]!++;
    },
    zscore(subject, baseline, timeMs, what) {
      const own = norm(subject, baseline, timeMs, what);
      return own && own.deviation > 0 ? (own.turnover - own.mean) / own.deviation : NaN;
    },
    mean: (subject, baseline, timeMs, what) => norm(subject, baseline, timeMs, what)?.mean ?? NaN,
    bytesUsed: () => baselines.reduce((sum, { rows, index }) => sum + rows.bytesUsed() + index.byteLength, 0),
    // Which baselines there are is the plan's.
    snapshot: {
      save: () => snapshotOfAll(baselines.map(snapshotOf)).save(),
      load: (state) => snapshotOfAll(baselines.map(snapshotOf)).load(state),
    },
  };
}

function snapshotOf(own: Baseline): Snapshotted {
  return snapshotted(
    () => ({ rows: own.rows.snapshot.save(), index: kept(own.index) }),
    ({ rows, index }) => {
      own.rows.snapshot.load(rows);
      own.index = index;
    },
  );
}

const bucketOf = ({ bucketMs }: Baseline, timeMs: number): number => Math.floor((timeMs + shanghaiOffsetMs) / bucketMs);

/** Weight of `n` buckets, the latest of which weighs 1. */
const weightOf = (n: number, decay: number): number => (1 - Math.pow(decay, n)) / (1 - decay);

function rowOf(own: Baseline, subject: number, bucket: number): number {
  if (subject >= own.index.length) {
    const wider = new Int32Array(Math.max(subject + 1, widerLength(own.index.length)));
    wider.set(own.index);
    own.index = wider;
  }
  if (own.index[subject]! > 0) return own.index[subject]! - 1;
  const row = own.rows.take();
  own.rows.numbers.fill(0, row * width, row * width + width);
  own.rows.numbers[row * width + column.bucket] = bucket;
  own.index[subject] = row + 1;
  return row;
}

/** Closes the current bucket of the row at `base`, and the empty ones after it up to `passed` buckets on, in one step. */
function close(numbers: Float64Array, base: number, passed: number, decay: number): void {
  const before = weightOf(numbers[base + column.closed]!, decay) * decay;
  const zeros = passed - 1;
  const left = Math.pow(decay, zeros);
  const zeroWeight = weightOf(zeros, decay);
  for (const first of [column.sum, column.count]) {
    const at = base + first;
    const weight = before + 1;
    const difference = numbers[at + value]! - numbers[at + mean]!;
    const closedMean = numbers[at + mean]! + difference / weight;
    const closedSquares = numbers[at + squares]! * decay + difference * (numbers[at + value]! - closedMean);
    // The empty buckets are as many zeros: the share of all weight that is not theirs.
    const share = (weight * left) / (weight * left + zeroWeight);
    numbers[at + mean] = closedMean * share;
    numbers[at + squares] = closedSquares * left + closedMean * closedMean * share * zeroWeight;
    numbers[at + value] = 0;
  }
  numbers[base + column.bucket]! += passed;
  numbers[base + column.closed]! += passed;
}
