import { accountKinds, transactionStatuses } from '../../domain/transaction.js';
import { sharedKinds } from '../../domain/reference.js';
import { type Evaluation, partyText, textPlace } from '../evaluation.js';
import { type About, callHelper, partyCode, type Typed, type Who } from '../typed-code.js';
import type { FieldDefinition } from './definitions.js';
import { caseLevelOf } from './knowledge.js';
import { loginFields } from './profiles.js';

/** Fields: what stands in the transaction, and what is known without asking about a window. */

const kinds = ['unknown', ...accountKinds];

export function numberField(doc: string, unit: string, code: string, about?: About): FieldDefinition {
  return { type: 'number', unit, doc, make: () => ({ type: 'number', code }), ...(about ? { about } : {}) };
}

export function boolField(doc: string, code: string, about?: About): FieldDefinition {
  return { type: 'bool', doc, make: () => ({ type: 'bool', code }), ...(about ? { about } : {}) };
}

/** `known` is code that gives the `SpanText`. */
function textField(doc: string, known: string): FieldDefinition {
  return { type: 'text', doc, make: () => ({ type: 'text', code: `${known}.text`, known }) };
}

function enumField(doc: string, names: readonly string[], code: string, about?: About): FieldDefinition {
  return {
    type: 'enum',
    doc: `${doc}: ${names.map((name) => `"${name}"`).join(', ')}`,
    make: (): Typed => ({ type: 'enum', names, code }),
    ...(about ? { about } : {}),
  };
}

function wordField(doc: string, about: About, read: (leg: Evaluation) => string): FieldDefinition {
  return { type: 'text', doc, about, make: (scope) => ({ type: 'text', code: callHelper(scope, read) }) };
}

function partyFields(prefix: Who, who: string): Record<string, FieldDefinition> {
  const code = partyCode[prefix];
  return {
    [`${prefix}.kind`]: enumField(`Kind of ${who}`, kinds, `${code}.kind`),
    [`${prefix}.province`]: numberField(
      `Province of ${who}, first two digits of its region; 0 unknown`,
      'GB/T 2260',
      `${code}.province`,
    ),
    [`${prefix}.region`]: numberField(`Region of ${who}, six digits; 0 unknown`, 'GB/T 2260', `${code}.region`),
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
    [`${prefix}.name`]: textField(`Name of the holder of ${who}`, partyTextOf(code, partyText.name)),
    [`${prefix}.bank`]: textField(`Bank number of ${who}`, partyTextOf(code, partyText.bank)),
    [`${prefix}.creditCode`]: textField(
      `Unified social credit code of the holder of ${who}`,
      partyTextOf(code, partyText.creditCode),
    ),
  };
}

function partyTextOf(code: string, place: number): string {
  return `leg.textAt((${code} === view.payer ? ${textPlace.payer} : ${textPlace.payee}) + ${place})`;
}

const minuteOfDay = '((leg.timeMs + 28800000) % 86400000 - (leg.timeMs + 28800000) % 60000 % 60000) / 60000';

const arrivalNumbers: readonly (readonly [string, string, string, string])[] = [
  ['hops', 'hops', 'Payments of the longest path that arrives', 'payments'],
  ['quick', 'quick', 'Longest chain of quick hops at its end: each passed on at least 80 % within 30 minutes', 'payments'],
  ['caseLevel', 'caseLevel', 'Case level that the account got by this payment; unknown if none', 'levels'],
  ['caseSeconds', 'caseSeconds', 'Time since the payer got its case level', 'seconds'],
  ['cycle', 'cycle', "Payments of the cycle in which one of the account's own traces comes back; 0 none", 'payments'],
  ['cycleShare', 'cycleShare', 'This amount as a share of what had left', 'share'],
  ['cycleSeconds', 'cycleSeconds', 'How long the cycle took', 'seconds'],
  ['circleHops', 'circleHops', "Payments until a trace came to its origin's own circle", 'payments'],
  ['circleShare', 'circleShare', 'This amount as a share of what had left', 'share'],
  ['circleSeconds', 'circleSeconds', 'How long that took', 'seconds'],
  ['payerNew', 'payerNew', 'New counterparties that the payer had paid in 7 days', 'accounts'],
];

const arrivalFields = Object.fromEntries(
  arrivalNumbers.map(([name, property, doc, unit]) => [
    `carried.${name}`,
    numberField(doc, unit, `leg.arrival.${property}`, 'arrival'),
  ]),
);

export const fields: Readonly<Record<string, FieldDefinition>> = {
  'tx.amountFen': numberField('Amount', 'fen', 'view.amountFen'),
  'tx.hour': numberField('Hour of the day in Asia/Shanghai, 0 to 23', 'hours', 'leg.hour'),
  'tx.minute': numberField('Minute of the day in Asia/Shanghai, 0 to 1,439', 'minutes', `(${minuteOfDay})`),
  'tx.weekday': numberField('Day of the week, 1 Monday to 7 Sunday', 'days', '((leg.day + 3) % 7 + 1)'),
  'tx.status': enumField('Status (failed and reversed transactions are never scored)', transactionStatuses, 'view.status'),
  'tx.isCny': boolField('The currency is CNY', 'view.isCny'),
  'leg.isDebit': boolField('The account pays on this leg', 'leg.isDebit'),
  'tx.remark': textField('Remark (附言)', 'leg.remark'),
  'tx.channel': textField('Channel, such as ebank or counter', 'leg.channel'),
  'tx.ip': textField('IP address of the session', `leg.textAt(${textPlace.ip})`),
  'tx.device': textField('Device number', `leg.textAt(${textPlace.device})`),
  'tx.mac': textField('MAC address', `leg.textAt(${textPlace.mac})`),
  'tx.operator': textField('Who entered the payment (经办人)', `leg.textAt(${textPlace.operator})`),
  ...partyFields('self', 'the account whose leg is scored'),
  ...partyFields('other', 'the counterparty'),
  ...partyFields('payer', "the payer's account"),
  ...partyFields('payee', "the payee's account"),
  'self.balanceBeforeFen': numberField(
    'Balance of the account before the transaction',
    'fen',
    '(leg.isDebit ? self.balanceFen + view.amountFen : self.balanceFen - view.amountFen)',
  ),
  'self.caseLevel': {
    type: 'number',
    unit: 'levels',
    doc: 'Level of the account in a case: 0 took the money of a victim, 1 got it from there …; unknown if none',
    make(scope) {
      scope.plan.keep('traces');
      const list = scope.plan.list('case-accounts');
      return { type: 'number', code: callHelper(scope, (leg) => caseLevelOf(leg, list)) };
    },
  },
  'day.debitFen': numberField('Sum of the debits of the day that has closed', 'fen', 'leg.dayDebitFen', 'day'),
  'day.creditFen': numberField('Sum of its credits', 'fen', 'leg.dayCreditFen', 'day'),
  'day.turnoverFen': numberField('Debits and credits together', 'fen', '(leg.dayDebitFen + leg.dayCreditFen)', 'day'),
  'day.count': numberField('Number of its legs', 'legs', 'leg.dayCount', 'day'),
  'day.balanceFen': numberField('Last balance known at its end', 'fen', 'leg.dayBalanceFen', 'day'),
  'lot.amountFen': numberField('Amount of the credit that was spent', 'fen', 'leg.lotAmountFen', 'lots'),
  'lot.dwellSeconds': numberField('How long it had stayed', 'seconds', '(leg.lotDwellMs / 1000)', 'lots'),
  ...arrivalFields,
  'carried.circle': boolField(
    "A trace has come to its origin's own circle: its legal representative, or an account with the same one",
    'leg.arrival.isCircle',
    'arrival',
  ),
  'use.kind': enumField('What is shared', sharedKinds, 'leg.useKind', 'use'),
  'use.value': wordField('Its number or name', 'use', (leg) => leg.useValue),
  'record.type': wordField('Type of the reference record', 'record', (leg) => leg.recordType),
  'record.what': wordField('What has changed (account-change)', 'record', (leg) => leg.recordWhat),
  'record.action': wordField('stop, freeze or release (stop-pay)', 'record', (leg) => leg.recordAction),
  ...loginFields,
};
