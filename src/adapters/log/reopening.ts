import { setTimeout as sleep } from 'node:timers/promises';
import { closesPartitionOnly } from '../../ports/log.js';

/** Waits before a closed partition is opened anew, doubled each time until it gets on again. */
export const reopenPauseMs = { min: 200, max: 15_000 } as const;

export interface Reopening {
  /** Aborts when the partition is taken away: no other attempt after it. */
  readonly signal: AbortSignal;
  /** Opens the partition and works on it until the signal aborts. `progressed` is to be called after each batch. */
  readonly work: (progressed: () => void) => Promise<void>;
  readonly onTrouble: (error: unknown) => void;
  readonly pauseMs?: { readonly min: number; readonly max: number };
}

/** Does the work again after each fault that ends the work on the partition alone. Rejects with any other fault. */
export async function keepReopening({ signal, work, onTrouble, pauseMs = reopenPauseMs }: Reopening): Promise<void> {
  let pause = pauseMs.min;
  for (;;) {
    try {
      return await work(() => {
        pause = pauseMs.min;
      });
    } catch (error) {
      if (!closesPartitionOnly(error)) throw error;
      onTrouble(error);
      if (signal.aborted) return;
    }
    await sleep(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    pause = Math.min(pause * 2, pauseMs.max);
  }
}

export interface Watch {
  /** Aborts when the partition is taken away, and when its processor has failed. */
  readonly signal: AbortSignal;
  /** Throws what `failed` has rejected with, if it has. */
  check(): void;
}

/** Watches a processor's `failed` while its partition is open. */
export function watchFailed(failed: Promise<never> | undefined, stop: AbortSignal): Watch {
  const broken = new AbortController();
  let fault: { readonly error: unknown } | null = null;
  failed?.catch((error: unknown) => {
    fault ??= { error };
    broken.abort();
  });
  return {
    signal: AbortSignal.any([stop, broken.signal]),
    check() {
      if (fault) throw fault.error;
    },
  };
}
