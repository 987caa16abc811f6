import { createHash } from 'node:crypto';
import { formatShanghai } from '../domain/bank-day.js';
import { isEventTime } from '../domain/event-time.js';
import { creditCodeCheckCharacter, organisationCheckCharacter } from '../domain/credit-code.js';
import { type Reference, referenceSchema } from '../domain/reference.js';
import { type Party, type Transaction, transactionSchema } from '../domain/transaction.js';
import { accountNamed, type ExampleFault, nameFaults, namesIn, numbered } from './example-names.js';
import type { ExampleRecord, ExampleTransaction, PatternExample } from './pattern-example.js';
import type { Pattern } from './pattern.js';

/** Turns the lines of a pattern's example into a stream of transactions and reference records. */

export type ExampleItem =
  | { readonly kind: 'transaction'; readonly timeMs: number; readonly transaction: Transaction }
  | { readonly kind: 'reference'; readonly timeMs: number; readonly reference: Reference };

export type ExampleStream =
  | { readonly kind: 'stream'; readonly items: readonly ExampleItem[] }
  | { readonly kind: 'broken'; readonly faults: readonly ExampleFault[] };

type Fail = (path: readonly (string | number)[], message: string) => void;

/** In time order; lines of one instant in the order of the file. */
export function exampleStream(pattern: Pattern, example: PatternExample): ExampleStream {
  const names = namesIn(pattern, example);
  const faults: ExampleFault[] = nameFaults(pattern, example);
  const items = example.transactions.flatMap((line, i): ExampleItem[] => {
    const fail: Fail = (path, message) => faults.push({ path: ['transactions', i, ...path], message });
    const times = timesOf(line, fail);
    if (times.length === 0) return [];
    return 'record' in line ? records(line, times, i, names, fail) : transactions(pattern, line, times, i, fail);
  });
  if (faults.length > 0) return { kind: 'broken', faults };
  return { kind: 'stream', items: items.toSorted((a, b) => a.timeMs - b.timeMs) };
}

/** A made-up account number for a name in an example: sixteen digits, always the same. */
export function accountNumber(name: string): string {
  return `9${digitsOf(name, 15)}`;
}

function digitsOf(name: string, count: number): string {
  return BigInt(`0x${createHash('sha256').update(name).digest('hex').slice(0, 16)}`)
    .toString()
    .padStart(count, '0')
    .slice(0, count);
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The instants of a line that is repeated; none where there is no such instant. */
function timesOf({ at, times, every }: { at: string; times: number; every: string }, fail: Fail): number[] {
  const local = `${at.length === 16 ? `${at}:00` : at}+08:00`.replace(' ', 'T');
  const startMs = Date.parse(local);
  // The thirtieth of February is read as a day in March.
  if (Number.isNaN(startMs) || formatShanghai(startMs) !== local) {
    fail(['at'], `there is no day and time ${at}`);
    return [];
  }
  const everyMs = Number(every.slice(0, -1)) * unitMs[every.slice(-1) as keyof typeof unitMs];
  if (!isEventTime(startMs)) {
    fail(['at'], `${at} lies before 1992 or after 2199`);
    return [];
  }
  if (!isEventTime(startMs + (times - 1) * everyMs)) {
    fail(['every'], 'the last repetition comes after 2199');
    return [];
  }
  return Array.from({ length: times }, (_, n) => startMs + n * everyMs);
}

function transactions(
  pattern: Pattern,
  line: ExampleTransaction,
  times: readonly number[],
  lineNumber: number,
  fail: Fail,
): ExampleItem[] {
  const made = times.map((timeMs, n) => transactionOf(pattern, line, timeMs, lineNumber, n));
  // Between the first and the last the numbers alone differ.
  for (const transaction of new Set([made[0]!, made.at(-1)!])) {
    const result = transactionSchema.safeParse(transaction);
    if (result.success) continue;
    for (const { path, message } of result.error.issues) {
      const [field, ofParty] = path as string[];
      const inLine = lineFields[path.join('.')] ?? lineFields[field!];
      if (inLine === undefined) fail([field!], message);
      else fail([inLine], inLine === lineFields[field!] && ofParty ? `${ofParty}: ${message}` : message);
    }
    return [];
  }
  return made.map((transaction, n) => ({ kind: 'transaction', timeMs: times[n]!, transaction }));
}

/** Fields of a transaction under the names that they have in a line. */
const lineFields: Readonly<Record<string, string>> = {
  amountFen: 'yuan',
  payer: 'from',
  payee: 'to',
  'payer.name': 'fromName',
  'payee.name': 'toName',
  'payer.balanceFen': 'fromBalance',
  'payee.balanceFen': 'toBalance',
};

function transactionOf(pattern: Pattern, line: ExampleTransaction, timeMs: number, lineNumber: number, n: number): Transaction {
  return {
    id: `example-${lineNumber + 1}-${n + 1}`,
    time: formatShanghai(timeMs),
    amountFen: Math.round(line.yuan * 100),
    currency: line.currency ?? 'CNY',
    status: line.status ?? 'settled',
    payer: party(pattern, line.from, n, line.fromBalance, line.fromName),
    payee: party(pattern, line.to, n, line.toBalance, line.toName),
    ...(line.remark === undefined ? {} : { remark: line.remark }),
    ...(line.channel === undefined ? {} : { channel: line.channel }),
    ...(line.device === undefined ? {} : { device: numbered(line.device, n) }),
    ...(line.operator === undefined ? {} : { operator: numbered(line.operator, n) }),
  };
}

function party(pattern: Pattern, template: string, n: number, balance: number | undefined, holder: string | undefined): Party {
  const name = numbered(template, n);
  const account = accountNamed(pattern, template, name);
  const province = dealt(account?.province, n);
  const region = dealt(account?.region, n) ?? (province === undefined ? undefined : `${province}0000`);
  const creditCode = account?.creditCode === 'auto' ? creditCodeOf(name) : account?.creditCode;
  return {
    account: accountNumber(name),
    name: numbered(holder ?? account?.name ?? name, n),
    ...(account?.kind ? { kind: account.kind } : {}),
    ...(creditCode ? { creditCode } : {}),
    ...(region === undefined ? {} : { region }),
    ...(account?.openedOn ? { openedOn: account.openedOn } : {}),
    ...(balance === undefined ? {} : { balanceFen: Math.round(balance * 100) }),
  };
}

function dealt<T>(value: T | T[] | undefined, n: number): T | undefined {
  return Array.isArray(value) ? value[n % value.length] : value;
}

function creditCodeOf(name: string): string {
  const organisation = digitsOf(name, 8);
  const body = `91410100${organisation}${organisationCheckCharacter(organisation)}`;
  return `${body}${creditCodeCheckCharacter(body)}`;
}

function records(
  line: ExampleRecord,
  times: readonly number[],
  lineNumber: number,
  names: ReadonlySet<string>,
  fail: Fail,
): ExampleItem[] {
  const number = (value: unknown): unknown => (typeof value === 'string' && names.has(value) ? accountNumber(value) : value);
  const numbers = (value: unknown): unknown => (Array.isArray(value) ? value.map(number) : value);
  const items: ExampleItem[] = [];
  for (const [n, timeMs] of times.entries()) {
    const { account, entries, related, employees, ...rest } = numbered(line.record as Record<string, unknown>, n);
    const found = referenceSchema.safeParse({
      id: `example-${lineNumber + 1}-${n + 1}`,
      time: formatShanghai(timeMs),
      ...rest,
      ...(account === undefined ? {} : { account: accountNumber(typeof account === 'string' ? account : '') }),
      ...(entries === undefined ? {} : { entries: numbers(entries) }),
      ...(related === undefined ? {} : { related: numbers(related) }),
      ...(employees === undefined ? {} : { employees: numbers(employees) }),
    });
    if (!found.success) {
      for (const { path, message } of found.error.issues) fail(['record', ...(path as (string | number)[])], message);
      return [];
    }
    items.push({ kind: 'reference', timeMs, reference: found.data });
  }
  return items;
}
