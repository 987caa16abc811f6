import { OwnershipLost } from '../ports/log.js';

/** How long it may stay unseen by an idle owner that another one has written, or that the store has lost its last commits. */
const lookEveryMs = 5_000;

/** Looks now and then; what is found is told once. A store that does not answer shows at the next write. Returns what ends it. */
export function watchOwnership(verify: () => Promise<void>, onLost: (fault: OwnershipLost) => void): () => void {
  const timer = setInterval(() => {
    verify().catch((error: unknown) => {
      if (!(error instanceof OwnershipLost)) return;
      clearInterval(timer);
      onLost(error);
    });
  }, lookEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
