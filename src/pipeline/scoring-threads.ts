/** Who takes in has work for a processor of its own; who reads from the log what others took in has little beside scoring. */
const busyRoles: readonly string[] = ['http', 'incoming', 'archive'];

/**
 * How many threads score, beside the process's own; 0 means that this one does. `auto`: as many as processors, less one for the
 * process's own thread where `roles` give it much to do, and never more than there are partitions.
 */
export function scoringThreads(
  wanted: number | 'auto',
  { processors, partitions, roles }: { processors: number; partitions: number; roles: ReadonlySet<string> },
): number {
  if (wanted !== 'auto') return Math.min(wanted, partitions);
  if (processors === 1) return 0;
  const isBusy = busyRoles.some((role) => roles.has(role));
  return Math.min(isBusy ? processors - 1 : processors, partitions);
}
