import { z } from 'zod';
import type { Hit } from '../domain/hit.js';
import { hashBytes, type TransactionView } from '../scoring/transaction-view.js';
import { averagePrecision, connectedGroups, f1, noisyOr, quantile, ratio, recallWithin } from './measures.js';

/**
 * How well hits meet labels, by transaction, account and case. Definitions in docs/evaluation.md. Hits of shadow patterns warn
 * nobody: they count by pattern and under `withShadows`, and nowhere else.
 */
export interface Evaluation {
  /** Labelled transactions that were scored, and those that were not among the scored ones at all. */
  readonly labelled: number;
  readonly notScored: number;
  readonly hitTransactions: number;
  readonly overall: Score & { readonly prAuc: number | null };
  /** Recall of the transactions with the strongest hits, as many as the budget allows. */
  readonly budgets: readonly { readonly share: number; readonly transactions: number; readonly recall: number | null }[];
  readonly accounts: Score & { readonly labelled: number; readonly flagged: number; readonly found: number };
  readonly cases: CaseScore;
  /** The same with the hits of shadow patterns: what a ranking by all that is known would be worth. */
  readonly withShadows: Pick<Evaluation, 'hitTransactions' | 'overall' | 'budgets' | 'accounts' | 'cases'>;
  readonly byPattern: Readonly<Record<string, PatternScore>>;
  readonly byTypology: Readonly<Record<string, TypologyScore>>;
}

export interface Score {
  /** Share of what was hit that is labelled; null where nothing hit. */
  readonly precision: number | null;
  /** Share of the labelled that was hit. */
  readonly recall: number | null;
  readonly f1: number | null;
}

export interface CaseScore {
  readonly total: number;
  readonly found: number;
  readonly recall: number | null;
  /** Event time from the first laundering transaction of a case to the first that hit, over the cases that were found. */
  readonly delaySeconds: { readonly median: number | null; readonly p90: number | null };
}

export interface PatternScore {
  readonly hitTransactions: number;
  readonly truePositives: number;
  readonly precision: number | null;
  /** Of all labelled transactions, whatever their typology. */
  readonly recall: number | null;
  readonly accounts: { readonly flagged: number; readonly truePositives: number; readonly precision: number | null };
  readonly casesFound: number;
}

export interface TypologyScore {
  readonly labelled: number;
  readonly found: number;
  readonly recall: number | null;
  /** The patterns that found them, by number of transactions. */
  readonly foundBy: Readonly<Record<string, number>>;
  readonly accounts: { readonly labelled: number; readonly found: number; readonly recall: number | null };
  readonly cases: CaseScore;
}

export const labelSchema = z.object({
  transaction: z.string(),
  label: z.union([z.literal(0), z.literal(1)]),
  typology: z.string().max(64).default('unnamed'),
  /** Transactions of one case share it; left out, cases are told by the accounts that transactions share. */
  scheme: z.union([z.number(), z.string().max(64)]).optional(),
  /** The accounts that take part; payer and payee otherwise. */
  accounts: z.array(z.string()).optional(),
});
export type Label = z.infer<typeof labelSchema>;

export interface Evaluator {
  /** Every scored transaction. */
  addTransaction(view: TransactionView): void;
  addHits(hits: readonly Hit[]): void;
  result(): Evaluation;
  /** The hits so far as JSON; what is known of the transactions comes with them when they are read again. */
  save(): EvaluatorState;
}

export interface EvaluatorState {
  readonly active: HitsState;
  readonly all: HitsState;
}

interface HitsState {
  readonly transactions: readonly (readonly [id: string, scores: readonly number[], patterns: readonly string[]])[];
  readonly accounts: readonly (readonly [account: string, patterns: readonly string[]])[];
}

/** Shares of the scored transactions that somebody could look at. */
const budgetShares = [0.001, 0.005, 0.01] as const;

interface Labelled {
  readonly id: string;
  readonly typology: string;
  readonly scheme: string | undefined;
  accounts: readonly string[];
  timeMs: number;
  isScored: boolean;
}

interface HitTransaction {
  readonly scores: number[];
  readonly patterns: Set<string>;
}

interface Case {
  readonly typology: string;
  readonly transactions: readonly Labelled[];
}

const encoder = new TextEncoder();

export function createEvaluator(labels: readonly Label[], state?: EvaluatorState): Evaluator {
  const labelled = new Map<string, Labelled>();
  const hashes = new Set<number>();
  for (const { transaction: id, label, typology, scheme, accounts = [] } of labels) {
    if (label !== 1) continue;
    labelled.set(id, { id, typology, scheme: scheme?.toString(), accounts, timeMs: NaN, isScored: false });
    const bytes = encoder.encode(id);
    hashes.add(hashBytes(bytes, 0, bytes.length));
  }
  const active = createHits(state?.active);
  const all = createHits(state?.all);
  let scored = 0;

  return {
    addTransaction(view) {
      scored++;
      if (!hashes.has(hashBytes(view.bytes, view.idStart, view.idEnd))) return;
      const label = labelled.get(view.id);
      if (!label) return;
      label.isScored = true;
      label.timeMs = view.timeMs;
      if (label.accounts.length === 0)
        label.accounts = [view.payer, view.payee].map((party) => view.text(party.accountStart, party.accountEnd));
    },
    addHits(hits) {
      for (const hit of hits) {
        all.add(hit);
        if (hit.state === 'active') active.add(hit);
      }
    },
    result: () => evaluate([...labelled.values()], active, all, scored),
    save: () => ({ active: active.save(), all: all.save() }),
  };
}

/** What was hit, and by which patterns. */
interface Hits {
  readonly hitBy: ReadonlyMap<string, HitTransaction>;
  readonly flaggedBy: ReadonlyMap<string, ReadonlySet<string>>;
  add(hit: Hit): void;
  save(): HitsState;
}

function createHits(state?: HitsState): Hits {
  const hitBy = new Map<string, HitTransaction>(
    state?.transactions.map(([id, scores, patterns]) => [id, { scores: [...scores], patterns: new Set(patterns) }]),
  );
  const flaggedBy = new Map<string, Set<string>>(state?.accounts.map(([account, patterns]) => [account, new Set(patterns)]));
  return {
    hitBy,
    flaggedBy,
    add({ transaction, pattern, score, subject, amountFen }) {
      if (subject.kind === 'account') patternsIn(flaggedBy, subject.id).add(pattern);
      // What a reference record alone led to is about no transaction: a payment of nothing stands for it.
      if (amountFen === 0) return;
      const known = hitBy.get(transaction);
      if (known) {
        known.scores.push(score);
        known.patterns.add(pattern);
      } else hitBy.set(transaction, { scores: [score], patterns: new Set([pattern]) });
    },
    save: () => ({
      transactions: [...hitBy].map(([id, { scores, patterns }]) => [id, scores, [...patterns]] as const),
      accounts: [...flaggedBy].map(([account, patterns]) => [account, [...patterns]] as const),
    }),
  };
}

function patternsIn(by: Map<string, Set<string>>, key: string): Set<string> {
  const known = by.get(key);
  if (known) return known;
  const made = new Set<string>();
  by.set(key, made);
  return made;
}

function evaluate(labels: readonly Labelled[], active: Hits, all: Hits, scored: number): Evaluation {
  const positives = labels.filter(({ isScored }) => isScored);
  const accounts = new Set(positives.flatMap((label) => [...label.accounts]));
  const cases = casesOf(positives);
  return {
    labelled: positives.length,
    notScored: labels.length - positives.length,
    ...levelsOf(positives, accounts, cases, active, scored),
    withShadows: levelsOf(positives, accounts, cases, all, scored),
    byPattern: byPattern(positives, accounts, cases, all),
    byTypology: byTypology(positives, cases, active),
  };
}

function levelsOf(
  positives: readonly Labelled[],
  accounts: ReadonlySet<string>,
  cases: readonly Case[],
  { hitBy, flaggedBy }: Hits,
  scored: number,
): Evaluation['withShadows'] {
  const positiveIds = new Set(positives.map(({ id }) => id));
  const found = positives.filter(({ id }) => hitBy.has(id));
  const ranked = [...hitBy].map(([id, { scores }]) => ({ score: noisyOr(scores), isTrue: positiveIds.has(id) }));
  const population = { items: scored, positives: positives.length };
  return {
    hitTransactions: hitBy.size,
    overall: { ...scoreOf(found.length, hitBy.size, positives.length), prAuc: averagePrecision(ranked, population) },
    budgets: budgetShares.map((share) => {
      const transactions = Math.floor(share * scored);
      return { share, transactions, recall: recallWithin(ranked, population, transactions) };
    }),
    accounts: accountScore(accounts, flaggedBy),
    cases: caseScore(cases, hitBy),
  };
}

function scoreOf(truePositives: number, hit: number, positives: number): Score {
  const precision = ratio(truePositives, hit);
  const recall = ratio(truePositives, positives);
  return { precision, recall, f1: f1(precision, recall) };
}

function accountScore(labelled: ReadonlySet<string>, flaggedBy: ReadonlyMap<string, unknown>): Evaluation['accounts'] {
  const found = [...labelled].filter((account) => flaggedBy.has(account)).length;
  return { labelled: labelled.size, flagged: flaggedBy.size, found, ...scoreOf(found, flaggedBy.size, labelled.size) };
}

/** By the labels' own word, else the transactions of one typology that hang together by their accounts. */
function casesOf(positives: readonly Labelled[]): Case[] {
  const named = grouped(
    positives.filter(({ scheme }) => scheme !== undefined),
    ({ typology, scheme }) => JSON.stringify([typology, scheme]),
  );
  const unnamed = grouped(
    positives.filter(({ scheme }) => scheme === undefined),
    ({ typology }) => typology,
  );
  const connected = [...unnamed.values()].flatMap((labels) =>
    connectedGroups(labels.map(({ accounts }) => accounts)).map((group) => group.map((i) => labels[i]!)),
  );
  return [...named.values(), ...connected].map((transactions) => ({ typology: transactions[0]!.typology, transactions }));
}

function caseScore(cases: readonly Case[], hitBy: ReadonlyMap<string, HitTransaction>): CaseScore {
  const delays = cases.flatMap(({ transactions }) => {
    const hit = transactions.filter(({ id }) => hitBy.has(id)).map(({ timeMs }) => timeMs);
    return hit.length === 0 ? [] : [(earliest(hit) - earliest(transactions.map(({ timeMs }) => timeMs))) / 1000];
  });
  return {
    total: cases.length,
    found: delays.length,
    recall: ratio(delays.length, cases.length),
    delaySeconds: { median: quantile(delays, 0.5), p90: quantile(delays, 0.9) },
  };
}

function earliest(times: readonly number[]): number {
  return times.reduce((a, b) => Math.min(a, b), Infinity);
}

function byPattern(
  positives: readonly Labelled[],
  accounts: ReadonlySet<string>,
  cases: readonly Case[],
  { hitBy, flaggedBy }: Hits,
): Record<string, PatternScore> {
  const positiveIds = new Set(positives.map(({ id }) => id));
  const counts = new Map<string, { hit: number; right: number; flagged: number; rightAccounts: number; cases: number }>();
  const of = (pattern: string) => {
    const known = counts.get(pattern) ?? { hit: 0, right: 0, flagged: 0, rightAccounts: 0, cases: 0 };
    counts.set(pattern, known);
    return known;
  };
  for (const [id, { patterns }] of hitBy) {
    for (const pattern of patterns) {
      of(pattern).hit++;
      if (positiveIds.has(id)) of(pattern).right++;
    }
  }
  for (const [account, patterns] of flaggedBy) {
    for (const pattern of patterns) {
      of(pattern).flagged++;
      if (accounts.has(account)) of(pattern).rightAccounts++;
    }
  }
  for (const { transactions } of cases) {
    const patterns = new Set(transactions.flatMap(({ id }) => [...(hitBy.get(id)?.patterns ?? [])]));
    for (const pattern of patterns) of(pattern).cases++;
  }
  return sorted(counts, ({ hit, right, flagged, rightAccounts, cases: casesFound }) => ({
    hitTransactions: hit,
    truePositives: right,
    precision: ratio(right, hit),
    recall: ratio(right, positives.length),
    accounts: { flagged, truePositives: rightAccounts, precision: ratio(rightAccounts, flagged) },
    casesFound,
  }));
}

function byTypology(
  positives: readonly Labelled[],
  cases: readonly Case[],
  { hitBy, flaggedBy }: Hits,
): Record<string, TypologyScore> {
  const groups = grouped(positives, ({ typology }) => typology);
  return sorted(groups, (labels) => {
    const { typology } = labels[0]!;
    const found = labels.filter(({ id }) => hitBy.has(id));
    const foundBy = new Map<string, number>();
    for (const { id } of found) {
      for (const pattern of hitBy.get(id)!.patterns) foundBy.set(pattern, (foundBy.get(pattern) ?? 0) + 1);
    }
    const { labelled, found: flagged, recall } = accountScore(new Set(labels.flatMap((label) => [...label.accounts])), flaggedBy);
    return {
      labelled: labels.length,
      found: found.length,
      recall: ratio(found.length, labels.length),
      foundBy: sorted(foundBy, (n) => n),
      accounts: { labelled, found: flagged, recall },
      cases: caseScore(
        cases.filter((one) => one.typology === typology),
        hitBy,
      ),
    };
  });
}

function grouped<A>(values: readonly A[], keyOf: (value: A) => string): Map<string, A[]> {
  const groups = new Map<string, A[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group) group.push(value);
    else groups.set(keyOf(value), [value]);
  }
  return groups;
}

function sorted<A, B>(entries: Iterable<readonly [string, A]>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries([...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, map(value)]));
}
