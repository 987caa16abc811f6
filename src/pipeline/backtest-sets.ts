import { parsePattern, type PatternProblem } from '../scoring/pattern.js';
import type { PatternSource } from '../scoring/pattern-set.js';

/** A pattern on trial, and what it would take the place of. */
export interface Draft {
  readonly id: string;
  readonly version: number;
  readonly file: string;
  readonly title: { readonly zh: string; readonly en: string };
  /** Version in force (or in shadow) now; null for a new pattern. */
  readonly replaces: number | null;
}

export interface MergedSet {
  readonly sources: readonly PatternSource[];
  readonly drafts: readonly Draft[];
  /** The drafts without the other patterns, and what they take the place of: all that differs between the two sides. */
  readonly alone: { readonly inForce: readonly PatternSource[]; readonly draft: readonly PatternSource[] };
}

export type DraftSet =
  | (MergedSet & { readonly kind: 'merged' })
  | { readonly kind: 'broken'; readonly problems: PatternProblem[] };

/** The set in force with the drafts in place of the patterns of the same id, and active: they are tried as if in force. */
export function withDrafts(inForce: readonly PatternSource[], drafts: readonly PatternSource[]): DraftSet {
  const problems: PatternProblem[] = [];
  const parsedDrafts = drafts.flatMap((source) => {
    const result = parsePattern(source.text, source.file);
    if (result.kind === 'parsed') return [{ source, pattern: result.parsed.pattern, placeOf: result.parsed.placeOf }];
    problems.push(...result.problems);
    return [];
  });
  const seen = new Map<string, string>();
  for (const { source, pattern, placeOf } of parsedDrafts) {
    const earlier = seen.get(pattern.id);
    if (earlier !== undefined)
      problems.push({
        file: source.file,
        ...placeOf(['id']),
        path: 'id',
        message: `pattern ${pattern.id} stands in ${earlier} already`,
      });
    seen.set(pattern.id, source.file);
  }
  if (problems.length > 0) return { kind: 'broken', problems };
  const replaced = new Map<string, number>();
  const kept: PatternSource[] = [];
  const leaving: PatternSource[] = [];
  for (const source of inForce) {
    const result = parsePattern(source.text, source.file);
    if (result.kind === 'broken' || !seen.has(result.parsed.pattern.id)) {
      kept.push(source);
      continue;
    }
    leaving.push(source);
    const { id, version, state } = result.parsed.pattern;
    const stands = source.state ?? state;
    if (stands === 'active' || (stands === 'shadow' && !replaced.has(id))) replaced.set(id, version);
  }
  const coming = parsedDrafts.map(({ source }) => ({ ...source, state: 'active' as const }));
  return {
    kind: 'merged',
    sources: [...kept, ...coming],
    alone: { inForce: leaving, draft: coming },
    drafts: parsedDrafts.map(({ source: { file }, pattern: { id, version, title } }) => ({
      id,
      version,
      file,
      title,
      replaces: replaced.get(id) ?? null,
    })),
  };
}
