import type { Evaluation } from '../evaluation.js';
import {
  countSeen,
  distinctPlaces,
  extreme,
  isLucky,
  matched,
  modeOf,
  placeKinds,
  type PlaceKind,
  recent,
  recentKinds,
  type RecentKind,
  repeated,
  rising,
  similar,
  sumSeen,
  variation,
} from '../history-walk.js';
import { never } from '../pair-table.js';
import { type CellKind, chainMsMax } from '../plan.js';
import { literal } from '../generated.js';
import { callHelper, costRank, namedNumber } from '../typed-code.js';
import { parseWindow } from '../window.js';
import { summaryFunctions } from './summaries.js';
import {
  asksHistory,
  checkShare,
  codeOf,
  type Cost,
  endingWindow,
  type FunctionDefinition,
  onlyWindow,
  pairMemoryMs,
  pairWalkOf,
  sourceOf,
  streamAndWindow,
  streamOf,
  walkOf,
  windowOf,
} from './definitions.js';

/** Functions over a subject's legs. */

function aggregate(kind: CellKind, doc: string): FunctionDefinition {
  return {
    usage: `${kind}(stream, window)`,
    example: kind === 'max' ? 'max(debit, "24h") >= 1000000' : `${kind}(credit, "24h") >= 5`,
    parameters: streamAndWindow,
    exactness: 'exact',
    cost: 'kept',
    doc,
    make([typed, text], scope, fail) {
      const stream = streamOf(typed!);
      const window = windowOf(text!, scope, fail, 1);
      const isEver = window.spanMsMax === Infinity;
      if (isEver && kind === 'distinct') fail(1, 'distinct counts over "ever" are not kept; use at most "400d"');
      if (kind === 'distinct' && scope.plan.streams[stream.index]?.of === 'day') fail(0, 'closed days have no counterparties');
      const isChained = stream.index < 0 && (isEver || window.spanMsMax <= chainMsMax);
      if (!isChained) {
        if (stream.index < 0 && kind !== 'count' && kind !== 'sum')
          fail(1, `${kind} over ${stream.name} goes back 31 days; use at most "31d", or a named stream with a condition`);
        const { named } = sourceOf(stream, window, scope, fail, {
          isPaired: kind === 'distinct',
          keepsExtremes: kind === 'max' || kind === 'min',
        });
        scope.cost = Math.max(scope.cost, costRank['look-up']);
        return { type: 'number', code: namedNumber(kind, named) };
      }
      asksHistory(scope, fail);
      scope.looksAt.bits |= stream.bit;
      if (!isEver && window.spanMsMax > scope.looksAt.spanMs) scope.looksAt.spanMs = window.spanMsMax;
      const at = scope.plan.cell(window, stream.bit, kind);
      const isExtreme = kind === 'max' || kind === 'min';
      return {
        type: 'number',
        code: isExtreme ? callHelper(scope, extreme(kind, at, stream.bit, window)) : `row[base + ${at}]`,
      };
    },
  };
}

function walk(
  definition: Pick<FunctionDefinition, 'usage' | 'example' | 'parameters' | 'doc' | 'make'>,
  cost: Cost = 'walk',
): FunctionDefinition {
  return { exactness: 'exact', cost, ...definition };
}

const withTolerance = [...streamAndWindow, { name: 'tolerance', type: 'number' }] as const;
const pairDoc = 'among the legs with this counterparty';

/** How many of the legs have an amount like this one's. */
function similarity(name: string, ofPair: boolean): FunctionDefinition {
  return walk({
    usage: `${name}(stream, window, tolerance)`,
    example: `${name}(credit, "7d", 0.01) >= 3`,
    parameters: withTolerance,
    doc: `Number of legs whose amount is this one's within the tolerance (a share)${ofPair ? `, ${pairDoc}` : ''}, this leg included.`,
    make(args, scope, fail) {
      checkShare(args[2], fail, 2);
      const source = ofPair ? pairWalkOf(args, scope, fail) : walkOf(args, scope, fail);
      if (source.named < 0 && !ofPair) scope.plan.keep('amounts');
      const count = (most: string): string =>
        callHelper(scope, (leg, share, most) => similar(leg, source, ofPair, share, most), codeOf(args[2]), most);
      return { type: 'number', code: count(literal(Infinity)), reaches: (least) => `(${count(least)} >= ${least})` };
    },
  });
}

function spread(name: string, ofPair: boolean): FunctionDefinition {
  return walk({
    usage: `${name}(stream, window)`,
    example: `${name}(debit, "30d") <= 0.05`,
    parameters: streamAndWindow,
    doc: `Coefficient of variation of the amounts (standard deviation over mean)${ofPair ? ` ${pairDoc}` : ''}; unknown with fewer than two.`,
    make(args, scope, fail) {
      const source = ofPair ? pairWalkOf(args, scope, fail) : walkOf(args, scope, fail);
      return { type: 'number', code: callHelper(scope, (leg) => variation(leg, source, ofPair)) };
    },
  });
}

function modal(name: 'mode' | 'modeCount', doc: string): FunctionDefinition {
  return walk({
    usage: `${name}(stream, window)`,
    example: name === 'mode' ? 'mode(credit, "30d") >= 0.5' : 'modeCount(credit, "30d") >= 30',
    parameters: streamAndWindow,
    doc,
    make(args, scope, fail) {
      const source = walkOf(args, scope, fail);
      return {
        type: 'number',
        code: callHelper(scope, (leg) => {
          const { most, all } = modeOf(leg, source);
          return name === 'mode' ? most / (all || Number.NaN) : most;
        }),
      };
    },
  });
}

function ofPair(name: 'pairCount' | 'pairSum', doc: string): FunctionDefinition {
  return walk({
    usage: `${name}(stream, window)`,
    example: name === 'pairCount' ? 'pairCount(debit, "24h") >= 2' : 'pairSum(credit, "7d") > 0',
    parameters: streamAndWindow,
    doc,
    make(args, scope, fail) {
      const source = walkOf(args, scope, fail, 1, true);
      if (name === 'pairSum') return { type: 'number', code: callHelper(scope, (leg) => sumSeen(leg, source, true)) };
      const count = (most: string): string => callHelper(scope, (leg, most) => countSeen(leg, source, true, most), most);
      return { type: 'number', code: count(literal(Infinity)), reaches: (least) => `(${count(least)} >= ${least})` };
    },
  });
}

/** Whether the pair had no payment in this direction within the window before this leg. */
function newness(name: string, direction: 'debit' | 'credit' | 'either', doc: string): FunctionDefinition {
  return {
    usage: `${name}(window)`,
    example: `${name}("180d")`,
    parameters: onlyWindow,
    exactness: 'exact',
    cost: 'kept',
    doc,
    make([text], scope, fail) {
      const { spanMsMax } = endingWindow(text!, scope, fail, 0);
      asksHistory(scope, fail);
      scope.plan.remember(spanMsMax);
      const lastMs = {
        debit: 'leg.pairLastDebitMs',
        credit: 'leg.pairLastCreditMs',
        either: '(leg.pairLastDebitMs > leg.pairLastCreditMs ? leg.pairLastDebitMs : leg.pairLastCreditMs)',
      }[direction];
      return { type: 'bool', code: `(${lastMs} <= leg.timeMs - ${literal(spanMsMax)})` };
    },
  };
}

function payments(name: string, isDebit: boolean, doc: string): FunctionDefinition {
  return {
    usage: `${name}()`,
    example: `${name}() == 0`,
    parameters: [],
    exactness: 'exact',
    cost: 'kept',
    doc,
    make(_, scope, fail) {
      asksHistory(scope, fail);
      scope.plan.keep('pairCounts');
      return { type: 'number', code: `leg.pairPayments(${isDebit})` };
    },
  };
}

function pause(name: string, isSame: boolean, doc: string): FunctionDefinition {
  return {
    usage: `${name}()`,
    example: `${name}() <= 86400`,
    parameters: [],
    exactness: 'exact',
    cost: 'kept',
    doc,
    make(_, scope, fail) {
      asksHistory(scope, fail);
      scope.plan.remember(pairMemoryMs);
      const last = `leg.lastOfPairMs(${isSame ? 'leg.isDebit' : '!leg.isDebit'})`;
      return { type: 'number', code: `(${last} > ${literal(never)} ? (leg.timeMs - ${last}) / 1000 : 0/0)` };
    },
  };
}

function secondsSince(leg: Evaluation, named: number): number {
  const latestMs = leg.memory.named.latestMs(leg, named, leg.slot);
  return latestMs === -Infinity ? Number.NaN : (leg.timeMs - latestMs) / 1000;
}

const byDays = 'Of `debit`, `credit` and `any` beyond "31d" by calendar days: exact to the day on which the window begins.';

export const windowFunctions: Readonly<Record<string, FunctionDefinition>> = {
  count: aggregate('count', `Number of legs of the stream inside the window, this leg included. ${byDays}`),
  sum: aggregate('sum', `Sum of their amounts in fen. ${byDays}`),
  distinct: aggregate('distinct', 'Number of different counterparties among them.'),
  max: aggregate('max', 'Largest amount among them in fen; unknown where there is none.'),
  min: aggregate('min', 'Smallest amount among them in fen; unknown where there is none.'),
  distinctOf: walk({
    usage: 'distinctOf(stream, "province" | "region" | "hour" | "day" | "month", window)',
    example: 'distinctOf(credit, "province", "24h") >= 3',
    parameters: [
      { name: 'stream', type: 'stream' },
      { name: 'what', type: 'text' },
      { name: 'window', type: 'text' },
    ],
    doc: "Number of different provinces or regions of the counterparties, hours, days or months among the legs. Hours are those of the calendar: nine o'clock on two days is two.",
    make(args, scope, fail) {
      const what = args[1]!;
      const kind = what.type === 'text' ? what.constant : undefined;
      if (!kind || !(placeKinds as readonly string[]).includes(kind))
        fail(1, `expected ${placeKinds.map((known) => `"${known}"`).join(', ')}`);
      const source = walkOf(args, scope, fail, 2);
      return { type: 'number', code: callHelper(scope, (leg) => distinctPlaces(leg, source, kind as PlaceKind)) };
    },
  }),
  pairCount: ofPair('pairCount', 'Number of legs of the stream with this counterparty inside the window, this leg included.'),
  pairSum: ofPair('pairSum', 'Sum of their amounts in fen.'),
  matched: walk({
    usage: 'matched(stream, window, tolerance)',
    example: 'matched(credit, "30d", 0.01)',
    parameters: withTolerance,
    doc: 'An earlier leg of the stream with this counterparty inside the window has this amount, within the tolerance (a share).',
    make(args, scope, fail) {
      checkShare(args[2], fail, 2);
      const source = pairWalkOf(args, scope, fail);
      return { type: 'bool', code: callHelper(scope, (leg, share) => matched(leg, source, share), codeOf(args[2])) };
    },
  }),
  similar: similarity('similar', false),
  pairSimilar: similarity('pairSimilar', true),
  cv: spread('cv', false),
  pairCv: spread('pairCv', true),
  mode: modal('mode', 'Share of the most frequent amount among the legs, 0 to 1.'),
  modeCount: modal('modeCount', 'How many legs have the most frequent amount.'),
  rising: walk({
    usage: 'rising(stream, window, factor)',
    example: 'rising(debit, "14d", 1.5) >= 3',
    parameters: [...streamAndWindow, { name: 'factor', type: 'number' }],
    doc: 'Length of the run of legs with this counterparty that ends in this one, each at least `factor` times the one before.',
    make(args, scope, fail) {
      const source = pairWalkOf(args, scope, fail);
      return { type: 'number', code: callHelper(scope, (leg, factor) => rising(leg, source, factor), codeOf(args[2])) };
    },
  }),
  repeated: walk({
    usage: 'repeated(stream, gap, window)',
    example: 'repeated(credit, "20d", "31d") >= 5',
    parameters: [
      { name: 'stream', type: 'stream' },
      { name: 'gap', type: 'text' },
      { name: 'window', type: 'text' },
    ],
    doc: 'Number of counterparties with two legs of the stream in the window that lie at least `gap` apart.',
    make(args, scope, fail) {
      const gap = endingWindow(args[1]!, scope, fail, 1);
      const source = walkOf(args, scope, fail, 2);
      return { type: 'number', code: callHelper(scope, (leg) => repeated(leg, source, gap.spanMsMax)) };
    },
  }),
  recent: walk({
    usage: 'recent("round" | "lucky" | "tail", legs)',
    example: 'recent("round", 20) >= 14',
    parameters: [
      { name: 'what', type: 'text' },
      { name: 'legs', type: 'number' },
    ],
    doc: "How many of the account's latest legs are whole thousands of yuan, lucky amounts, or differ in their fen alone; unknown with fewer legs.",
    make([what, most], scope, fail) {
      const kind = what!.type === 'text' ? what!.constant : undefined;
      if (!kind || !(recentKinds as readonly string[]).includes(kind)) fail(0, 'expected "round", "lucky" or "tail"');
      const legs = most!.type === 'number' ? most!.constant : undefined;
      if (legs === undefined || !Number.isInteger(legs) || legs < 2 || legs > 100)
        fail(1, 'expected a whole number from 2 to 100');
      asksHistory(scope, fail);
      scope.plan.lookBack(chainMsMax);
      return { type: 'number', code: callHelper(scope, (leg) => recent(leg, kind as RecentKind, legs!)) };
    },
  }),
  lucky: {
    usage: 'lucky(number)',
    example: 'lucky(tx.amountFen)',
    parameters: [{ name: 'amountFen', type: 'number' }],
    exactness: 'exact',
    cost: 'kept',
    doc: 'The amount is one of 666, 888, 999, 520, 521, 1314, 168 … yuan, with any number of noughts behind.',
    make: ([value], scope) => ({ type: 'bool', code: callHelper(scope, (_, amountFen) => isLucky(amountFen), codeOf(value)) }),
  },
  newPayee: newness('newPayee', 'debit', 'The account has not paid this counterparty within the window before.'),
  newPayer: newness('newPayer', 'credit', 'This counterparty has not paid the account within the window before.'),
  newContact: newness('newContact', 'either', 'Neither has paid the other within the window before.'),
  paidBefore: payments(
    'paidBefore',
    true,
    'Payments of the account to this counterparty before this leg, while the pair is remembered (400 days).',
  ),
  receivedBefore: payments('receivedBefore', false, 'Payments of this counterparty to the account before this leg.'),
  gap: pause('gap', true, 'Seconds since the last payment between the two in the same direction; unknown without one.'),
  reverseGap: pause('reverseGap', false, 'Seconds since the last payment in the opposite direction; unknown without one.'),
  now: {
    usage: 'now(stream)',
    example: 'now(feePayments)',
    parameters: [{ name: 'stream', type: 'stream' }],
    exactness: 'exact',
    cost: 'kept',
    doc: 'This leg belongs to the named stream.',
    make([typed], scope, fail) {
      const stream = streamOf(typed!);
      if (stream.index < 0) fail(0, 'expected a stream of the pattern; leg.isDebit tells debits from credits');
      const of = scope.plan.streams[stream.index]?.of;
      if (of === 'day' || of === 'lots') fail(0, 'closed days and spent lots are no legs');
      asksHistory(scope, fail);
      return { type: 'bool', code: `(leg.joined[${stream.index}] === leg.legNumber)` };
    },
  },
  since: {
    usage: 'since(stream)',
    example: 'since(feePayments) <= 3600',
    parameters: [{ name: 'stream', type: 'stream' }],
    exactness: 'exact',
    cost: 'look-up',
    doc: 'Seconds since the latest leg of the named stream before this one, within 400 days; unknown without one.',
    make([typed], scope, fail) {
      const stream = streamOf(typed!);
      if (stream.index < 0) fail(0, 'expected a stream of the pattern; use gap() or idle(window) for all legs');
      const window = parseWindow('400d', scope.workingDays);
      if ('problem' in window) return fail(0, window.problem);
      const { named } = sourceOf(stream, window, scope, fail);
      return {
        type: 'number',
        code: callHelper(scope, secondsSince, literal(named)),
      };
    },
  },
  idle: {
    usage: 'idle(window)',
    example: 'idle("180d")',
    parameters: onlyWindow,
    exactness: 'exact',
    cost: 'kept',
    doc: 'The account was seen before, but not within the window before this leg.',
    make([text], scope, fail) {
      const { spanMsMax } = endingWindow(text!, scope, fail, 0);
      asksHistory(scope, fail);
      scope.plan.remember(spanMsMax);
      return {
        type: 'bool',
        code: `(leg.previousLegMs > ${literal(never)} && leg.previousLegMs <= leg.timeMs - ${literal(spanMsMax)})`,
      };
    },
  },
  ...summaryFunctions,
};
