import { z } from 'zod';
import { dayMs, dayNumber, formatDay, startOfDayMs } from './bank-day.js';

/**
 * Working days in China: Monday to Friday, less the holidays and plus the make-up days (调休上班) of the State Council's
 * yearly notice. Days are day numbers (see `bank-day.ts`). A year without a table is never guessed silently.
 */

const calendarDate = z.iso.date('expected a date such as 2026-10-01');

const yearSchema = z.object({
  /** Number of the State Council's notice. */
  notice: z.string().min(1),
  holidays: z.array(z.object({ name: z.string().min(1), from: calendarDate, to: calendarDate })).max(20),
  /** Saturdays and Sundays that are worked. */
  workingDays: z.array(calendarDate).max(40),
});

export const calendarSchema = z.object({
  source: z.string().min(1),
  years: z.record(z.string().regex(/^20\d\d$/, 'expected a year such as 2026'), yearSchema),
});
export type CalendarData = z.infer<typeof calendarSchema>;

export interface Calendar {
  /** Throws `UnknownCalendarYear` where the table lacks the year, unless unknown years count as Monday to Friday. */
  isWorkingDay(day: number): boolean;
  /** The n-th working day after `day` (before it for a negative n); `day` itself for 0. */
  addWorkingDays(day: number, n: number): number;
  /**
   * First day of the window that holds the n working days ending at `day`, which counts as one if it is one.
   * n = 5: on a Friday the Monday of the same week; on a Sunday the Monday of that week. Days off in between belong to it.
   */
  workingWindowStart(day: number, n: number): number;
  /** Years that had to be treated as Monday to Friday so far. */
  readonly guessedYears: ReadonlySet<number>;
}

export interface CalendarOptions {
  readonly unknownYears?: 'throw' | 'weekends';
}

/** The end of the last year that has a table, epoch milliseconds in Shanghai; 0 without any. */
export function calendarEndMs({ years }: CalendarData): number {
  const last = Math.max(0, ...Object.keys(years).map(Number));
  return last === 0 ? 0 : startOfDayMs(firstDayOf(last + 1));
}

/** Holidays of the next year are published in November: a month before its end a calendar that goes no further is overdue. */
export const calendarNoticeMs = 31 * dayMs;

export class UnknownCalendarYear extends Error {
  readonly retriable = false;
  readonly year: number;
  constructor(year: number) {
    super(
      `The working-day calendar has no table for ${year}. Add the holidays and make-up working days of the State Council's ` +
        `notice for ${year} to config/catalogue/calendar.yaml.`,
    );
    this.name = 'UnknownCalendarYear';
    this.year = year;
  }
}

/** Throws `RangeError`, naming year and day, for a table that contradicts itself. */
export function createCalendar(data: CalendarData, options: CalendarOptions = {}): Calendar {
  const table = buildTable(data);
  const guessedYears = new Set<number>();

  const isWorkingDay = (day: number): boolean => {
    const kind = table.kinds[day - table.firstDay];
    if (kind === undefined || kind === dayKind.unknown) return guess(day);
    return kind === dayKind.working;
  };

  const guess = (day: number): boolean => {
    const year = yearOf(day);
    if (options.unknownYears !== 'weekends') throw new UnknownCalendarYear(year);
    guessedYears.add(year);
    return !isWeekend(day);
  };

  return {
    isWorkingDay,
    guessedYears,
    addWorkingDays(day, n) {
      checkCount(n, -workingDaysMax);
      const step = n < 0 ? -1 : 1;
      let at = day;
      for (let left = Math.abs(n); left > 0;) {
        at += step;
        if (isWorkingDay(at)) left--;
      }
      return at;
    },
    workingWindowStart(day, n) {
      checkCount(n, 1);
      let at = day;
      for (let left = isWorkingDay(at) ? n - 1 : n; left > 0;) {
        at--;
        if (isWorkingDay(at)) left--;
      }
      return at;
    },
  };
}

/** Most working days that can be added or looked back over: about ten years. */
const workingDaysMax = 2_500;
const dayKind = { unknown: 0, off: 1, working: 2 } as const;

interface DayTable {
  readonly firstDay: number;
  readonly kinds: Uint8Array;
}

function buildTable(data: CalendarData): DayTable {
  const years = Object.keys(data.years).map(Number);
  if (years.length === 0) return { firstDay: 0, kinds: new Uint8Array(0) };
  const firstDay = firstDayOf(Math.min(...years));
  const kinds = new Uint8Array(firstDayOf(Math.max(...years) + 1) - firstDay);
  for (const [name, { holidays, workingDays }] of Object.entries(data.years)) {
    const year = Number(name);
    for (let day = firstDayOf(year); day < firstDayOf(year + 1); day++) {
      kinds[day - firstDay] = isWeekend(day) ? dayKind.off : dayKind.working;
    }
    for (const holiday of holidays) {
      const [from, to] = [dayIn(year, holiday.from), dayIn(year, holiday.to)];
      if (to < from)
        throw new RangeError(`calendar ${year}: ${holiday.name} ends (${holiday.to}) before it begins (${holiday.from})`);
      kinds.fill(dayKind.off, from - firstDay, to + 1 - firstDay);
    }
    for (const text of workingDays) kinds[makeUpDay(year, text, holidays) - firstDay] = dayKind.working;
  }
  return { firstDay, kinds };
}

/** A make-up day is a Saturday or Sunday outside the holidays: anything else is a slip of the editor. */
function makeUpDay(year: number, text: string, holidays: readonly { from: string; to: string }[]): number {
  const day = dayIn(year, text);
  if (!isWeekend(day)) throw new RangeError(`calendar ${year}: working day ${text} is not a Saturday or Sunday`);
  if (holidays.some(({ from, to }) => from <= text && text <= to)) {
    throw new RangeError(`calendar ${year}: ${text} is both a holiday and a working day`);
  }
  return day;
}

function dayIn(year: number, text: string): number {
  if (!text.startsWith(`${year}-`)) throw new RangeError(`calendar ${year}: ${text} is a day of another year`);
  return dayNumber(Date.parse(`${text}T00:00:00+08:00`));
}

function firstDayOf(year: number): number {
  return dayNumber(Date.parse(`${year}-01-01T00:00:00+08:00`));
}

function yearOf(day: number): number {
  return Number(formatDay(day).slice(0, 4));
}

function isWeekend(day: number): boolean {
  // Day 0, 1970-01-01, was a Thursday.
  const weekday = (((day + 3) % 7) + 7) % 7;
  return weekday >= 5;
}

function checkCount(n: number, min: number): void {
  if (!Number.isInteger(n) || n < min || n > workingDaysMax) {
    throw new RangeError(`expected a whole number of working days from ${min} to ${workingDaysMax}, found ${n}`);
  }
}
