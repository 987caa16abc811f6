import { accountChanges } from '../../domain/reference.js';
import type { Evaluation } from '../evaluation.js';
import { literal } from '../generated.js';
import { callHelper, partyCode, type Typed } from '../typed-code.js';
import { openedKey } from '../shared-firms.js';
import { hashBytes, type PartyView } from '../transaction-view.js';
import { asksHistory, checkShare, codeOf, endingWindow, type Fail, type FunctionDefinition, onlyWindow } from './definitions.js';
import { ownProfile } from './profiles.js';

/** What is known besides transactions: lists, profiles, account changes, logins, names, devices, and paths of money. */

/** An account is on a list by its number, or by the credit code of its holder. Asked once a payment. */
export function isListed(leg: Evaluation, party: PartyView, list: number): boolean {
  const at = party === leg.view.payer ? list : leg.memory.listNumbers.length + list;
  const listed = leg.listedByNow;
  if (listed[at] === 0) listed[at] = isOnList(leg, party, leg.memory.listNumbers[list]!) ? 2 : 1;
  return listed[at] === 2;
}

/** `list` is the engine's own number of it. */
export function isOnList(leg: Evaluation, party: PartyView, list: number): boolean {
  const { lists } = leg.memory;
  if (!lists.isKnown(list)) return false;
  const { accountStart, accountEnd, accountHash, creditCodeStart, creditCodeEnd } = party;
  const { view, timeMs } = leg;
  if (lists.hasBytes(list, view.bytes, accountStart, accountEnd, accountHash, timeMs)) return true;
  return (
    creditCodeStart >= 0 &&
    lists.hasBytes(
      list,
      view.bytes,
      creditCodeStart,
      creditCodeEnd,
      hashBytes(view.bytes, creditCodeStart, creditCodeEnd),
      timeMs,
    )
  );
}

export function caseLevelOf(leg: Evaluation, list: number): number {
  return isListed(leg, leg.self, list) ? 0 : leg.memory.traces.caseLevel(leg.subject, leg.timeMs);
}

const lookUp = { exactness: 'exact', cost: 'look-up' } as const;

/** A list of names of account changes as a set of bits. */
function changeKinds(typed: Typed | undefined, fail: Fail): number {
  const words = typed?.type === 'list' ? typed.words : [];
  return words.reduce((bits, word) => {
    const at = (accountChanges as readonly string[]).indexOf(word);
    if (at < 0) fail(0, `"${word}" is no account change; expected ${accountChanges.map((known) => `"${known}"`).join(', ')}`);
    return bits | (1 << at);
  }, 0);
}

const kindsAndWindow = [
  { name: 'kinds', type: 'list' },
  { name: 'window', type: 'text' },
] as const;

type Shared = 'device' | 'ip' | 'mac' | 'operator';
const sharedNumbers: Readonly<Record<Shared, number>> = { device: 0, ip: 1, mac: 2, operator: 3 };

function isNewShared(leg: Evaluation, kind: number, spanMs: number): boolean {
  const key = leg.sharedKeys[kind]!;
  if (key === 0) return false;
  const { uses } = leg.memory;
  return uses.hasOthers(leg.subject, kind, key) && uses.lastMs(leg.subject, kind, key) <= leg.timeMs - spanMs;
}

function newShared(name: string, shared: Shared): FunctionDefinition {
  return {
    ...lookUp,
    usage: `${name}(window)`,
    example: `${name}("90d")`,
    parameters: onlyWindow,
    doc: `The payment names its ${shared}, the account has used others before, and not this one within the window.`,
    make([text], scope, fail) {
      const { spanMsMax } = endingWindow(text!, scope, fail, 0);
      asksHistory(scope, fail);
      scope.plan.keep('uses');
      scope.plan.remember(spanMsMax);
      const kind = sharedNumbers[shared];
      return {
        type: 'bool',
        code: callHelper(scope, isNewShared, literal(kind), literal(spanMsMax)),
      };
    },
  };
}

function named(
  name: string,
  read: (found: { readonly count: number; readonly sumFen: number }) => number,
  doc: string,
): FunctionDefinition {
  return {
    exactness: 'exact',
    cost: 'walk',
    usage: `${name}(similarity, window)`,
    example: `${name}(0.92, "365d") >= 3`,
    parameters: [
      { name: 'similarity', type: 'number' },
      { name: 'window', type: 'text' },
    ],
    doc,
    make([similarity, text], scope, fail) {
      checkShare(similarity, fail, 0);
      const { spanMsMax } = endingWindow(text!, scope, fail, 1);
      asksHistory(scope, fail);
      scope.plan.keep('names');
      scope.plan.remember(spanMsMax);
      return {
        type: 'number',
        code: callHelper(
          scope,
          (leg, wanted) => {
            const { other, view, memory } = leg;
            const holder = view.text(other.nameStart, other.nameEnd);
            if (holder === '') return Number.NaN;
            return read(
              memory.names.resembling(leg.subject, leg.otherNumber, holder, wanted, leg.timeMs - spanMsMax, leg.timeMs),
            );
          },
          codeOf(similarity),
        ),
      };
    },
  };
}

function stop(name: 'stopped' | 'kinStopped', doc: string): FunctionDefinition {
  return {
    ...lookUp,
    usage: `${name}(window)`,
    example: `${name}("24h")`,
    parameters: onlyWindow,
    doc,
    make([text], scope, fail) {
      const { spanMsMax } = endingWindow(text!, scope, fail, 0);
      if (name === 'kinStopped') scope.plan.keep('kin');
      const ask = name === 'stopped' ? 'isStopped' : 'isKinStopped';
      return {
        type: 'bool',
        code: `leg.memory.records.${ask}(leg.subject, leg.timeMs - ${literal(spanMsMax)}, leg.timeMs)`,
      };
    },
  };
}

function isEmployee(leg: Evaluation, party: PartyView): boolean {
  const employees = ownProfile(leg)?.employees;
  if (!employees || employees.size === 0) return false;
  const holder = leg.view.text(party.nameStart, party.nameEnd);
  return (holder !== '' && employees.has(holder)) || employees.has(leg.view.text(party.accountStart, party.accountEnd));
}

function isRelated(leg: Evaluation, party: PartyView): boolean {
  const profile = ownProfile(leg);
  if (!profile) return false;
  const holder = leg.view.text(party.nameStart, party.nameEnd);
  if (holder !== '' && (profile.legalRep === holder || profile.related.has(holder))) return true;
  return profile.related.size > 0 && profile.related.has(leg.view.text(party.accountStart, party.accountEnd));
}

function about(name: 'related' | 'employee', doc: string): FunctionDefinition {
  return {
    ...lookUp,
    usage: `${name}(other)`,
    example: `${name}(other)`,
    parameters: [{ name: 'account', type: 'account' }],
    doc,
    make([account], scope, fail) {
      if (account!.type !== 'account' || account!.who === 'self') return fail(0, `expected the counterparty: ${name}(other)`);
      const { who } = account!;
      return {
        type: 'bool',
        code: callHelper(scope, name === 'employee' ? isEmployee : isRelated, partyCode[who]),
      };
    },
  };
}

function gatheredFrom(name: 'gathered' | 'gatheredOf', doc: string): FunctionDefinition {
  const withHops = name === 'gatheredOf';
  return {
    exactness: 'exact',
    cost: 'walk',
    about: 'arrival',
    usage: withHops ? 'gatheredOf(hops, window)' : 'gathered(window)',
    example: withHops ? 'gatheredOf(2, "24h") >= 5' : 'gathered("7d") >= 3',
    parameters: withHops
      ? [
          { name: 'hops', type: 'number' },
          { name: 'window', type: 'text' },
        ]
      : onlyWindow,
    doc,
    make(args, scope, fail) {
      const at = args.length - 1;
      const { spanMsMax } = endingWindow(args[at]!, scope, fail, at);
      scope.plan.keep('gathered');
      return {
        type: 'number',
        code: callHelper(
          scope,
          (leg, hops) => leg.memory.traces.gathered(leg.subject, hops, leg.timeMs - spanMsMax, leg.timeMs),
          withHops ? codeOf(args[0]) : '0',
        ),
      };
    },
  };
}

function users(what: 'firms' | 'accounts' | 'opened', doc: string): FunctionDefinition {
  return {
    ...lookUp,
    about: 'use',
    usage: `use.${what}(window)`,
    example: `use.${what}("24h") >= 3`,
    parameters: onlyWindow,
    doc,
    make([text], scope, fail) {
      const { spanMsMax } = endingWindow(text!, scope, fail, 0);
      return {
        type: 'number',
        code: callHelper(scope, ({ memory: { firms }, useKey, useKindName, useValue, timeMs }) =>
          what === 'opened'
            ? firms.accounts(openedKey(useKindName, useValue), timeMs - spanMsMax, timeMs)
            : firms[what](useKey, timeMs - spanMsMax, timeMs),
        ),
      };
    },
  };
}

export const knowledgeFunctions: Readonly<Record<string, FunctionDefinition>> = {
  list: {
    ...lookUp,
    usage: 'list(name)',
    example: 'other in list("case-accounts")',
    parameters: [{ name: 'name', type: 'text' }],
    doc: "What stands right of `in`: the account (by number, or its holder's credit code) or the text is on the list at the leg's time. False where nothing was ever sent for the list.",
    make([name], scope, fail) {
      const list = name!.type === 'text' ? name!.constant : undefined;
      if (list === undefined || !/^[a-z][a-z0-9-]{1,39}$/.test(list))
        return fail(0, 'expected the name of a list in quotes, such as "case-accounts"');
      return { type: 'register', list: scope.plan.list(list) };
    },
  },
  profile: {
    ...lookUp,
    usage: 'profile(self)',
    example: 'profile(self).capitalFen < 50000000',
    parameters: [{ name: 'account', type: 'account' }],
    doc: 'The profile of the enterprise that holds the account, with the fields below. Known on the legs of the account itself.',
    make([account], _, fail) {
      if (account!.type !== 'account' || account!.who === 'other')
        return fail(0, 'profiles are known of the account itself: profile(self)');
      return { type: 'profile', who: account!.who };
    },
  },
  changed: {
    ...lookUp,
    usage: 'changed(kinds, window)',
    example: 'changed(["seal", "phone"], "15d")',
    parameters: kindsAndWindow,
    doc: `One of these of the account has changed within the window before the leg: ${accountChanges.join(', ')}.`,
    make([list, text], scope, fail) {
      const kinds = changeKinds(list, fail);
      const { spanMsMax } = endingWindow(text!, scope, fail, 1);
      return {
        type: 'bool',
        code: `(leg.memory.records.changes(leg.subject, ${literal(kinds)}, leg.timeMs - ${literal(spanMsMax)}, leg.timeMs) > 0)`,
      };
    },
  },
  changes: {
    ...lookUp,
    usage: 'changes(kinds, window)',
    example: 'changes(["opened", "closed"], "90d") >= 3',
    parameters: kindsAndWindow,
    doc: 'How many such changes.',
    make([list, text], scope, fail) {
      const kinds = changeKinds(list, fail);
      const { spanMsMax } = endingWindow(text!, scope, fail, 1);
      return {
        type: 'number',
        code: `leg.memory.records.changes(leg.subject, ${literal(kinds)}, leg.timeMs - ${literal(spanMsMax)}, leg.timeMs)`,
      };
    },
  },
  sinceChange: {
    ...lookUp,
    usage: 'sinceChange(kinds)',
    example: 'sinceChange(["limit"]) <= 86400',
    parameters: [{ name: 'kinds', type: 'list' }],
    doc: 'Seconds since the latest such change; unknown without one.',
    make([list], scope, fail) {
      const kinds = changeKinds(list, fail);
      return {
        type: 'number',
        code: `(leg.memory.records.sinceChangeMs(leg.subject, ${literal(kinds)}, leg.timeMs) / 1000)`,
      };
    },
  },
  newDevice: newShared('newDevice', 'device'),
  newIp: newShared('newIp', 'ip'),
  newMac: newShared('newMac', 'mac'),
  newOperator: newShared('newOperator', 'operator'),
  knownName: named(
    'knownName',
    ({ count }) => count,
    "Debits within the window to other accounts whose holder's name equals or resembles this counterparty's (Jaro-Winkler at least `similarity`); persons are not remembered; unknown without a name.",
  ),
  knownNameMeanFen: named(
    'knownNameMeanFen',
    ({ count, sumFen }) => sumFen / (count || Number.NaN),
    'Mean amount of those debits, in fen.',
  ),
  stopped: stop('stopped', 'The account was stopped or frozen within the window, and not released since.'),
  kinStopped: stop('kinStopped', 'So was an account that shares its legal representative, phone, agent or device.'),
  related: about(
    'related',
    "The counterparty is the legal representative or among the related parties in the account's profile.",
  ),
  employee: about('employee', "The counterparty is among the employees in the account's profile."),
  gathered: gatheredFrom(
    'gathered',
    'Different payers that brought a trace of one and the same origin to this account within the window.',
  ),
  gatheredOf: gatheredFrom('gatheredOf', 'The same, with exactly so many payments on the way.'),
  'use.firms': users('firms', 'Different enterprises that used the thing within the window.'),
  'use.accounts': users('accounts', 'Different accounts that used it.'),
  'use.opened': users('opened', 'Accounts that the person or agent opened, as account-change records say.'),
  roundForeign: {
    ...lookUp,
    usage: 'roundForeign(tolerance)',
    example: 'roundForeign(0.001)',
    parameters: [{ name: 'tolerance', type: 'number' }],
    doc: 'The amount is a round sum of a foreign currency at the latest exchange rate: a multiple of half its leading power of ten (10,000 15,000 …), at least 1,000; false without rates.',
    make([tolerance], _, fail) {
      checkShare(tolerance, fail, 0);
      return {
        type: 'bool',
        code: `leg.memory.rates.isRound(view.amountFen, leg.timeMs, ${codeOf(tolerance)})`,
      };
    },
  },
};
