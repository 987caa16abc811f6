import type { Window } from '../window.js';
import { dayMs } from '../../domain/bank-day.js';
import { type AskedOfWindow, baseBit, chainMsMax, type StreamRef } from '../plan.js';
import type { Source } from '../history-walk.js';
import type { About, Scope, Typed } from '../typed-code.js';
import { parseWindow } from '../window.js';

/** What the tables of fields and functions are made of; the manual is generated from them. */

export interface FieldDefinition {
  readonly about?: About;
  readonly type: Typed['type'];
  readonly unit?: string;
  readonly doc: string;
  make(scope: Scope): Typed;
}

/** What one question costs: a number that is kept, one look into a table, or a walk over the legs of a window. */
export type Cost = 'kept' | 'look-up' | 'walk';

export interface FunctionDefinition {
  readonly usage: string;
  /** An expression that uses it, as it may stand in a pattern. */
  readonly example: string;
  readonly parameters: readonly { readonly name: string; readonly type: Typed['type'] }[];
  readonly exactness: 'exact' | 'approximate';
  readonly cost: Cost;
  readonly about?: About;
  readonly doc: string;
  make(args: readonly Typed[], scope: Scope, fail: Fail): Typed;
}

export type Fail = (argument: number, message: string) => never;

/** Where what exists only for some questions exists. */
export const whereAbout: Readonly<Record<About, string>> = {
  leg: 'on legs',
  day: 'in streams of: day',
  lots: 'in streams of: lots',
  arrival: 'in patterns with on: arrival',
  use: 'in patterns with on: use',
  record: 'in patterns with on: record',
};

/** How long a pair without a payment is remembered, and the longest window. */
export const pairMemoryMs = 400 * dayMs;

export const streamAndWindow = [
  { name: 'stream', type: 'stream' },
  { name: 'window', type: 'text' },
] as const;

export const onlyWindow = [{ name: 'window', type: 'text' }] as const;

export function windowOf(typed: Typed, scope: Scope, fail: Fail, argument: number): Window {
  if (typed.type !== 'text' || typed.constant === undefined) return fail(argument, 'expected a window in quotes, such as "24h"');
  const window = parseWindow(typed.constant, scope.workingDays);
  if ('problem' in window) return fail(argument, window.problem);
  if (window.spanMsMax !== Infinity && window.spanMsMax > pairMemoryMs)
    fail(argument, `"${window.text}" is too long; at most "400d"`);
  return window;
}

/** A window that ends: not `ever`. */
export function endingWindow(typed: Typed, scope: Scope, fail: Fail, argument: number): Window {
  const window = windowOf(typed, scope, fail, argument);
  return window.spanMsMax === Infinity ? fail(argument, 'expected a window such as "30d"') : window;
}

export function streamOf(typed: Typed): StreamRef {
  return typed.type === 'stream' ? typed.stream : { name: '', bit: 0, index: -1 };
}

export function codeOf(typed: Typed | undefined): string {
  return typed?.type === 'number' ? typed.code : '0/0';
}

/** A share is refused where it is written out, or a parameter, and is none: 95 for 0.95. */
export function checkShare(typed: Typed | undefined, fail: Fail, argument: number): void {
  const value = typed?.type === 'number' ? typed.constant : undefined;
  if (value !== undefined && !(value >= 0 && value <= 1)) fail(argument, `expected a share from 0 to 1, found ${value}`);
}

/** Says that the expression asks about the subject's history; a shared thing has none. */
export function asksHistory(scope: Scope, fail: Fail): void {
  if (scope.about === 'use')
    fail(0, 'patterns with on: use are about a device, an operator …; these have no legs and windows of their own');
  scope.usesHistory = true;
}

/** Where the legs of a stream inside a window are kept; plans for them. */
export function sourceOf(stream: StreamRef, window: Window, scope: Scope, fail: Fail, asked: AskedOfWindow = {}): Source {
  asksHistory(scope, fail);
  if (stream.index < 0 && window.spanMsMax <= chainMsMax) return chained(stream.bit, stream, window, scope);
  const named = scope.plan.namedWindow(stream, window, asked);
  if (!scope.looksAt.named.includes(named) && window.spanMsMax !== Infinity) scope.looksAt.named.push(named);
  return { bit: 0, stream, window, named };
}

/** Among the single legs of the account or of the pair, by a bit that they carry. */
function chained(bit: number, stream: StreamRef, window: Window, { plan, looksAt }: Scope): Source {
  plan.lookBack(window.spanMsMax);
  looksAt.bits |= bit;
  if (window.spanMsMax > looksAt.spanMs) looksAt.spanMs = window.spanMsMax;
  return { bit, stream, window, named: -1 };
}

/** The same for features that walk over the single legs of the pair: where these are kept, no queue of the stream is needed. */
export function pairWalkOf(args: readonly Typed[], scope: Scope, fail: Fail): Source {
  const stream = streamOf(args[0]!);
  const window = endingWindow(args[1]!, scope, fail, 1);
  const mark = stream.index >= 0 && window.spanMsMax <= chainMsMax ? scope.plan.mark(stream) : 0;
  if (mark === 0) return walkOf(args, scope, fail, 1, true);
  asksHistory(scope, fail);
  return chained(mark, stream, window, scope);
}

/** The same for features that walk over single legs, `ofPair` over those with the counterparty alone. */
export function walkOf(args: readonly Typed[], scope: Scope, fail: Fail, at = 1, ofPair = false): Source {
  const stream = streamOf(args[0]!);
  const window = endingWindow(args[at]!, scope, fail, at);
  if (stream.index < 0 && window.spanMsMax > chainMsMax)
    fail(at, `single legs of ${stream.name} are kept for 31 days; use at most "31d", or a named stream with a condition`);
  const source = sourceOf(stream, window, scope, fail, { isPaired: ofPair });
  // Evidence and pairs are found among single legs.
  scope.plan.lookBack(Math.min(window.spanMsMax, chainMsMax));
  return source;
}

/** Streams that every pattern has. */
export const baseStreams: ReadonlyMap<string, StreamRef> = new Map(
  Object.entries(baseBit).map(([name, bit]) => [name, { name, bit, index: -1 }]),
);
