/** The last N samples, kept exactly: percentiles of what happened lately without the error of a histogram's buckets. */
export interface RecentSamples {
  add(value: number): void;
  /** `fraction` 0.99 = p99 by nearest rank; null before the first sample. */
  percentile(fraction: number): number | null;
  readonly count: number;
}

export function createRecentSamples(samplesMax: number): RecentSamples {
  const ring = new Float64Array(samplesMax);
  let added = 0;
  return {
    add(value) {
      ring[added++ % samplesMax] = value;
    },
    percentile(fraction) {
      const kept = Math.min(added, samplesMax);
      if (kept === 0) return null;
      const sorted = ring.slice(0, kept).sort();
      return sorted[Math.min(kept - 1, Math.max(0, Math.ceil(fraction * kept) - 1))] ?? null;
    },
    get count() {
      return added;
    },
  };
}
