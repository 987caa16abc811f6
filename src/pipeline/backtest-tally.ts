import type { Hit } from '../domain/hit.js';
import { absorbHit, transactionOf, warningIdOf, type WarningFacts } from '../domain/warning-facts.js';
import { isTold, settleWarning } from '../domain/warning-policy.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Level } from '../domain/warning.js';

/** What one pattern set did to a history: its hits by day, and the warnings that the real grouping makes of them. */
export interface Tally {
  /** Hits of the next records, in their order. Hits of one transaction come in one call. */
  add(hits: readonly Hit[]): void;
  readonly hits: number;
  /** Hits by day and pattern. */
  hitsByDay(): ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Accounts, or other subjects, that a pattern flagged. */
  subjectsOf(pattern: string): number;
  warnings(): BacktestWarning[];
  /** All of it as JSON, and back. */
  save(): TallyState;
}

/** A warning as it would stand at the end of its day; one that nobody would be told of is none. */
export interface BacktestWarning {
  readonly id: string;
  readonly day: string;
  readonly family: string;
  readonly level: Level;
  readonly patterns: readonly string[];
  /** The enterprise (or account) that it is about. */
  readonly key: string;
  readonly tellsEnterprise: boolean;
}

export interface TallyState {
  readonly hits: number;
  readonly hitsByDay: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly subjects: Readonly<Record<string, readonly string[]>>;
  readonly facts: readonly WarningFacts[];
}

export function createTally(policy: WarningPolicy, state?: TallyState): Tally {
  let hitCount = state?.hits ?? 0;
  const byDay = new Map(Object.entries(state?.hitsByDay ?? {}).map(([day, of]) => [day, new Map(Object.entries(of))]));
  const subjects = new Map(Object.entries(state?.subjects ?? {}).map(([pattern, of]) => [pattern, new Set(of)]));
  const warnings = new Map(state?.facts.map((facts) => [facts.id, facts]));
  /** Of the transactions of one call: which hits a warning has had. */
  const seen = new Map<string, string[]>();

  function warn(hit: Hit): void {
    const id = warningIdOf(hit);
    const key = `${id} ${transactionOf(hit)}`;
    const before = seen.get(key) ?? [];
    const { outcome, facts } = absorbHit(warnings.get(id) ?? null, hit, before, policy);
    if (outcome === 'repeat') return;
    seen.set(key, [...before, hit.id]);
    // What the warning would list is not shown, and would be most of the memory.
    warnings.set(id, { ...facts, hits: [] });
  }

  return {
    add(hits) {
      seen.clear();
      for (const hit of hits) {
        hitCount++;
        const day = entryOf(byDay, hit.time.slice(0, 10), () => new Map<string, number>());
        day.set(hit.pattern, (day.get(hit.pattern) ?? 0) + 1);
        entryOf(subjects, hit.pattern, () => new Set<string>()).add(hit.subject.id);
        if (hit.state === 'active') warn(hit);
      }
    },
    get hits() {
      return hitCount;
    },
    hitsByDay: () => byDay,
    subjectsOf: (pattern) => subjects.get(pattern)?.size ?? 0,
    warnings: () =>
      [...warnings.values()].flatMap((facts) => {
        const { warning } = settleWarning(null, facts, policy, facts.receivedAtMs);
        if (!isTold(null, warning, policy)) return [];
        const { id, day, family, level } = warning;
        const patterns = Object.keys(facts.patterns).toSorted();
        return [{ id, day, family, level, patterns, key: facts.key, tellsEnterprise: warning.audience.includes('enterprise') }];
      }),
    save: () => ({
      hits: hitCount,
      hitsByDay: Object.fromEntries([...byDay].map(([day, of]) => [day, Object.fromEntries(of)])),
      subjects: Object.fromEntries([...subjects].map(([pattern, of]) => [pattern, [...of]])),
      facts: [...warnings.values()],
    }),
  };
}

function entryOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
