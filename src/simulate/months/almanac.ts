import { dayMs, startOfDayMs } from '../../domain/bank-day.js';
import type { Random } from '../random.js';

/** Dates and hours of business. */

export interface CalendarDate {
  readonly day: number;
  /** 1 … 12. */
  readonly month: number;
  /** 1 … 31. */
  readonly date: number;
  /** 1 Monday … 7 Sunday. */
  readonly weekday: number;
  /** Months since year 0: neighbours differ by one. */
  readonly monthNumber: number;
}

export function dateOf(day: number): CalendarDate {
  const at = new Date(day * dayMs);
  const month = at.getUTCMonth() + 1;
  return {
    day,
    month,
    date: at.getUTCDate(),
    weekday: ((at.getUTCDay() + 6) % 7) + 1,
    monthNumber: at.getUTCFullYear() * 12 + month,
  };
}

/** What a calendar says of a day. */
export type IsWorkingDay = (day: number) => boolean;

/** The days whose dues are paid on a working day: itself and the days off right before it. */
export function dueDates(day: number, isWorkingDay: IsWorkingDay): CalendarDate[] {
  if (!isWorkingDay(day)) return [];
  const due = [dateOf(day)];
  for (let before = day - 1; !isWorkingDay(before) && due.length < daysOffMax; before--) due.push(dateOf(before));
  return due;
}

/** A calendar without a working day in a fortnight has none. */
const daysOffMax = 14;

export function workingDayFrom(day: number, isWorkingDay: IsWorkingDay): number {
  let at = day;
  while (!isWorkingDay(at) && at < day + daysOffMax) at++;
  return at;
}

export type Hours = 'office' | 'shop' | 'night' | 'always';

/** Share of a day's payments by hour of the day. */
const weights: Readonly<Record<Hours, readonly number[]>> = {
  office: [0, 0, 0, 0, 0, 0, 0, 0.5, 5, 10, 11, 8, 2.5, 4, 9, 10, 8, 4.5, 1.5, 0.6, 0.3, 0.1, 0, 0],
  shop: [0, 0, 0, 0, 0, 0.2, 1, 3, 4, 4, 5, 8, 9, 5, 4, 5, 6, 9, 11, 10, 8, 5, 1, 0],
  night: [9, 7, 5, 2, 0.5, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0.5, 0.5, 1, 3, 6, 9, 11, 12, 12, 11],
  always: [3, 2, 1, 1, 1, 1, 1.5, 3, 4, 5, 6, 5, 5, 5, 5, 5, 5, 5, 6, 7, 8, 9, 8, 5],
};
const cumulative: Readonly<Record<Hours, readonly number[]>> = {
  office: sums(weights.office),
  shop: sums(weights.shop),
  night: sums(weights.night),
  always: sums(weights.always),
};

/** An instant of the day at which business of the kind is done, in whole seconds. */
export function instantOf(day: number, hours: Hours, random: Random): number {
  const sumsOfDay = cumulative[hours];
  const at = random.unit() * sumsOfDay[23]!;
  let hour = 0;
  while (sumsOfDay[hour]! <= at) hour++;
  return startOfDayMs(day) + hour * 3_600_000 + random.below(3_600) * 1_000;
}

function sums(shares: readonly number[]): number[] {
  let sum = 0;
  return shares.map((share) => (sum += share));
}

/** How much business a month has against the others: little around the Spring Festival, much at the ends of quarters and year. */
const seasons = [1.05, 0.7, 1.1, 0.95, 1, 1.15, 0.95, 0.95, 1.1, 0.9, 1.05, 1.3] as const;

export function seasonOf(month: number): number {
  return seasons[month - 1] ?? 1;
}
