import { derivedId } from '../domain/identity.js';
import type { Event } from '../domain/event.js';
import type { Warning } from '../domain/warning.js';
import { canonicalJson, digestOf } from './verify-tally.js';
import type { Revision } from './warn-decisions.js';

/**
 * The revisions that a regrouping has made, each to be found on `warnings` under one content; only digests are kept.
 */
export interface ToldBook {
  expect(revision: Revision): void;
  /**
   * `ahead`: above the highest revision that is expected, or of a warning of which none is. `less`: it differs in what an
   * earlier release did not keep alone.
   */
  find(event: Event): 'first' | 'again' | 'other' | 'less' | 'ahead' | 'malformed';
  unfound(): Iterable<{ readonly id: string; readonly revision: number; readonly timeMs: number; readonly hasOther: boolean }>;
}

interface Expected {
  readonly digest: number;
  /** Without what an earlier release did not keep, and how much of that it has. */
  readonly bareDigest: number;
  readonly kept: number;
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
      revisions.push({
        digest: digestOf(canonicalJson(warning)),
        bareDigest: digestOf(canonicalJson(bare(warning))),
        kept: keptOf(warning),
        timeMs,
        found: false,
        hasOther: false,
      });
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
        const isLess = keptOf(data) < expected.kept && digestOf(canonicalJson(bare(data))) === expected.bareDigest;
        return isLess ? 'less' : 'other';
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

/**
 * Whether a warning differs from what it is expected to be in this alone, that an earlier release did not keep who disposed of it or
 * what kind of holder a bank names.
 */
export function tellsLess(warning: unknown, expected: unknown): boolean {
  return keptOf(warning) < keptOf(expected) && canonicalJson(bare(warning)) === canonicalJson(bare(expected));
}

function bare(warning: unknown): object {
  const { disposedBy: _by, disposedAt: _at, dispositions: _all, subject, hits, ...rest } = (warning ?? {}) as Partial<Warning>;
  return {
    ...rest,
    subject: kindless(subject),
    hits: hits?.map((hit) => ({ ...hit, counterparty: kindless(hit.counterparty) })),
  };
}

function kindless<T extends { readonly kind?: unknown }>(party: T | undefined): Omit<T, 'kind'> | undefined {
  if (party === undefined) return undefined;
  const { kind: _, ...rest } = party;
  return rest;
}

/** How much it holds of what an earlier release did not keep. */
function keptOf(warning: unknown): number {
  const { dispositions = [], subject, hits = [] } = (warning ?? {}) as Partial<Warning>;
  const kinds = [subject, ...hits.map(({ counterparty }) => counterparty)].filter((party) => party?.kind !== undefined);
  return dispositions.length + kinds.length;
}
