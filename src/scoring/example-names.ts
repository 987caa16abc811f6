import { nearest } from './nearest.js';
import type { PatternExample } from './pattern-example.js';
import type { Pattern } from './pattern.js';

/** The names in a pattern's examples: who bears them, and those that nobody bears. */

/** What is wrong with an example, and where in it: `transactions.0.at`. */
export interface ExampleFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Puts the number of the repetition for every `{n}`. */
export function numbered<T>(value: T, n: number): T {
  if (typeof value === 'string') return value.replaceAll('{n}', String(n + 1)) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => numbered(item, n)) as T;
  if (value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, numbered(item as unknown, n)])) as T;
  return value;
}

/** The account that a name stands for: `p1` written out is described by `p{n}`. */
export function accountNamed({ accounts }: Pattern, template: string, name: string): Pattern['accounts'][string] | undefined {
  for (const key of [template, name]) if (Object.hasOwn(accounts, key)) return accounts[key];
  return Object.entries(accounts).find(([key]) => isNumbered(key, name))?.[1];
}

/** Whether the name is what a repetition makes of the template. Templates are anybody's text: no regular expression is made of one. */
function isNumbered(template: string, name: string): boolean {
  const at = template.indexOf('{n}');
  if (at < 0) return false;
  const digits = /^\d*/.exec(name.slice(at))![0];
  return Array.from(digits, (_, i) => digits.slice(0, i + 1)).some((number) => template.replaceAll('{n}', number) === name);
}

/** Every name of an account in the example: in reference records they stand for the accounts' numbers. */
export function namesIn({ accounts }: Pattern, example: PatternExample): ReadonlySet<string> {
  return new Set([...Object.keys(accounts).filter((name) => !name.includes('{n}')), ...partiesIn(example)]);
}

function partiesIn({ transactions }: PatternExample): Set<string> {
  const names = new Set<string>();
  for (const line of transactions) {
    for (let n = 0; n < line.times; n++) {
      if (!('record' in line)) names.add(numbered(line.from, n)).add(numbered(line.to, n));
    }
  }
  return names;
}

/** A misspelt name is another account, of which any example would say that it is not hit. */
export function nameFaults(pattern: Pattern, example: PatternExample): ExampleFault[] {
  const faults: ExampleFault[] = [];
  const parties = partiesIn(example);
  const declared = Object.keys(pattern.accounts);
  const inRecords = new Set<string>();
  for (const [i, line] of example.transactions.entries()) {
    if ('record' in line) {
      const { account } = line.record;
      if (typeof account !== 'string') continue;
      for (let n = 0; n < line.times; n++) inRecords.add(numbered(account, n));
      if (!parties.has(numbered(account, 0)) && !accountNamed(pattern, account, numbered(account, 0)))
        faults.push({ path: ['transactions', i, 'record', 'account'], message: undeclared(account, declared) });
      continue;
    }
    for (const end of ['from', 'to'] as const) {
      const isDeclared = (n: number) => accountNamed(pattern, line[end], numbered(line[end], n));
      if (!isDeclared(0) || !isDeclared(line.times - 1))
        faults.push({ path: ['transactions', i, end], message: undeclared(line[end], declared) });
    }
  }
  const { subject } = example;
  const isThere = pattern.on === 'use' ? isSaid(example.transactions, subject) : parties.has(subject) || inRecords.has(subject);
  if (!isThere)
    faults.push({
      path: ['subject'],
      message: `no line of the example has "${subject}"${nearest(subject, [...parties, ...inRecords])}`,
    });
  return faults;
}

function undeclared(name: string, declared: readonly string[]): string {
  return `"${name}" is not among the accounts${nearest(name, declared)}`;
}

/** A shared thing is a text somewhere in the lines: a device, an operator, a phone of a profile. */
function isSaid(value: unknown, text: string): boolean {
  if (typeof value === 'string') return value === text || (value.includes('{n}') && isNumbered(value, text));
  return value !== null && typeof value === 'object' && Object.values(value).some((item) => isSaid(item, text));
}
