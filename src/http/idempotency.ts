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
  /** Length of the answer as JSON once it is there. */
  characters: number;
}

/** Answers hold whole warnings, of a hundred kilobytes some of them: so much is kept of all together. */
const charactersMost = 32 * 2 ** 20;

export function createIdempotencyStore<Answer>(options: {
  readonly entriesMax: number;
  readonly keepMs: number;
  readonly now: () => number;
  readonly charactersMax?: number;
}): IdempotencyStore<Answer> {
  const { entriesMax, charactersMax = charactersMost } = options;
  /** In the order they were made, so the oldest are first. */
  const entries = new Map<string, Entry<Answer>>();
  let characters = 0;

  function remove(key: string): void {
    characters -= entries.get(key)?.characters ?? 0;
    entries.delete(key);
  }

  function trim(nowMs: number): void {
    for (const [key, { keptUntilMs }] of entries) {
      const isFull = entries.size > entriesMax || (characters > charactersMax && entries.size > 1);
      if (!isFull && keptUntilMs > nowMs) return;
      remove(key);
    }
  }

  return {
    async once(key, content, act) {
      const fingerprint = createHash('sha256').update(JSON.stringify(content)).digest('base64');
      const nowMs = options.now();
      const kept = entries.get(key);
      if (kept && kept.keptUntilMs > nowMs) {
        if (kept.fingerprint === fingerprint) return kept.answer;
        throw new Problem(422, 'idempotency-key-reused', 'This Idempotency-Key was used for another request. Take a new one.');
      }
      const entry: Entry<Answer> = { fingerprint, keptUntilMs: nowMs + options.keepMs, answer: act(), characters: 0 };
      remove(key);
      entries.set(key, entry);
      trim(nowMs);
      try {
        const answer = await entry.answer;
        if (entries.get(key) === entry) {
          entry.characters = JSON.stringify(answer).length;
          characters += entry.characters;
          trim(nowMs);
        }
        return answer;
      } catch (error) {
        if (entries.get(key) === entry) remove(key);
        throw error;
      }
    },
  };
}
