import { derivedId } from '../domain/identity.js';
import type { Event } from '../domain/event.js';
import { canonicalJson, digestOf } from './verify-tally.js';
import type { Revision } from './warn-decisions.js';

/**
 * The revisions that a regrouping has made, each to be found on `warnings` under one content; only digests are kept.
 */
export interface ToldBook {
  expect(revision: Revision): void;
  /** `ahead`: above the highest revision that is expected, or of a warning of which none is. */
  find(event: Event): 'first' | 'again' | 'other' | 'ahead' | 'malformed';
  unfound(): Iterable<{ readonly id: string; readonly revision: number; readonly timeMs: number; readonly hasOther: boolean }>;
}

interface Expected {
  readonly digest: number;
  readonly timeMs: number;
  found: boolean;
  hasOther: boolean;
}

export function createToldBook(): ToldBook {
  /** Of each warning, its revisions from the first on. */
  const book = new Map<string, Expected[]>();
  return {
    expect({ warning, timeMs }) {
      const revisions = book.get(warning.id) ?? [];
      book.set(warning.id, revisions);
      revisions.push({ digest: digestOf(canonicalJson(warning)), timeMs, found: false, hasOther: false });
    },
    find({ id, type, subject, data }) {
      const { id: warningId, revision } = data as { id?: unknown; revision?: unknown };
      if (typeof warningId !== 'string' || typeof revision !== 'number') return 'malformed';
      const isWellNamed =
        subject === warningId &&
        id === derivedId('warning', warningId, revision) &&
        type === (revision === 1 ? 'warning.raised' : 'warning.updated');
      if (!isWellNamed) return 'malformed';
      const expected = book.get(warningId)?.[revision - 1];
      if (!expected) return 'ahead';
      if (expected.digest !== digestOf(canonicalJson(data))) {
        expected.hasOther = true;
        return 'other';
      }
      if (expected.found) return 'again';
      expected.found = true;
      return 'first';
    },
    *unfound() {
      for (const [id, revisions] of book) {
        for (const [i, { found, timeMs, hasOther }] of revisions.entries()) {
          if (!found) yield { id, revision: i + 1, timeMs, hasOther };
        }
      }
    },
  };
}
