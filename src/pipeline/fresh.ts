/** Whether less than `ms` has passed since then. Not where the clock has been set back: nobody knows what has passed. */
export function isFresh(nowMs: number, sinceMs: number, ms: number): boolean {
  const passedMs = nowMs - sinceMs;
  return passedMs >= 0 && passedMs < ms;
}
