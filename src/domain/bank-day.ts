/** Calendar days as China counts them: Asia/Shanghai has been UTC+8 without daylight saving since 1991. */

export const dayMs = 86_400_000;
export const shanghaiOffsetMs = 8 * 3_600_000;

/** Day number (days since 1970-01-01) of an instant, in Asia/Shanghai. */
export function dayNumber(timeMs: number): number {
  return Math.floor((timeMs + shanghaiOffsetMs) / dayMs);
}

/** The instant at which a day begins in Asia/Shanghai. */
export function startOfDayMs(day: number): number {
  return day * dayMs - shanghaiOffsetMs;
}

/** An instant as ISO 8601 in Asia/Shanghai: `2026-07-01T09:30:00+08:00`, with milliseconds only where there are some. */
export function formatShanghai(timeMs: number): string {
  const day = dayNumber(timeMs);
  if (day !== formattedDay) {
    formattedText = formatDay(day);
    formattedDay = day;
  }
  const inDayMs = timeMs - startOfDayMs(day);
  const seconds = Math.floor(inDayMs / 1_000);
  const ms = inDayMs - seconds * 1_000;
  const clock = `${two[Math.floor(seconds / 3_600)]}:${two[Math.floor(seconds / 60) % 60]}:${two[seconds % 60]}`;
  return `${formattedText}T${clock}${ms === 0 ? '' : `.${String(ms).padStart(3, '0')}`}+08:00`;
}

/** The day that was written last: most that is written one after the other is of one day. */
let formattedDay = Number.NaN;
let formattedText = '';
const two = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

/** A day number as `2026-07-01`. */
export function formatDay(day: number): string {
  return new Date(day * dayMs).toISOString().slice(0, 10);
}
