import type { Evaluation } from './evaluation.js';
import { generate, literal } from './generated.js';
import type { Parameter } from './pattern.js';
import type { LooksAt } from './history-walk.js';
import type { CellKind, Plan, StreamRef } from './plan.js';
import type { WorkingDays } from './window.js';

/** What checked expressions are made of: typed pieces of generated code, and what they may refer to. */

/**
 * `code` is an expression over the names that `prelude` declares; it gives a number, or true or false. Of a text, `code`
 * gives the text; of an enum, its number. `known` is code that gives the `SpanText` of a text of the transaction.
 */
export type Typed =
  | { readonly type: 'number'; readonly code: string; readonly constant?: number; readonly reaches?: Reaches }
  | { readonly type: 'bool'; readonly code: string }
  | { readonly type: 'text'; readonly code: string; readonly constant?: string; readonly known?: string }
  | { readonly type: 'enum'; readonly code: string; readonly names: readonly string[] }
  | { readonly type: 'list'; readonly words: readonly string[] }
  | { readonly type: 'stream'; readonly stream: StreamRef }
  /** An account that is asked about as a whole: is it on a list, what is its profile. */
  | { readonly type: 'account'; readonly who: Who }
  | { readonly type: 'register'; readonly list: number }
  | { readonly type: 'profile'; readonly who: Who };

/** Code that says whether a count, never unknown, is at least a number: it need not count on from there. */
export type Reaches = (least: string) => string;

export type Who = 'self' | 'other' | 'payer' | 'payee';

/** The party in code. */
export const partyCode: Readonly<Record<Who, string>> = {
  self: 'self',
  other: 'other',
  payer: 'view.payer',
  payee: 'view.payee',
};

/** What code may name, declared once at the beginning of a function of `leg`. */
export const prelude = 'const row = leg.row, base = leg.base, view = leg.view, self = leg.self, other = leg.other;';

/** Code that asks a named window for one of its numbers. */
export function namedNumber(kind: CellKind, window: number): string {
  return `leg.memory.named.${kind}(leg, ${literal(window)})`;
}

const namedNumbers = /leg\.memory\.named\.(count|sum|distinct|max|min)\(leg, (\d+)\)/g;

/**
 * The same code for a function in which nothing joins a stream: most accounts have few of the named windows, and which they have is
 * looked up once (see `NamedWindows.has`). What `declared` says belongs behind the prelude.
 */
export function askingOnce(
  code: string,
  groupOf: (window: number) => number,
): { readonly declared: string; readonly code: string } {
  const words = new Set<number>();
  const asking = code.replace(namedNumbers, (call, kind: CellKind, window) => {
    const group = groupOf(Number(window));
    words.add(group >>> 5);
    const none = kind === 'max' || kind === 'min' ? literal(Number.NaN) : '0';
    return `((has${group >>> 5} & ${literal(1 << (group & 31))}) === 0 ? ${none} : ${call})`;
  });
  return { declared: [...words].map((word) => `const has${word} = leg.memory.named.has(leg, ${word});`).join(' '), code: asking };
}

/** A function that code reaches as `h[n]`, called with the leg and what `callHelper` was given. */
// oxlint-disable-next-line typescript/no-explicit-any -- generated code calls it.
export type Helper = (leg: Evaluation, ...values: any[]) => unknown;

/** Questions in order of what they cost: a field or a kept number, a text or a look into a table, a walk over legs. */
export const costRank = { kept: 0, 'look-up': 1, walk: 2 } as const;

export const abouts = ['leg', 'day', 'lots', 'arrival', 'use', 'record'] as const;
export type About = (typeof abouts)[number];

export interface Scope {
  readonly plan: Plan;
  readonly workingDays: WorkingDays;
  /** Functions that the code of the whole set calls. */
  readonly helpers: Helper[];
  readonly params: Readonly<Record<string, Parameter>>;
  readonly streams: ReadonlyMap<string, StreamRef>;
  /** Streams of the pattern that stand further down in the file, and the one whose condition this is. */
  readonly streamsToCome: ReadonlySet<string>;
  /** What the expression is asked about; `day.*`, `lot.*`, `carried.*`, `use.*` and `record.*` exist only there. */
  readonly about: About;
  /** Set by features: the expression looks at history. */
  usesHistory: boolean;
  /** Set by features: what the dearest question of the expression so far costs (see `costRank`). */
  cost: number;
  /** Streams and spans that the expression looked at: evidence is taken from them. */
  readonly looksAt: LooksAt;
  /** Parts worth showing with their value, by position in the source. */
  readonly parts: Part[];
}

export interface Part {
  readonly start: number;
  readonly end: number;
  readonly value: Typed;
}

/** Says what was wrong and where in the expression. */
export class ExpressionError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
    this.name = 'ExpressionError';
  }
}

/** A function out of code. */
export function functionOf<T>(code: string, helpers: readonly Helper[]): (leg: Evaluation) => T {
  return generate<(h: readonly Helper[]) => (leg: Evaluation) => T>(
    ['h'],
    `return (leg) => { ${prelude} return ${code}; };`,
  )(helpers);
}

/**
 * Code that calls a function of ours with the leg and further values, which are code as well. One function for all that differs by
 * numbers only is faster than a function for each: the compiler then knows what stands behind the call.
 */
export function callHelper({ helpers }: Pick<Scope, 'helpers'>, helper: Helper, ...values: string[]): string {
  const known = helpers.indexOf(helper);
  return `h[${known >= 0 ? known : helpers.push(helper) - 1}](${['leg', ...values].join(', ')})`;
}
