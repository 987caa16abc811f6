import { accountKinds, transactionStatuses } from '../domain/transaction.js';
import { dayMs } from '../domain/bank-day.js';
import type { Evaluation } from './evaluation.js';
import { callHelper, type Scope, type Typed } from './typed-code.js';
import { literal } from './generated.js';
import { distinctPlaces, extreme, matched, pairCount, placeKinds, type PlaceKind } from './history-walk.js';
import { baseBit, type CellKind } from './plan.js';
import { never } from './pair-table.js';
import type { PartyView } from './transaction-view.js';
import { parseWindow, type Window } from './window.js';

/** Every field and function of the pattern language, each with its meaning: the manual is made from these tables. */

export interface FieldDefinition {
  readonly about?: 'day' | 'lots';
  readonly type: Typed['type'];
  readonly unit?: string;
  readonly doc: string;
  make(scope: Scope): Typed;
}

export interface FunctionDefinition {
  readonly usage: string;
  readonly parameters: readonly { readonly name: string; readonly type: Typed['type'] }[];
  readonly exactness: 'exact' | 'approximate';
  readonly doc: string;
  make(args: readonly Typed[], scope: Scope, fail: (argument: number, message: string) => never): Typed;
}

const kinds = ['unknown', ...accountKinds];

function numberField(doc: string, unit: string, code: string, about?: 'day' | 'lots'): FieldDefinition {
  return { type: 'number', unit, doc, make: () => ({ type: 'number', code }), ...(about ? { about } : {}) };
}

/** `start` and `end` name the text's span as code and as a function. */
function textField(
  doc: string,
  start: string,
  end: string,
  span: (leg: Evaluation) => readonly [number, number],
): FieldDefinition {
  return {
    type: 'text',
    doc,
    make: (scope) => ({
      type: 'text',
      span: { start, end },
      code: callHelper(scope, (leg) => scope.texts.text(leg.view, ...span(leg))),
    }),
  };
}

function enumField(doc: string, names: readonly string[], code: string): FieldDefinition {
  return {
    type: 'enum',
    doc: `${doc}: ${names.map((name) => `"${name}"`).join(', ')}`,
    make: () => ({ type: 'enum', names, code }),
  };
}

function partyFields(
  prefix: string,
  who: string,
  of: (leg: Evaluation) => PartyView,
  code: string,
): Record<string, FieldDefinition> {
  return {
    [`${prefix}.kind`]: enumField(`Kind of ${who}`, kinds, `${code}.kind`),
    [`${prefix}.province`]: numberField(
      `Province of ${who}, first two digits of its region; 0 unknown`,
      'GB/T 2260',
      `${code}.province`,
    ),
    [`${prefix}.ageDays`]: numberField(
      `Days since ${who} was opened; unknown without openedOn`,
      'days',
      `(${code}.openedDay < 0 ? 0/0 : leg.day - ${code}.openedDay)`,
    ),
    [`${prefix}.balanceFen`]: numberField(
      `Balance of ${who} after the transaction, unknown where the bank sent none`,
      'fen',
      `${code}.balanceFen`,
    ),
    [`${prefix}.name`]: textField(`Name of the holder of ${who}`, `${code}.nameStart`, `${code}.nameEnd`, (leg) => [
      of(leg).nameStart,
      of(leg).nameEnd,
    ]),
    [`${prefix}.bank`]: textField(`Bank number of ${who}`, `${code}.bankStart`, `${code}.bankEnd`, (leg) => [
      of(leg).bankStart,
      of(leg).bankEnd,
    ]),
  };
}

export const fields: Readonly<Record<string, FieldDefinition>> = {
  'tx.amountFen': numberField('Amount', 'fen', 'view.amountFen'),
  'tx.hour': numberField('Hour of the day in Asia/Shanghai, 0 to 23', 'hours', 'leg.hour'),
  'tx.status': enumField('Status (failed and reversed transactions are never scored)', transactionStatuses, 'view.status'),
  'tx.isCny': { type: 'bool', doc: 'The currency is CNY', make: () => ({ type: 'bool', code: 'view.isCny' }) },
  'leg.isDebit': { type: 'bool', doc: 'The account pays on this leg', make: () => ({ type: 'bool', code: 'leg.isDebit' }) },
  'tx.remark': textField('Remark (附言)', 'view.remarkStart', 'view.remarkEnd', ({ view }) => [view.remarkStart, view.remarkEnd]),
  'tx.channel': textField('Channel, such as ebank or counter', 'view.channelStart', 'view.channelEnd', ({ view }) => [
    view.channelStart,
    view.channelEnd,
  ]),
  ...partyFields('self', 'the account whose leg is scored', (leg) => leg.self, 'self'),
  ...partyFields('other', 'the counterparty', (leg) => leg.other, 'other'),
  ...partyFields('payer', "the payer's account", (leg) => leg.view.payer, 'view.payer'),
  ...partyFields('payee', "the payee's account", (leg) => leg.view.payee, 'view.payee'),
  'self.balanceBeforeFen': numberField(
    'Balance of the account before the transaction',
    'fen',
    '(leg.isDebit ? self.balanceFen + view.amountFen : self.balanceFen - view.amountFen)',
  ),
  'day.debitFen': numberField('Sum of the debits of the day that has closed', 'fen', 'leg.dayDebitFen', 'day'),
  'day.creditFen': numberField('Sum of its credits', 'fen', 'leg.dayCreditFen', 'day'),
  'day.turnoverFen': numberField('Debits and credits together', 'fen', '(leg.dayDebitFen + leg.dayCreditFen)', 'day'),
  'day.count': numberField('Number of its legs', 'legs', 'leg.dayCount', 'day'),
  'day.balanceFen': numberField('Last balance known at its end', 'fen', 'leg.dayBalanceFen', 'day'),
  'lot.amountFen': numberField('Amount of the credit that was spent', 'fen', 'leg.lotAmountFen', 'lots'),
  'lot.dwellSeconds': numberField('How long it had stayed', 'seconds', '(leg.lotDwellMs / 1000)', 'lots'),
};

type Fail = (argument: number, message: string) => never;

function windowOf(typed: Typed, scope: Scope, fail: Fail, argument: number): Window {
  if (typed.type !== 'text' || typed.constant === undefined) return fail(argument, 'expected a window in quotes, such as "24h"');
  const window = parseWindow(typed.constant, scope.workingDays);
  return 'problem' in window ? fail(argument, window.problem) : window;
}

function streamOf(typed: Typed): { bit: number } {
  return typed.type === 'stream' ? typed : { bit: 0 };
}

function codeOf(typed: Typed | undefined): string {
  return typed?.type === 'number' ? typed.code : '0/0';
}

const longestExactMs = 31 * dayMs;

function legWindow(typed: Typed, scope: Scope, fail: Fail, argument: number): Window {
  const window = windowOf(typed, scope, fail, argument);
  if (window.spanMsMax !== Infinity && window.spanMsMax > longestExactMs) {
    fail(argument, `"${window.text}" is longer than single legs are kept (31d); use newPayee, median, percentile or "ever"`);
  }
  return window;
}

const streamAndWindow = [
  { name: 'stream', type: 'stream' },
  { name: 'window', type: 'text' },
] as const;

function aggregate(kind: CellKind, doc: string): FunctionDefinition {
  return {
    usage: `${kind}(stream, window), like ${kind}(credit, "24h")`,
    parameters: streamAndWindow,
    exactness: 'exact',
    doc,
    make([stream, window], scope, fail) {
      const { bit } = streamOf(stream!);
      const span = legWindow(window!, scope, fail, 1);
      if (span.spanMsMax === Infinity && kind === 'distinct')
        fail(1, 'distinct counts over "ever" are not kept; use at most "31d"');
      if (kind === 'distinct' && scope.plan.streams.some((known) => known.bit === bit && known.of === 'day'))
        fail(0, 'closed days have no counterparties');
      scope.usesHistory = true;
      look(scope, bit, span);
      const at = scope.plan.cell(span, bit, kind);
      const isExtreme = kind === 'max' || kind === 'min';
      return { type: 'number', code: isExtreme ? callHelper(scope, extreme(kind, at, bit, span)) : `row[base + ${at}]` };
    },
  };
}

function look(scope: Scope, bit: number, span: Window): void {
  scope.looksAt.bits |= bit;
  if (span.spanMsMax !== Infinity && span.spanMsMax > scope.looksAt.spanMs) scope.looksAt.spanMs = span.spanMsMax;
}

/** Whether the pair had no payment in this direction within the window before this leg. */
function newness(name: string, direction: 'debit' | 'credit' | 'either', doc: string): FunctionDefinition {
  return {
    usage: `${name}(window), like ${name}("180d")`,
    parameters: [{ name: 'window', type: 'text' }],
    exactness: 'exact',
    doc,
    make([window], scope, fail) {
      const span = windowOf(window!, scope, fail, 0);
      if (span.spanMsMax > pairMemoryMs)
        fail(0, `pairs are remembered for ${pairMemoryMs / dayMs} days; use at most "${pairMemoryMs / dayMs}d"`);
      scope.usesHistory = true;
      const spanMs = span.spanMsMax;
      const lastMs = {
        debit: 'leg.pairLastDebitMs',
        credit: 'leg.pairLastCreditMs',
        either: '(leg.pairLastDebitMs > leg.pairLastCreditMs ? leg.pairLastDebitMs : leg.pairLastCreditMs)',
      }[direction];
      return { type: 'bool', code: `(${lastMs} <= leg.timeMs - ${literal(spanMs)})` };
    },
  };
}

/** How long a pair without a payment is remembered. */
export const pairMemoryMs = 400 * dayMs;

function sketched(name: string, doc: string, rank: number | undefined): FunctionDefinition {
  const withRank = rank === undefined;
  return {
    usage: withRank
      ? `${name}(stream, rank, window), like ${name}(debit, 0.99, "365d")`
      : `${name}(stream, window), like ${name}(debit, "90d")`,
    parameters: withRank
      ? [
          { name: 'stream', type: 'stream' },
          { name: 'rank', type: 'number' },
          { name: 'window', type: 'text' },
        ]
      : streamAndWindow,
    exactness: 'approximate',
    doc,
    make(args, scope, fail) {
      const { bit } = streamOf(args[0]!);
      const window = windowOf(args[args.length - 1]!, scope, fail, args.length - 1);
      if (window.spanMsMax > pairMemoryMs || window.spanMsMax < dayMs)
        fail(args.length - 1, 'expected a window from "1d" to "400d"');
      scope.usesHistory = true;
      const sketch = scope.plan.sketch(bit, window.spanMsMax);
      if (name === 'samples') return { type: 'number', code: `leg.samples(${sketch})` };
      return { type: 'number', code: `leg.percentile(${sketch}, ${withRank ? codeOf(args[1]) : literal(rank)})` };
    },
  };
}

export const functions: Readonly<Record<string, FunctionDefinition>> = {
  count: aggregate('count', 'Number of legs of the stream inside the window, this leg included.'),
  sum: aggregate('sum', 'Sum of their amounts in fen.'),
  distinct: aggregate('distinct', 'Number of different counterparties among them.'),
  max: aggregate('max', 'Largest amount among them in fen; unknown where there is none.'),
  min: aggregate('min', 'Smallest amount among them in fen; unknown where there is none.'),
  distinctOf: {
    usage: 'distinctOf(stream, "province" | "hour" | "day", window)',
    parameters: [
      { name: 'stream', type: 'stream' },
      { name: 'what', type: 'text' },
      { name: 'window', type: 'text' },
    ],
    exactness: 'exact',
    doc: 'Number of different provinces of the counterparties, hours of the day or calendar days among the legs; looks at the latest 2,000 legs at most.',
    make([stream, what, window], scope, fail) {
      const { bit } = streamOf(stream!);
      const kind = what!.type === 'text' ? what!.constant : undefined;
      if (!kind || !(placeKinds as readonly string[]).includes(kind)) fail(1, 'expected "province", "hour" or "day"');
      const span = legWindow(window!, scope, fail, 2);
      if (span.spanMsMax === Infinity) fail(2, 'expected a window of at most "31d"');
      scope.usesHistory = true;
      scope.plan.lookBack(span.spanMsMax);
      look(scope, bit, span);
      return { type: 'number', code: callHelper(scope, (leg) => distinctPlaces(leg, bit, kind as PlaceKind, span)) };
    },
  },
  pairCount: {
    usage: 'pairCount(stream, window), like pairCount(probe, "24h")',
    parameters: streamAndWindow,
    exactness: 'exact',
    doc: 'Number of legs of the stream with this counterparty inside the window, this leg included; looks at the latest 256 legs of the pair at most.',
    make([stream, window], scope, fail) {
      const { bit } = streamOf(stream!);
      const span = legWindow(window!, scope, fail, 1);
      if (span.spanMsMax === Infinity) fail(1, 'expected a window of at most "31d"');
      scope.usesHistory = true;
      scope.plan.lookBack(span.spanMsMax);
      look(scope, bit, span);
      return { type: 'number', code: callHelper(scope, (leg) => pairCount(leg, bit, span)) };
    },
  },
  matched: {
    usage: 'matched(stream, window, tolerance), like matched(credit, "30d", 0.01)',
    parameters: [...streamAndWindow, { name: 'tolerance', type: 'number' }],
    exactness: 'exact',
    doc: 'An earlier leg of the stream with this counterparty inside the window has this amount, within the tolerance (a share).',
    make([stream, window, tolerance], scope, fail) {
      const { bit } = streamOf(stream!);
      const span = legWindow(window!, scope, fail, 1);
      if (span.spanMsMax === Infinity) fail(1, 'expected a window of at most "31d"');
      scope.usesHistory = true;
      scope.plan.lookBack(span.spanMsMax);
      look(scope, bit, span);
      return { type: 'bool', code: callHelper(scope, (leg, share) => matched(leg, bit, span, share), codeOf(tolerance)) };
    },
  },
  newPayee: newness('newPayee', 'debit', 'The account has not paid this counterparty within the window before.'),
  newPayer: newness('newPayer', 'credit', 'This counterparty has not paid the account within the window before.'),
  newContact: newness('newContact', 'either', 'Neither has paid the other within the window before.'),
  idle: {
    usage: 'idle(window), like idle("180d")',
    parameters: [{ name: 'window', type: 'text' }],
    exactness: 'exact',
    doc: 'The account was seen before, but not within the window before this leg.',
    make([window], scope, fail) {
      const span = windowOf(window!, scope, fail, 0);
      if (span.spanMsMax === Infinity) fail(0, 'expected a window such as "180d"');
      scope.usesHistory = true;
      const spanMs = span.spanMsMax;
      return {
        type: 'bool',
        code: `(leg.previousLegMs > ${literal(never)} && leg.previousLegMs <= leg.timeMs - ${literal(spanMs)})`,
      };
    },
  },
  median: sketched('median', 'Median of the amounts before this leg, in fen (±14 %); unknown without any.', 0.5),
  percentile: sketched(
    'percentile',
    'Amount that the share `rank` of the amounts before this leg did not exceed, in fen (±14 %).',
    undefined,
  ),
  samples: sketched('samples', 'How many amounts `median` and `percentile` know, this leg not included.', 0),
  unknown: {
    usage: 'unknown(number), like unknown(other.ageDays)',
    parameters: [{ name: 'value', type: 'number' }],
    exactness: 'exact',
    doc: 'The bank did not send what the value is made of.',
    make([value], scope) {
      return { type: 'bool', code: callHelper(scope, (_, number) => Number.isNaN(number), codeOf(value)) };
    },
  },
  mentions: {
    usage: 'mentions(text, words), like mentions(tx.remark, ["退款", "退回"])',
    parameters: [
      { name: 'text', type: 'text' },
      { name: 'words', type: 'list' },
    ],
    exactness: 'exact',
    doc: 'The text holds at least one of the words.',
    make([text, words], scope, fail) {
      const listed = words!.type === 'list' ? words!.words : [];
      if (text!.type !== 'text' || !text!.span) return fail(0, 'expected a text of the transaction, such as tx.remark');
      const list = scope.texts.register(listed);
      const { start, end } = text!.span;
      const { texts } = scope;
      return { type: 'bool', code: callHelper(scope, (leg, from, to) => texts.mentions(leg.view, from, to, list), start, end) };
    },
  },
  least: pick('least', 'The smaller of two numbers.', 'Math.min'),
  greatest: pick('greatest', 'The larger of two numbers.', 'Math.max'),
};

function pick(name: string, doc: string, choose: 'Math.min' | 'Math.max'): FunctionDefinition {
  return {
    usage: `${name}(number, number)`,
    parameters: [
      { name: 'a', type: 'number' },
      { name: 'b', type: 'number' },
    ],
    exactness: 'exact',
    doc,
    make([a, b]) {
      return { type: 'number', code: `${choose}(${codeOf(a)}, ${codeOf(b)})` };
    },
  };
}

/** Names of the streams that every pattern has. */
export const baseStreams: ReadonlyMap<string, number> = new Map(Object.entries(baseBit));
