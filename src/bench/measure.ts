/** Runs something several times and keeps the middle: shared machines are noisy. */
export interface Measured {
  readonly median: number;
  readonly all: readonly number[];
}

export async function medianOf(runs: number, once: (run: number) => number | Promise<number>): Promise<Measured> {
  const all: number[] = [];
  for (let run = 0; run < runs; run++) all.push(await once(run));
  return { median: percentile(all, 0.5), all };
}

export function percentile(values: readonly number[], rank: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(rank * sorted.length) - 1))]!;
}

/** How long a process runs before its latency counts as that of a warm one. */
export const warmSeconds = 15;
