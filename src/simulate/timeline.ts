import { startOfDayMs } from '../domain/bank-day.js';
import type { Random } from './random.js';

/** When business is done: quotas per minute that follow the rhythm of a day, so that times come out sorted. */

export interface Stretch {
  /** Day numbers, `from` ≤ day < `to`. */
  readonly from: number;
  readonly to: number;
  /** Payments to place in the stretch. */
  readonly count: number;
  /** Weight of a day against the others of the stretch. */
  readonly weight: (day: number) => number;
}

/** Share of a day's payments by hour: two peaks, a dip at lunch, little at night. */
const hourWeights = [
  0.15, 0.1, 0.08, 0.08, 0.1, 0.2, 0.6, 1.5, 4, 9, 9.5, 7.5, 3.5, 5, 8.5, 9, 7, 4.5, 2.5, 2, 1.6, 1.2, 0.7, 0.35,
];
const minutesPerDay = 1_440;
const dayShares = minuteShares();

/** Saturday and Sunday. Public holidays make no difference to a synthetic day. */
export function isWeekend(day: number): boolean {
  const weekday = (day + 4) % 7;
  return weekday === 0 || weekday === 6;
}

/** Event times in epoch milliseconds, whole seconds, ascending; exactly `count` of them. */
export function* eventTimes(stretch: Stretch, random: Random): Generator<number> {
  let total = 0;
  for (let day = stretch.from; day < stretch.to; day++) total += stretch.weight(day);
  let passed = 0;
  let placed = 0;
  for (let day = stretch.from; day < stretch.to; day++) {
    const weight = stretch.weight(day);
    for (let minute = 0; minute < minutesPerDay; minute++) {
      const isLast = day === stretch.to - 1 && minute === minutesPerDay - 1;
      const due = isLast ? stretch.count : Math.floor(((passed + weight * dayShares[minute]!) / total) * stretch.count);
      if (due > placed) yield* secondsOfMinute(startOfDayMs(day) + minute * 60_000, due - placed, random);
      placed = Math.max(placed, due);
    }
    passed += weight;
  }
}

function* secondsOfMinute(startMs: number, count: number, random: Random): Generator<number> {
  const seconds = new Uint8Array(count);
  for (let i = 0; i < count; i++) seconds[i] = random.below(60);
  seconds.sort();
  for (const second of seconds) yield startMs + second * 1_000;
}

/** Share of a day's payments made until the end of each minute. */
function minuteShares(): Float64Array {
  const shares = new Float64Array(minutesPerDay);
  const total = hourWeights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  for (let minute = 0; minute < minutesPerDay; minute++) {
    sum += hourWeights[Math.floor(minute / 60)]! / 60 / total;
    shares[minute] = Math.min(sum, 1);
  }
  return shares;
}
