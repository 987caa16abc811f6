import { createHash } from 'node:crypto';
import { formatShanghai } from '../domain/bank-day.js';
import { creditCodeCheckCharacter, organisationCheckCharacter } from '../domain/credit-code.js';
import { type Reference, referenceSchema } from '../domain/reference.js';
import type { Party, Transaction } from '../domain/transaction.js';
import type { ExampleRecord, ExampleTransaction, PatternExample } from './pattern-example.js';
import type { Pattern } from './pattern.js';

/** Turns the lines of a pattern's example into a stream of transactions and reference records. */

export type ExampleItem =
  | { readonly kind: 'transaction'; readonly timeMs: number; readonly transaction: Transaction }
  | { readonly kind: 'reference'; readonly timeMs: number; readonly reference: Reference };

/** In time order; lines of one instant in the order of the file. Throws `Error` for a record that no schema takes. */
export function exampleStream(pattern: Pattern, example: PatternExample): ExampleItem[] {
  const names = namesIn(pattern, example);
  const items = example.transactions.flatMap((line, i): ExampleItem[] =>
    'record' in line ? records(line, i, names, example) : transactions(pattern, line, i),
  );
  return items.toSorted((a, b) => a.timeMs - b.timeMs);
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

/** The instants of a line that is repeated. */
function timesOf({ at, times, every }: { at: string; times: number; every: string }): number[] {
  const startMs = Date.parse(`${at.length === 16 ? `${at}:00` : at}+08:00`.replace(' ', 'T'));
  const everyMs = Number(every.slice(0, -1)) * unitMs[every.slice(-1) as keyof typeof unitMs];
  return Array.from({ length: times }, (_, n) => startMs + n * everyMs);
}

function transactions(pattern: Pattern, line: ExampleTransaction, lineNumber: number): ExampleItem[] {
  return timesOf(line).map((timeMs, n) => ({
    kind: 'transaction',
    timeMs,
    transaction: {
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
    },
  }));
}

/** Puts the number of the repetition for every `{n}`. */
function numbered<T>(value: T, n: number): T {
  if (typeof value === 'string') return value.replaceAll('{n}', String(n + 1)) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => numbered(item, n)) as T;
  if (value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, numbered(item as unknown, n)])) as T;
  return value;
}

function party(pattern: Pattern, template: string, n: number, balance: number | undefined, holder: string | undefined): Party {
  const name = numbered(template, n);
  const account = pattern.accounts[template] ?? pattern.accounts[name] ?? patternOf(pattern, name);
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

/** `p1` written out is described by `p{n}`. */
function patternOf(pattern: Pattern, name: string): Pattern['accounts'][string] | undefined {
  const found = Object.entries(pattern.accounts).find(([key]) => isNumbered(key, name));
  return found?.[1];
}

/** Whether the name is what a repetition makes of the template. Templates are anybody's text: no regular expression is made of one. */
function isNumbered(template: string, name: string): boolean {
  const at = template.indexOf('{n}');
  if (at < 0) return false;
  const digits = /^\d*/.exec(name.slice(at))![0];
  return Array.from(digits, (_, i) => digits.slice(0, i + 1)).some((number) => template.replaceAll('{n}', number) === name);
}

/** Every name of an account in the example: in reference records they stand for the accounts' numbers. */
function namesIn(pattern: Pattern, example: PatternExample): ReadonlySet<string> {
  const names = new Set(Object.keys(pattern.accounts).filter((name) => !name.includes('{n}')));
  for (const line of example.transactions) {
    if ('record' in line) continue;
    for (let n = 0; n < line.times; n++) names.add(numbered(line.from, n)).add(numbered(line.to, n));
  }
  return names;
}

function records(line: ExampleRecord, lineNumber: number, names: ReadonlySet<string>, example: PatternExample): ExampleItem[] {
  const number = (value: unknown): unknown => (typeof value === 'string' && names.has(value) ? accountNumber(value) : value);
  const numbers = (value: unknown): unknown => (Array.isArray(value) ? value.map(number) : value);
  return timesOf(line).map((timeMs, n): ExampleItem => {
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
    if (found.success) return { kind: 'reference', timeMs, reference: found.data };
    const issue = found.error.issues[0];
    throw new Error(`example "${example.name}", line ${lineNumber + 1}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  });
}
