import { createHash } from 'node:crypto';
import { formatShanghai } from '../domain/bank-day.js';
import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import type { Party, Transaction } from '../domain/transaction.js';
import { encodeTransaction } from '../domain/transaction-record.js';
import { createEngine } from './engine.js';
import type { ExampleTransaction, Pattern, PatternExample } from './pattern.js';
import type { PatternSet } from './pattern-set.js';
import { scanTransaction } from './reader.js';
import { TransactionView } from './transaction-view.js';

/** What became of one example of a pattern file. */
export interface ExampleOutcome {
  readonly pattern: string;
  readonly example: string;
  readonly expected: 'hit' | 'miss';
  readonly found: 'hit' | 'miss';
  readonly explanation?: string;
}

/** Runs a pattern's own examples through the real engine with the whole set loaded. */
export function runExamples(set: PatternSet, pattern: Pattern): ExampleOutcome[] {
  const all = [
    ...pattern.examples.hits.map((example) => ({ example, expected: 'hit' as const })),
    ...pattern.examples.misses.map((example) => ({ example, expected: 'miss' as const })),
  ];
  return all.map(({ example, expected }) => {
    const subject = accountNumber(example.subject);
    const hit = scoreAll(set, exampleTransactions(pattern, example)).find(
      (found) => found.pattern === pattern.id && found.subject.id === subject,
    );
    return {
      pattern: pattern.id,
      example: example.name,
      expected,
      found: hit ? 'hit' : 'miss',
      ...(hit ? { explanation: `${hit.explanation.zh} [${hit.explanation.condition}]` } : {}),
    };
  });
}

function scoreAll(set: PatternSet, transactions: readonly Transaction[]): Hit[] {
  const engine = createEngine(set);
  const view = new TransactionView();
  const hits: Hit[] = [];
  for (const transaction of transactions) {
    const bytes = encodeTransaction(transaction);
    if (!scanTransaction(bytes, 0, bytes.length, view)) throw new Error(`example transaction cannot be read: ${transaction.id}`);
    engine.score(view, role.debit | role.credit, 0, 0, hits);
  }
  return hits;
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The transactions that an example's lines stand for, in time order. */
export function exampleTransactions(pattern: Pattern, example: PatternExample): Transaction[] {
  const transactions = example.transactions.flatMap((line, i) => expand(pattern, line, i));
  return transactions.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
}

function expand(pattern: Pattern, line: ExampleTransaction, lineNumber: number): Transaction[] {
  const startMs = Date.parse(`${line.at.length === 16 ? `${line.at}:00` : line.at}+08:00`.replace(' ', 'T'));
  const everyMs = Number(line.every.slice(0, -1)) * unitMs[line.every.slice(-1) as keyof typeof unitMs];
  return Array.from({ length: line.times }, (_, n) => ({
    id: `example-${lineNumber + 1}-${n + 1}`,
    time: formatShanghai(startMs + n * everyMs),
    amountFen: Math.round(line.yuan * 100),
    currency: 'CNY',
    status: line.status ?? 'settled',
    payer: party(pattern, line.from, n, line.fromBalance),
    payee: party(pattern, line.to, n, line.toBalance),
    ...(line.remark === undefined ? {} : { remark: line.remark }),
  }));
}

function party(pattern: Pattern, template: string, n: number, balance: number | undefined): Party {
  const name = template.replace('{n}', String(n + 1));
  const account = pattern.accounts[template] ?? pattern.accounts[name] ?? patternOf(pattern, name);
  const provinces = account?.province;
  const province = Array.isArray(provinces) ? provinces[n % provinces.length] : provinces;
  return {
    account: accountNumber(name),
    name,
    ...(account?.kind ? { kind: account.kind } : {}),
    ...(province === undefined ? {} : { region: `${province}0000` }),
    ...(account?.openedOn ? { openedOn: account.openedOn } : {}),
    ...(balance === undefined ? {} : { balanceFen: Math.round(balance * 100) }),
  };
}

/** `p1` written out is described by `p{n}`. */
function patternOf(pattern: Pattern, name: string): Pattern['accounts'][string] | undefined {
  const found = Object.entries(pattern.accounts).find(
    ([key]) => key.includes('{n}') && new RegExp(`^${key.replace('{n}', '\\d+')}$`).test(name),
  );
  return found?.[1];
}

/** A made-up account number for a name in an example: sixteen digits, always the same. */
function accountNumber(name: string): string {
  return `9${BigInt(`0x${createHash('sha256').update(name).digest('hex').slice(0, 16)}`)
    .toString()
    .padStart(15, '0')
    .slice(0, 15)}`;
}
