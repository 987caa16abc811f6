import { dayMs, dayNumber, startOfDayMs } from '../domain/bank-day.js';

/** What the windows need of the working-day calendar (see `domain/calendar.ts`). */
export interface WorkingDays {
  /** First day of the window that holds the `count` working days ending at `day`. */
  workingWindowStart(day: number, count: number): number;
}

/**
 * A span of a subject's own time that ends at its clock: the latest event time it has seen.
 * `10m 24h 7d` slide; `day` and `3days` are calendar days in Asia/Shanghai; `5wd` holds five working days; `ever` never ends.
 */
export interface Window {
  readonly text: string;
  /** Longest span it can cover in milliseconds; `Infinity` for `ever`. */
  readonly spanMsMax: number;
  /** It slides by the millisecond; the others move on with the calendar day. */
  readonly slides: boolean;
  /** Legs with `time > startMs(clock)` are inside. */
  startMs(clockMs: number): number;
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs } as const;
/** Five working days around the longest public holiday span at most this many calendar days. */
const calendarSlackDays = 14;

export type WindowProblem = { readonly problem: string };

/** Parses a window. Expected texts are given in the problem. */
export function parseWindow(text: string, workingDays: WorkingDays): Window | WindowProblem {
  if (text === 'ever') return { text, spanMsMax: Infinity, slides: false, startMs: () => -Infinity };
  if (text === 'day') return calendarDays(text, 1);
  const match = /^(\d{1,4})(s|m|h|d|days|wd)$/.exec(text);
  if (!match) return { problem: `"${text}" is no window; write for example "10m", "24h", "7d", "day", "3days", "5wd" or "ever"` };
  const count = Number(match[1]);
  if (count === 0) return { problem: `"${text}" is empty; a window needs at least 1` };
  const unit = match[2]!;
  if (unit === 'days') return calendarDays(text, count);
  if (unit === 'wd')
    return count > 10 ? { problem: `"${text}" is too long; at most 10 working days` } : workingWindow(text, count, workingDays);
  const spanMs = count * unitMs[unit as keyof typeof unitMs];
  return { text, spanMsMax: spanMs, slides: true, startMs: (clockMs) => clockMs - spanMs };
}

function calendarDays(text: string, count: number): Window | WindowProblem {
  if (count > 31) return { problem: `"${text}" is too long; at most 31 calendar days` };
  return {
    text,
    spanMsMax: count * dayMs,
    slides: false,
    startMs: (clockMs) => startOfDayMs(dayNumber(clockMs) - count + 1) - 1,
  };
}

function workingWindow(text: string, count: number, workingDays: WorkingDays): Window {
  return {
    text,
    spanMsMax: (count + calendarSlackDays) * dayMs,
    slides: false,
    startMs: (clockMs) => startOfDayMs(workingDays.workingWindowStart(dayNumber(clockMs), count)) - 1,
  };
}

/** Where some windows begin for the clock in hand; the answers that change with the day alone are kept for the day. */
export interface WindowStarts {
  readonly startsMs: Float64Array;
  move(clockMs: number, day: number): void;
}

export function createWindowStarts(planned: readonly { readonly window: Window }[]): WindowStarts {
  const startsMs = new Float64Array(planned.length);
  const spansMs = Float64Array.from(planned, ({ window }) => (window.slides ? window.spanMsMax : Number.NaN));
  let forMs = Number.NaN;
  let forDay = Number.NaN;
  return {
    startsMs,
    move(clockMs, day) {
      if (clockMs === forMs) return;
      forMs = clockMs;
      if (day !== forDay) {
        forDay = day;
        for (let w = 0; w < planned.length; w++) startsMs[w] = planned[w]!.window.startMs(clockMs);
      }
      for (let w = 0; w < spansMs.length; w++) if (spansMs[w]! > 0) startsMs[w] = clockMs - spansMs[w]!;
    },
  };
}
