import { accountKinds, transactionStatuses } from '../domain/transaction.js';
import { dayMs } from '../domain/bank-day.js';
import type { Evaluation } from './evaluation.js';
import type { Scope, Typed } from './expression.js';
import { distinctPlaces, extreme, matched, pairCount, placeKinds, type PlaceKind } from './history-walk.js';
import { baseBit, type CellKind, type NumberFunction } from './plan.js';
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

function numberField(doc: string, unit: string, read: (leg: Evaluation) => number, about?: 'day' | 'lots'): FieldDefinition {
  return { type: 'number', unit, doc, make: () => ({ type: 'number', read }), ...(about ? { about } : {}) };
}

function textField(doc: string, start: NumberFunction, end: NumberFunction): FieldDefinition {
  return {
    type: 'text',
    doc,
    make: ({ texts }) => ({
      type: 'text',
      span: { start, end },
      read: (leg) => texts.text(leg.view, start(leg), end(leg)),
    }),
  };
}

function enumField(doc: string, names: readonly string[], read: (leg: Evaluation) => number): FieldDefinition {
  return { type: 'enum', doc: `${doc}: ${names.map((name) => `"${name}"`).join(', ')}`, make: () => ({ type: 'enum', names, read }) };
}

function partyFields(prefix: string, who: string, of: (leg: Evaluation) => PartyView): Record<string, FieldDefinition> {
  return {
    [`${prefix}.kind`]: enumField(`Kind of ${who}`, kinds, (leg) => of(leg).kind),
    [`${prefix}.province`]: numberField(`Province of ${who}, first two digits of its region; 0 unknown`, 'GB/T 2260', (leg) => of(leg).province),
    [`${prefix}.ageDays`]: numberField(`Days since ${who} was opened; unknown without openedOn`, 'days', (leg) =>
      of(leg).openedDay < 0 ? Number.NaN : leg.day - of(leg).openedDay,
    ),
    [`${prefix}.balanceFen`]: numberField(`Balance of ${who} after the transaction, unknown where the bank sent none`, 'fen', (leg) => of(leg).balanceFen),
    [`${prefix}.name`]: textField(`Name of the holder of ${who}`, (leg) => of(leg).nameStart, (leg) => of(leg).nameEnd),
    [`${prefix}.bank`]: textField(`Bank number of ${who}`, (leg) => of(leg).bankStart, (leg) => of(leg).bankEnd),
  };
}

export const fields: Readonly<Record<string, FieldDefinition>> = {
  'tx.amountFen': numberField('Amount', 'fen', (leg) => leg.view.amountFen),
  'tx.hour': numberField('Hour of the day in Asia/Shanghai, 0 to 23', 'hours', (leg) => leg.hour),
  'tx.status': enumField('Status (failed and reversed transactions are never scored)', transactionStatuses, (leg) => leg.view.status),
  'tx.isCny': { type: 'bool', doc: 'The currency is CNY', make: () => ({ type: 'bool', read: (leg) => leg.view.isCny }) },
  'leg.isDebit': { type: 'bool', doc: 'The account pays on this leg', make: () => ({ type: 'bool', read: (leg) => leg.isDebit }) },
  'tx.remark': textField('Remark (附言)', (leg) => leg.view.remarkStart, (leg) => leg.view.remarkEnd),
  'tx.channel': textField('Channel, such as ebank or counter', (leg) => leg.view.channelStart, (leg) => leg.view.channelEnd),
  ...partyFields('self', 'the account whose leg is scored', (leg) => leg.self),
  ...partyFields('other', 'the counterparty', (leg) => leg.other),
  ...partyFields('payer', "the payer's account", (leg) => leg.view.payer),
  ...partyFields('payee', "the payee's account", (leg) => leg.view.payee),
  'self.balanceBeforeFen': numberField('Balance of the account before the transaction', 'fen', (leg) =>
    leg.isDebit ? leg.self.balanceFen + leg.view.amountFen : leg.self.balanceFen - leg.view.amountFen,
  ),
  'day.debitFen': numberField('Sum of the debits of the day that has closed', 'fen', (leg) => leg.dayDebitFen, 'day'),
  'day.creditFen': numberField('Sum of its credits', 'fen', (leg) => leg.dayCreditFen, 'day'),
  'day.turnoverFen': numberField('Debits and credits together', 'fen', (leg) => leg.dayDebitFen + leg.dayCreditFen, 'day'),
  'day.count': numberField('Number of its legs', 'legs', (leg) => leg.dayCount, 'day'),
  'day.balanceFen': numberField('Last balance known at its end', 'fen', (leg) => leg.dayBalanceFen, 'day'),
  'lot.amountFen': numberField('Amount of the credit that was spent', 'fen', (leg) => leg.lotAmountFen, 'lots'),
  'lot.dwellSeconds': numberField('How long it had stayed', 'seconds', (leg) => leg.lotDwellMs / 1000, 'lots'),
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

function numberOf(typed: Typed): (leg: Evaluation) => number {
  return typed.type === 'number' ? typed.read : () => Number.NaN;
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
      if (span.spanMsMax === Infinity && kind === 'distinct') fail(1, 'distinct counts over "ever" are not kept; use at most "31d"');
      scope.usesHistory = true;
      look(scope, bit, span);
      const at = scope.plan.cell(span, bit, kind);
      const read = kind === 'max' || kind === 'min' ? extreme(kind, at, bit, span) : (leg: Evaluation) => leg.row[leg.base + at]!;
      return { type: 'number', read };
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
      if (span.spanMsMax > pairMemoryMs) fail(0, `pairs are remembered for ${pairMemoryMs / dayMs} days; use at most "${pairMemoryMs / dayMs}d"`);
      scope.usesHistory = true;
      const spanMs = span.spanMsMax;
      const lastMs = {
        debit: (leg: Evaluation) => leg.pairLastDebitMs,
        credit: (leg: Evaluation) => leg.pairLastCreditMs,
        either: (leg: Evaluation) => Math.max(leg.pairLastDebitMs, leg.pairLastCreditMs),
      }[direction];
      return { type: 'bool', read: (leg) => lastMs(leg) <= leg.timeMs - spanMs };
    },
  };
}

/** How long a pair without a payment is remembered. */
export const pairMemoryMs = 400 * dayMs;

function sketched(name: string, doc: string, rank: number | undefined): FunctionDefinition {
  const withRank = rank === undefined;
  return {
    usage: withRank ? `${name}(stream, rank, window), like ${name}(debit, 0.99, "365d")` : `${name}(stream, window), like ${name}(debit, "90d")`,
    parameters: withRank
      ? [{ name: 'stream', type: 'stream' }, { name: 'rank', type: 'number' }, { name: 'window', type: 'text' }]
      : streamAndWindow,
    exactness: 'approximate',
    doc,
    make(args, scope, fail) {
      const { bit } = streamOf(args[0]!);
      const window = windowOf(args[args.length - 1]!, scope, fail, args.length - 1);
      if (window.spanMsMax > pairMemoryMs || window.spanMsMax < dayMs) fail(args.length - 1, 'expected a window from "1d" to "400d"');
      scope.usesHistory = true;
      const sketch = scope.plan.sketch(bit, window.spanMsMax);
      const rankOf = withRank ? numberOf(args[1]!) : () => rank;
      if (name === 'samples') return { type: 'number', read: (leg) => leg.samples(sketch) };
      return { type: 'number', read: (leg) => leg.percentile(sketch, rankOf(leg)) };
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
    parameters: [{ name: 'stream', type: 'stream' }, { name: 'what', type: 'text' }, { name: 'window', type: 'text' }],
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
      return { type: 'number', read: (leg) => distinctPlaces(leg, bit, kind as PlaceKind, span) };
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
      return { type: 'number', read: (leg) => pairCount(leg, bit, span) };
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
      const share = numberOf(tolerance!);
      return { type: 'bool', read: (leg) => matched(leg, bit, span, share(leg)) };
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
      return { type: 'bool', read: (leg) => leg.previousLegMs > never && leg.previousLegMs <= leg.timeMs - spanMs };
    },
  },
  median: sketched('median', 'Median of the amounts before this leg, in fen (±14 %); unknown without any.', 0.5),
  percentile: sketched('percentile', 'Amount that the share `rank` of the amounts before this leg did not exceed, in fen (±14 %).', undefined),
  samples: sketched('samples', 'How many amounts `median` and `percentile` know, this leg not included.', 0),
  unknown: {
    usage: 'unknown(number), like unknown(other.ageDays)',
    parameters: [{ name: 'value', type: 'number' }],
    exactness: 'exact',
    doc: 'The bank did not send what the value is made of.',
    make([value]) {
      const read = numberOf(value!);
      return { type: 'bool', read: (leg) => Number.isNaN(read(leg)) };
    },
  },
  mentions: {
    usage: 'mentions(text, words), like mentions(tx.remark, ["退款", "退回"])',
    parameters: [{ name: 'text', type: 'text' }, { name: 'words', type: 'list' }],
    exactness: 'exact',
    doc: 'The text holds at least one of the words.',
    make([text, words], scope, fail) {
      const listed = words!.type === 'list' ? words!.words : [];
      if (text!.type !== 'text' || !text!.span) return fail(0, 'expected a text of the transaction, such as tx.remark');
      const list = scope.texts.register(listed);
      const { start, end } = text!.span;
      const texts = scope.texts;
      return { type: 'bool', read: (leg) => texts.mentions(leg.view, start(leg), end(leg), list) };
    },
  },
  least: pick('least', 'The smaller of two numbers.', Math.min),
  greatest: pick('greatest', 'The larger of two numbers.', Math.max),
};

function pick(name: string, doc: string, choose: (a: number, b: number) => number): FunctionDefinition {
  return {
    usage: `${name}(number, number)`,
    parameters: [{ name: 'a', type: 'number' }, { name: 'b', type: 'number' }],
    exactness: 'exact',
    doc,
    make([a, b]) {
      const left = numberOf(a!);
      const right = numberOf(b!);
      return { type: 'number', read: (leg) => choose(left(leg), right(leg)) };
    },
  };
}

/** Names of the streams that every pattern has. */
export const baseStreams: ReadonlyMap<string, number> = new Map(Object.entries(baseBit));
