import { createHash } from 'node:crypto';
import { dayMs } from '../domain/bank-day.js';
import type { Severity } from '../domain/hit.js';
import { compileReason, compileShown, type Reason } from './explanation.js';
import type { Evaluation } from './evaluation.js';
import { cheapestFirst, compileConjuncts, type Conjunct, compileNumber } from './expression.js';
import type { LooksAt } from './history-walk.js';
import { type About, ExpressionError, functionOf, type Helper, type Scope } from './typed-code.js';
import {
  parsePattern,
  type ExpressionSource,
  type ParsedPattern,
  type Pattern,
  type PatternProblem,
  type PatternState,
} from './pattern.js';
import { createPlan, type Plan, type StreamRef, streamsMax } from './plan.js';
import { baseStreams } from './vocabulary/definitions.js';
import { parseWindow, type WorkingDays } from './window.js';

/** A pattern as it is kept: its text, and the state that people gave it. */
export interface PatternSource {
  readonly file: string;
  readonly text: string;
  /** Overrides the state in the text once it was changed by command. */
  readonly state?: PatternState;
}

export interface CompiledPattern {
  readonly pattern: Pattern;
  readonly state: PatternState;
  readonly score: number;
  /** The condition as code (see `expression.ts`), and the parts that `&&` joins. */
  readonly code: string;
  readonly conjuncts: readonly Conjunct[];
  /** 0 to 1, or NaN for unknown; undefined where the file has none. */
  readonly strength: ((leg: Evaluation) => number) | undefined;
  /** The condition with its values. */
  readonly shown: Reason;
  readonly reasonZh: Reason;
  readonly reasonEn: Reason;
  readonly looksAt: LooksAt;
}

/** The immutable set of patterns in force. */
export interface PatternSet {
  /** Hash of the patterns' texts and states. */
  readonly id: string;
  /** Hash of all that shapes what an engine keeps: equal means that a running engine can take the set over as it is. */
  readonly planId: string;
  readonly patterns: readonly CompiledPattern[];
  readonly plan: Plan;
  /** The functions that the patterns' code calls. */
  readonly helpers: readonly Helper[];
}

export type CompileResult =
  | { readonly kind: 'compiled'; readonly set: PatternSet }
  | { readonly kind: 'broken'; readonly problems: PatternProblem[] };

const scoreBySeverity: Readonly<Record<Severity, number>> = { low: 0.3, medium: 0.5, high: 0.7, critical: 0.9 };
export const patternsMax = 500;

interface Parsed {
  readonly source: PatternSource;
  readonly result: ReturnType<typeof parsePattern>;
}

/** Compiles all or nothing: a set with one broken pattern is refused whole, with every problem at once. */
export function compilePatternSet(sources: readonly PatternSource[], workingDays: WorkingDays): CompileResult {
  const parsed = sources
    .toSorted((a, b) => (a.file < b.file ? -1 : 1))
    .map((source): Parsed => ({ source, result: parsePattern(source.text, source.file) }));
  // Compiled twice: once to learn which windows there are, once with the row laid out for them.
  const draft = compileWith(createPlan(), parsed, workingDays);
  return draft.kind === 'broken'
    ? draft
    : compileWith(createPlan(draft.set.plan.windows.map(({ window }) => window)), parsed, workingDays);
}

function compileWith(plan: Plan, files: readonly Parsed[], workingDays: WorkingDays): CompileResult {
  const problems: PatternProblem[] = [];
  const patterns: CompiledPattern[] = [];
  const helpers: Helper[] = [];
  const seen = new Map<string, string>();
  if (files.length > patternsMax)
    problems.push({ file: '', line: 1, column: 1, path: '', message: `${files.length} patterns; at most ${patternsMax}` });
  for (const { source, result } of files) {
    if (result.kind === 'broken') {
      problems.push(...result.problems);
      continue;
    }
    const { parsed } = result;
    const state = source.state ?? parsed.pattern.state;
    const twice = secondOf(parsed.pattern, state, source.file, seen);
    if (twice) {
      problems.push({ file: source.file, ...parsed.placeOf(['id']), path: 'id', message: twice });
      continue;
    }
    const compiled = compilePattern(parsed, state, { plan, workingDays, helpers }, problems);
    if (compiled) patterns.push(compiled);
  }
  if (problems.length > 0) return { kind: 'broken', problems };
  const id = setId(files.map(({ source }) => source));
  return { kind: 'compiled', set: { id, planId: hash(plan.key()), patterns, plan, helpers } };
}

/** A pattern may stand in a set in several versions, of which one is active. Says what is wrong with this one. */
function secondOf({ id, version }: Pattern, state: PatternState, file: string, seen: Map<string, string>): string | undefined {
  const same = seen.get(`${id}/${version}`);
  if (same) return `pattern ${id} stands in ${same} already`;
  seen.set(`${id}/${version}`, file);
  if (state !== 'active') return undefined;
  const active = seen.get(id);
  if (active) return `pattern ${id} is active in ${active} already`;
  seen.set(id, file);
  return undefined;
}

/** The id that a set of these sources has, compiled or not. */
export function setId(sources: readonly PatternSource[]): string {
  return hash(
    JSON.stringify(sources.map(({ file, text, state }) => [file, text, state ?? '']).toSorted(([a], [b]) => (a! < b! ? -1 : 1))),
  );
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

interface Shared {
  readonly plan: Plan;
  readonly workingDays: WorkingDays;
  readonly helpers: Helper[];
}

function compilePattern(
  parsed: ParsedPattern,
  state: PatternState,
  shared: Shared,
  problems: PatternProblem[],
): CompiledPattern | undefined {
  const { pattern } = parsed;
  const before = problems.length;
  const streams = new Map<string, StreamRef>(baseStreams);
  const streamsToCome = new Set(Object.keys(pattern.streams));
  const scopeFor = (about: About): Scope => ({
    ...shared,
    params: pattern.params,
    streams,
    streamsToCome,
    about,
    usesHistory: false,
    cost: 0,
    looksAt: { bits: 0, spanMs: 0, named: [] },
    parts: [],
  });
  /** Runs one piece of the file and turns an error in an expression into a problem with its place in the file. */
  function at<T>(path: (string | number)[], work: (source: ExpressionSource) => T): T | undefined {
    const source = parsed.expressionAt(path);
    try {
      return work(source);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      problems.push({ file: parsed.file, ...source.position(error.offset), path: path.join('.'), message: error.message });
      return undefined;
    }
  }

  if (pattern.on === 'use' && Object.keys(pattern.streams).length > 0)
    problems.push({
      file: parsed.file,
      ...parsed.placeOf(['streams']),
      path: 'streams',
      message: 'patterns with on: use have no streams',
    });
  for (const name of Object.keys(pattern.streams)) {
    if (baseStreams.has(name))
      problems.push({
        file: parsed.file,
        ...parsed.placeOf(['streams', name]),
        path: `streams.${name}`,
        message: `"${name}" is a stream that every pattern has; choose another name`,
      });
    at(['streams', name], () => streams.set(name, declareStream(parsed, name, shared, streams, scopeFor, at)));
    streamsToCome.delete(name);
  }
  const about = aboutOf(pattern);
  const scope = scopeFor(about);
  const condition = parsed.expressionAt(['when']).text;
  const conjuncts = at(['when'], ({ text }) => compileConjuncts(text, scope));
  const reasonScope = scopeFor(about);
  const strength =
    pattern.strength === undefined
      ? undefined
      : at(['strength'], ({ text }) => functionOf<number>(compileNumber(text, reasonScope), shared.helpers));
  const reasonZh = at(['reason', 'zh'], ({ text }) => compileReason(text, reasonScope, 'zh'));
  const reasonEn = at(['reason', 'en'], ({ text }) => compileReason(text, reasonScope, 'en'));
  if (problems.length > before || !conjuncts || !reasonZh || !reasonEn) return undefined;
  keepWhatItNeeds(pattern, shared, [scope, reasonScope]);
  const score = pattern.score ?? scoreBySeverity[pattern.severity];
  return {
    pattern,
    state,
    score,
    code: cheapestFirst(conjuncts),
    conjuncts,
    strength,
    shown: compileShown(condition, scope.parts, shared.helpers),
    reasonZh,
    reasonEn,
    looksAt: scope.looksAt,
  };
}

function aboutOf({ on }: Pattern): About {
  return on === 'arrival' || on === 'use' || on === 'record' ? on : 'leg';
}

/** What the occasion of a pattern asks the engine to keep. */
function keepWhatItNeeds({ on, subjects }: Pattern, { plan, workingDays }: Shared, scopes: readonly Scope[]): void {
  if (on === 'arrival') {
    plan.keep('traces');
    const week = parseWindow('7d', workingDays);
    if (!('problem' in week)) plan.countFirstContacts(week);
  }
  if (on === 'use') plan.keep('uses');
  // Arrivals and records are found without a history of the account's own, unless the pattern asks about it.
  const asksLegs = aboutOf({ on } as Pattern) === 'leg' || scopes.some((scope) => scope.usesHistory);
  if (subjects === 'any' && asksLegs && on !== 'use') plan.keep('personal');
}

type At = <T>(path: (string | number)[], work: (source: ExpressionSource) => T) => T | undefined;

function declareStream(
  parsed: ParsedPattern,
  name: string,
  shared: Shared,
  streams: ReadonlyMap<string, StreamRef>,
  scopeFor: (about: About) => Scope,
  at: At,
): StreamRef {
  const definition = parsed.pattern.streams[name]!;
  const isLots = definition.of === 'lots';
  const { share, within: spentWithin } = definition;
  if (isLots ? share === undefined || spentWithin === undefined : share !== undefined || spentWithin !== undefined)
    throw new ExpressionError(isLots ? 'streams of: lots need share and within' : 'share and within go with of: lots', 0);
  const within = spentWithin === undefined ? undefined : parseWindow(spentWithin, shared.workingDays);
  if (within && 'problem' in within) throw new ExpressionError(within.problem, 0);
  if (within && within.spanMsMax > 31 * dayMs) throw new ExpressionError('within is at most "31d"', 0);
  const condition = definition.when === undefined ? '' : parsed.expressionAt(['streams', name, 'when']).text;
  // Two patterns that mean the same stream share it: same kind, same words, same parameters, same streams behind the names.
  const key = JSON.stringify([
    definition.of,
    condition.replace(/\s+/g, ' ').trim(),
    share,
    within?.spanMsMax,
    usedParams(condition, parsed.pattern),
    [...streams].filter(([known]) => condition.includes(known) && !baseStreams.has(known)),
  ]);
  const stream = shared.plan.stream({ key, of: definition.of, share: share ?? 0, withinMs: within?.spanMsMax ?? 0 });
  if (!stream) throw new ExpressionError(`the set has more than ${streamsMax} different streams; share or drop some`, 0);
  if (parsed.pattern.subjects === 'any') stream.forPersonal = true;
  if (definition.when !== undefined && stream.code === undefined) {
    const scope = scopeFor(definition.of === 'day' || definition.of === 'lots' ? definition.of : 'leg');
    stream.code = at(['streams', name, 'when'], ({ text }) => cheapestFirst(compileConjuncts(text, scope)));
    stream.usesHistory = scope.usesHistory;
  }
  return { name, bit: 0, index: stream.index };
}

function usedParams(condition: string, pattern: Pattern): unknown {
  return Object.entries(pattern.params).filter(([name]) => condition.includes(`params.${name}`));
}
