import { setTimeout as sleep } from 'node:timers/promises';

/**
 * One for all partitions of a process. A warehouse that is overloaded is left alone for a while by all of them, longer each time;
 * a slice that it has taken ends that.
 */
export interface ArchiveBrake {
  /** Waits as long as the warehouse is left alone. Throws when `signal` aborts. */
  pass(signal: AbortSignal): Promise<void>;
  /** The warehouse said that it is too much. */
  tooMuch(): void;
  /** The warehouse took something. */
  taken(): void;
}

export interface BrakeOptions {
  readonly clock: { now(): number };
  readonly settings: { readonly retryMsMin: number; readonly retryMsMax: number };
}

export function createBrake({ clock, settings }: BrakeOptions): ArchiveBrake {
  let untilMs = Number.NEGATIVE_INFINITY;
  let restMs = 0;
  return {
    async pass(signal) {
      const leftMs = untilMs - clock.now();
      if (leftMs > 0) await sleep(leftMs, undefined, { signal });
    },
    tooMuch() {
      // What others had under way when it began does not prolong it.
      if (clock.now() < untilMs) return;
      restMs = Math.min(Math.max(restMs * 2, settings.retryMsMin), settings.retryMsMax);
      untilMs = clock.now() + restMs;
    },
    taken() {
      restMs = 0;
    },
  };
}
