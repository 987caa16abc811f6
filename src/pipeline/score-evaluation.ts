import { z } from 'zod';
import type { Hit } from '../domain/hit.js';

/** How well hits meet labels, transaction by transaction. */
export interface Evaluation {
  readonly labelled: number;
  readonly hitTransactions: number;
  readonly overall: Score;
  readonly byPattern: Readonly<Record<string, PatternScore>>;
  readonly byTypology: Readonly<Record<string, TypologyScore>>;
}

export interface Score {
  /** Share of the hit transactions that are labelled; null where nothing hit. */
  readonly precision: number | null;
  /** Share of the labelled transactions that were hit. */
  readonly recall: number | null;
}

export interface PatternScore {
  readonly hitTransactions: number;
  readonly truePositives: number;
  readonly precision: number | null;
}

export interface TypologyScore {
  readonly labelled: number;
  readonly found: number;
  readonly recall: number | null;
  /** The patterns that found them, by number of transactions. */
  readonly foundBy: Readonly<Record<string, number>>;
}

export const labelSchema = z.object({
  transaction: z.string(),
  label: z.union([z.literal(0), z.literal(1)]),
  typology: z.string().max(64).default('unnamed'),
});
export type Label = z.infer<typeof labelSchema>;

export interface Evaluator {
  addHits(hits: readonly Hit[]): void;
  result(): Evaluation;
}

export function createEvaluator(labels: readonly Label[]): Evaluator {
  const typologyOf = new Map(
    labels.filter(({ label }) => label === 1).map(({ transaction, typology }) => [transaction, typology]),
  );
  /** Which patterns hit a transaction. */
  const hitBy = new Map<string, Set<string>>();

  return {
    addHits(hits) {
      for (const { transaction, pattern } of hits) {
        const patterns = hitBy.get(transaction);
        if (patterns) patterns.add(pattern);
        else hitBy.set(transaction, new Set([pattern]));
      }
    },
    result() {
      const byPattern: Record<string, { hitTransactions: number; truePositives: number }> = {};
      const byTypology: Record<string, { labelled: number; found: number; foundBy: Record<string, number> }> = {};
      for (const typology of typologyOf.values()) (byTypology[typology] ??= { labelled: 0, found: 0, foundBy: {} }).labelled++;
      let truePositives = 0;
      for (const [transaction, patterns] of hitBy) {
        const typology = typologyOf.get(transaction);
        if (typology !== undefined) {
          truePositives++;
          byTypology[typology]!.found++;
        }
        for (const pattern of patterns) {
          const counts = (byPattern[pattern] ??= { hitTransactions: 0, truePositives: 0 });
          counts.hitTransactions++;
          if (typology === undefined) continue;
          counts.truePositives++;
          const foundBy = byTypology[typology]!.foundBy;
          foundBy[pattern] = (foundBy[pattern] ?? 0) + 1;
        }
      }
      return {
        labelled: typologyOf.size,
        hitTransactions: hitBy.size,
        overall: { precision: share(truePositives, hitBy.size), recall: share(truePositives, typologyOf.size) },
        byPattern: sorted(byPattern, (counts) => ({ ...counts, precision: share(counts.truePositives, counts.hitTransactions) })),
        byTypology: sorted(byTypology, (counts) => ({
          ...counts,
          foundBy: sorted(counts.foundBy, (n) => n),
          recall: share(counts.found, counts.labelled),
        })),
      };
    },
  };
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function sorted<A, B>(record: Record<string, A>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(
    Object.entries(record)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, map(value)]),
  );
}
