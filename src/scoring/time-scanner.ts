import { isEventTime } from '../domain/event-time.js';
import type { TransactionView } from './transaction-view.js';

/** Dates and times of a record, straight from its bytes; the bounds of `json-scanner.ts` hold. */

/** The closing quote of `"YYYY-MM-DDTHH:MM:SS[.f…](Z|±HH:MM)"` at `at`; its instant goes to the view, cut to milliseconds. */
export function scanTime(bytes: Uint8Array, at: number, end: number, view: TransactionView): number {
  if (bytes[at] !== 0x22 || end - at < 22) return -1;
  const start = at + 1;
  const day = scanDate(bytes, start);
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  const second = twoDigits(bytes, start + 17);
  if (day === invalidDay || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return -1;
  if (bytes[start + 10] !== 0x54 || bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return -1;

  let p = start + 19;
  let milliseconds = 0;
  if (bytes[p] === 0x2e) {
    const fraction = ++p;
    for (let unit = 100, c = bytes[p]!; c >= 0x30 && c <= 0x39; c = bytes[++p]!) {
      milliseconds += (c - 0x30) * unit;
      unit = (unit / 10) | 0;
    }
    if (p === fraction) return -1;
  }
  let offsetMinutes = 0;
  const sign = bytes[p];
  if (sign === 0x5a) {
    p++;
  } else {
    if ((sign !== 0x2b && sign !== 0x2d) || end - p < 8 || bytes[p + 3] !== 0x3a) return -1;
    const hours = twoDigits(bytes, p + 1);
    const minutes = twoDigits(bytes, p + 4);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return -1;
    offsetMinutes = sign === 0x2b ? hours * 60 + minutes : -(hours * 60 + minutes);
    p += 6;
  }
  if (bytes[p] !== 0x22) return -1;
  view.timeMs = day * 86_400_000 + (hour * 3600 + (minute - offsetMinutes) * 60 + second) * 1000 + milliseconds;
  return isEventTime(view.timeMs) ? p : -1;
}

/** What `scanDate` gives for anything but a date. */
export const invalidDay = -1_000_000;
const daysInMonth = new Uint8Array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]);

/** Day number of `YYYY-MM-DD` at `at`, or `invalidDay`. The caller has made sure of ten bytes. */
export function scanDate(bytes: Uint8Array, at: number): number {
  const century = twoDigits(bytes, at);
  const yearOfCentury = twoDigits(bytes, at + 2);
  const month = twoDigits(bytes, at + 5);
  const day = twoDigits(bytes, at + 8);
  if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d || century < 0 || yearOfCentury < 0) return invalidDay;
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth[month]!) return invalidDay;
  const isLeap = yearOfCentury === 0 ? (century & 3) === 0 : (yearOfCentury & 3) === 0;
  if (month === 2 && day === 29 && !isLeap) return invalidDay;
  return dayOf(century * 100 + yearOfCentury, month, day);
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar, years 0 to 9999, counted from March so that leap days come last. */
function dayOf(year: number, month: number, day: number): number {
  // 400 years more (146,097 days) keep January of year 0 positive.
  const y = month <= 2 ? year + 399 : year + 400;
  const m = month <= 2 ? month + 9 : month - 3;
  const days = y * 365 + ((y / 4) | 0) - ((y / 100) | 0) + ((y / 400) | 0) + (((153 * m + 2) / 5) | 0) + day - 1;
  return days - 719_468 - 146_097;
}

/** Two ASCII digits as a number, negative for anything else. */
export function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30;
  const ones = bytes[at + 1]! - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}
