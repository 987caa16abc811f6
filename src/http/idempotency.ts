import { createHash } from 'node:crypto';
import { Problem } from './problem.js';

/** Keeps the answers to commands by Idempotency-Key, so that a repeated request is answered and not done again. */
export interface IdempotencyStore<Answer> {
  /**
   * Runs `act` once per key. The same key with the same content gets the first answer (or waits for it), with other content
   * `Problem` 422. What throws is forgotten, so that it can be tried again.
   */
  once(key: string, content: unknown, act: () => Promise<Answer>): Promise<Answer>;
}

interface Entry<Answer> {
  readonly fingerprint: string;
  readonly keptUntilMs: number;
  readonly answer: Promise<Answer>;
}

export function createIdempotencyStore<Answer>(options: {
  readonly entriesMax: number;
  readonly keepMs: number;
  readonly now: () => number;
}): IdempotencyStore<Answer> {
  const entries = new Map<string, Entry<Answer>>();

  return {
    async once(key, content, act) {
      const fingerprint = createHash('sha256').update(JSON.stringify(content)).digest('base64');
      const nowMs = options.now();
      const kept = entries.get(key);
      if (kept && kept.keptUntilMs > nowMs) {
        if (kept.fingerprint === fingerprint) return kept.answer;
        throw new Problem(422, 'idempotency-key-reused', 'This Idempotency-Key was used for another request. Take a new one.');
      }
      const answer = act();
      entries.delete(key);
      entries.set(key, { fingerprint, keptUntilMs: nowMs + options.keepMs, answer });
      trim(entries, options.entriesMax, nowMs);
      try {
        return await answer;
      } catch (error) {
        if (entries.get(key)?.answer === answer) entries.delete(key);
        throw error;
      }
    },
  };
}

/** Entries are in the order they were made, so the oldest are first. */
function trim(entries: Map<string, { keptUntilMs: number }>, entriesMax: number, nowMs: number): void {
  for (const [key, entry] of entries) {
    if (entries.size <= entriesMax && entry.keptUntilMs > nowMs) return;
    entries.delete(key);
  }
}
