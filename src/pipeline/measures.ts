/** Measures of how well a ranking meets labels. Definitions in docs/evaluation.md; all of them pure. */

/** One item that the ranking puts above the rest: a score above 0, and whether it is what was looked for. */
export interface Ranked {
  readonly score: number;
  readonly isTrue: boolean;
}

/** What the ranked items are part of: all others share the last place. */
export interface Population {
  readonly items: number;
  readonly positives: number;
}

/** Chance that at least one of several independent signs is right. */
export function noisyOr(scores: readonly number[]): number {
  let harmless = 1;
  for (const score of scores) harmless *= 1 - Math.min(Math.max(score, 0), 1);
  return 1 - harmless;
}

export function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

/** Harmonic mean of precision and recall; null where one of them is not known. */
export function f1(precision: number | null, recall: number | null): number | null {
  if (precision === null || recall === null) return null;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** Area under the precision-recall curve by steps (average precision). Items of one score come in together. */
export function averagePrecision(ranked: readonly Ranked[], population: Population): number | null {
  const { positives } = population;
  if (positives === 0) return null;
  let area = 0;
  let seen = 0;
  let found = 0;
  for (const { items, positives: more } of steps(ranked, population)) {
    seen += items;
    found += more;
    area += (more / positives) * (found / seen);
  }
  return area;
}

/** Share of the positives among the first `budget` items; of items of one score that do not all fit, a proportional share. */
export function recallWithin(ranked: readonly Ranked[], population: Population, budget: number): number | null {
  if (population.positives === 0) return null;
  let left = budget;
  let found = 0;
  for (const { items, positives } of steps(ranked, population)) {
    const taken = Math.min(items, left);
    if (items > 0) found += positives * (taken / items);
    left -= taken;
  }
  return found / population.positives;
}

/** The ranking as groups of equal scores, the highest first. */
function steps(ranked: readonly Ranked[], { items, positives }: Population): Population[] {
  const groups = new Map<number, { items: number; positives: number }>();
  const rest = { items, positives };
  for (const { score, isTrue } of ranked) {
    if (score <= 0) continue;
    const group = groups.get(score) ?? { items: 0, positives: 0 };
    group.items++;
    if (isTrue) group.positives++;
    groups.set(score, group);
    rest.items--;
    if (isTrue) rest.positives--;
  }
  return [...[...groups].toSorted(([a], [b]) => b - a).map(([, group]) => group), ...(rest.items > 0 ? [rest] : [])];
}

/** The value of that rank among the sorted values (nearest rank); null where there are none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? null;
}

/** Numbers of the items in groups: two items are of one group where a chain of shared keys leads from one to the other. */
export function connectedGroups(keysOf: readonly (readonly string[])[]): number[][] {
  const parents = keysOf.map((_, i) => i);
  const rootOf = (i: number): number => {
    let root = i;
    while (parents[root] !== root) root = parents[root]!;
    for (let at = i; at !== root;) {
      const next = parents[at]!;
      parents[at] = root;
      at = next;
    }
    return root;
  };
  const firstWith = new Map<string, number>();
  for (const [i, keys] of keysOf.entries()) {
    for (const key of keys) {
      const first = firstWith.get(key);
      if (first === undefined) firstWith.set(key, i);
      else parents[rootOf(i)] = rootOf(first);
    }
  }
  const groups = new Map<number, number[]>();
  for (const i of keysOf.keys()) {
    const root = rootOf(i);
    const group = groups.get(root);
    if (group) group.push(i);
    else groups.set(root, [i]);
  }
  return [...groups.values()];
}
