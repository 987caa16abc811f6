import { isMap, isScalar, LineCounter, parseDocument, visit, type Document } from 'yaml';
import { z } from 'zod';
import { audiences, patternSides, severities } from '../domain/hit.js';
import { exampleAccount, exampleSchema } from './pattern-example.js';
import { issuesIn, placeAt, placeOf, type Place } from './pattern-issues.js';
import { scalarOffsets } from './scalar-offsets.js';

/** A pattern file: data, never code. `docs/patterns.md` explains it by example. */

export const patternStates = ['draft', 'shadow', 'active', 'retired'] as const;
export type PatternState = (typeof patternStates)[number];

const text = (max: number) => z.string().min(1).max(max);
const bilingual = z.strictObject({ zh: text(600), en: text(600) });
const identifier = z.string().regex(/^[a-z][A-Za-z0-9]{0,31}$/, 'expected a name such as nearLimit');
const expression = text(4_000);
const parameter = z.union([z.number(), z.string().max(200), z.array(z.string().min(1).max(40)).min(1).max(200)]);
export type Parameter = z.infer<typeof parameter>;

export const patternOccasions = ['debit', 'credit', 'both', 'arrival', 'use', 'record'] as const;
export const departments = [
  'economic-crime',
  'tax',
  'market-regulation',
  'cyber',
  'criminal',
  'public-order',
  'finance',
  'procurement',
] as const;
const needPattern =
  /^(profile|login|account-change|stop-pay|case-account|exchange-rate|device|ip|mac|operator|list:[a-z][a-z0-9-]{1,39})$/;
const needWords =
  'profile, login, account-change, stop-pay, case-account, exchange-rate, device, ip, mac, operator or list:<name>';

const streamSchema = z.strictObject({
  /** Which legs: the account's debits, its credits, all of them; its closed days; its credits once they were spent. */
  of: z.enum(['debit', 'credit', 'any', 'day', 'lots']),
  /** Only those for which this holds. */
  when: expression.optional(),
  /** Lots only: the share of the credit that must have left … */
  share: z.number().gt(0).max(1).optional(),
  /** … and within how long. */
  within: text(8).optional(),
});

export const patternSchema = z.strictObject({
  id: z.string().regex(/^[A-Z][0-9]{2,3}[a-z]?$/, 'expected for example V01'),
  version: z.int().min(1).max(9_999),
  state: z.enum(patternStates),
  title: bilingual,
  side: z.enum(patternSides),
  /** Hits of one family on one enterprise and day make one warning. */
  family: z.string().regex(/^[a-z][a-z-]{1,39}$/, 'expected a name such as mule-account'),
  severity: z.enum(severities),
  /** 0 to 1; by severity where it is left out. */
  score: z.number().min(0).max(1).optional(),
  audience: z.array(z.enum(audiences)).min(1),
  /** Feature code of the banks' telecom-fraud platform, such as 3006. */
  bankCode: z
    .string()
    .regex(/^\d{4}$/, 'expected 4 digits in quotes')
    .optional(),
  /** Whose legs are asked about: corporate accounts (对公账户), or any account. */
  subjects: z.enum(['corporate', 'any']).default('corporate'),
  /**
   * What the condition is asked about: the account's debits, its credits, or both; traces that arrive with a payment; a shared
   * thing that an enterprise uses; a reference record about the account.
   */
  on: z.enum(patternOccasions),
  /** On credits and arrivals of a victim-side pattern: the payers are warned instead of the account itself. */
  warns: z.enum(['subject', 'payers']).default('subject'),
  /** Departments that a hit concerns besides those who are warned. */
  refer: z.array(z.enum(departments)).default([]),
  /** Data without which the pattern stays silent. */
  needs: z
    .array(z.string().regex(needPattern, `expected ${needWords}`))
    .max(12)
    .default([]),
  /** Most hits per 1,000 scored transactions before a newly active pattern is taken back to shadow. */
  ceiling: z.number().gt(0).max(1_000).default(20),
  params: z.record(identifier, parameter).default({}),
  streams: z.record(identifier, streamSchema).default({}),
  when: expression,
  /** How strongly it holds, 0 to 1: a number expression; it becomes the hit's score. */
  strength: expression.optional(),
  reason: bilingual,
  advice: bilingual,
  story: text(1_000),
  source: text(600),
  accounts: z.record(z.string().max(40), exampleAccount).default({}),
  examples: z.strictObject({ hits: z.array(exampleSchema).min(1).max(20), misses: z.array(exampleSchema).min(1).max(20) }),
});
export type Pattern = z.infer<typeof patternSchema>;

/** One thing wrong in one pattern file. Lines and columns count from 1. */
export interface PatternProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the file: `streams.nearLimit.when`. */
  readonly path: string;
  readonly message: string;
}

export interface ParsedPattern {
  readonly file: string;
  readonly pattern: Pattern;
  /** The expression as it stands in the file, and the position of an offset in it. */
  readonly expressionAt: (path: readonly (string | number)[]) => ExpressionSource;
  /** Where something stands in the file, or what is nearest above it. */
  readonly placeOf: (path: readonly (string | number)[]) => Place;
}

export interface ExpressionSource {
  readonly text: string;
  position(offset: number): Place;
}

const textMax = 65_536;

export function parsePattern(
  text: string,
  file: string,
): { kind: 'parsed'; parsed: ParsedPattern } | { kind: 'broken'; problems: PatternProblem[] } {
  if (text.length > textMax) return broken(file, 1, 1, '', `the file has ${text.length} characters; at most ${textMax}`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, maxAliasCount: 0, prettyErrors: false } as never);
  const errors = document.errors.map(({ pos, message }) => ({ at: pos[0], message: `not valid YAML: ${message}` }));
  const unreadable = errors.length > 0 ? errors : aliasesIn(document);
  if (unreadable.length > 0) {
    const problems = unreadable.map(({ at, message }) => ({ file, ...placeAt(lines, at), path: '', message }));
    return { kind: 'broken', problems };
  }
  const result = patternSchema.safeParse(document.toJS() as unknown);
  if (!result.success) {
    const issues = issuesIn(result.error, patternSchema, document, lines);
    return { kind: 'broken', problems: issues.map((issue) => ({ file, ...issue, path: issue.path.join('.') })) };
  }
  return {
    kind: 'parsed',
    parsed: {
      file,
      pattern: result.data,
      expressionAt: (path) => expressionSource(text, document, lines, path),
      placeOf: (path) => placeOf(document, lines, path),
    },
  };
}

/** A few of them that stand for each other would make a text of any length out of a short one. */
function aliasesIn(document: Document): { at: number; message: string }[] {
  const found: { at: number; message: string }[] = [];
  visit(document, {
    Alias: (_, { source, range }) => {
      found.push({
        at: range?.[0] ?? 0,
        message: `aliases such as *${source} are not part of pattern files; write the value out`,
      });
    },
  });
  return found;
}

function broken(
  file: string,
  line: number,
  column: number,
  path: string,
  message: string,
): { kind: 'broken'; problems: PatternProblem[] } {
  return { kind: 'broken', problems: [{ file, line, column, path, message }] };
}

/**
 * An expression with the position of each of its characters. A block scalar (`|` or `>`) is taken line by line from the
 * file itself, so that positions stay true; white space means nothing to the language.
 */
function expressionSource(
  text: string,
  document: Document,
  lines: LineCounter,
  path: readonly (string | number)[],
): ExpressionSource {
  const node = document.getIn(path, true);
  if (!isScalar(node) || !node.range)
    return { text: String(isMap(node) ? '' : node), position: () => placeOf(document, lines, path) };
  const at = node.range[0];
  const isBlock = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  if (!isBlock) {
    const value = String(node.value);
    const type = node.type === 'QUOTE_DOUBLE' ? 'double' : node.type === 'QUOTE_SINGLE' ? 'single' : 'plain';
    const offsets = scalarOffsets(text.slice(at, node.range[1]), type, value.length);
    return { text: value, position: (offset) => placeAt(lines, at + (offsets?.[offset] ?? offset)) };
  }
  const bodyStart = text.indexOf('\n', at) + 1;
  const source = text.slice(bodyStart, node.range[1]);
  return {
    text: source,
    position: (offset) => placeAt(lines, bodyStart + offset),
  };
}
