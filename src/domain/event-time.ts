import { z } from 'zod';

/** ISO 8601 with a time zone: a bare local time is ambiguous and is refused. */
export const instant = z.iso.datetime({
  offset: true,
  error: 'expected ISO 8601 with a time zone, such as 2026-07-01T09:30:00+08:00',
});

/**
 * When something can have happened, epoch milliseconds: a day in China is eight hours before UTC's from 1992 on (until 1991 there was
 * summer time), and the warehouse's times end with the 23rd century. What lies outside is a slip of a clock or of a format.
 */
export const eventTimeMs = {
  from: Date.parse('1992-01-01T00:00:00+08:00'),
  before: Date.parse('2200-01-01T00:00:00+08:00'),
} as const;

export function isEventTime(timeMs: number): boolean {
  return timeMs >= eventTimeMs.from && timeMs < eventTimeMs.before;
}

/**
 * Epoch milliseconds of a transaction's `time`. Digits of a second beyond the third are cut off: `Date.parse` misreads some long
 * fractions (V8 takes `.000009000000` for 9 ms), and every part of HuQi must come to the same instant.
 */
export function transactionTimeMs(time: string): number {
  return Date.parse(time.replace(/(\.\d{3})\d+/, '$1'));
}

/** The time of a payment or of a record. */
export const eventTime = instant.refine((text) => isEventTime(transactionTimeMs(text)), {
  error: 'lies before 1992 or after 2199; check the clock and the format',
});
