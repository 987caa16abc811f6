/**
 * Recall by typology on the laundering attempts of AMLworld HI-Small (IBM, NeurIPS 2023), converted to this program's records.
 * `npx tsx bench/amlworld.ts FOLDER [OUT]`: FOLDER holds `laundering.csv.gz` with the columns
 * `seq,ts,payer,payer_bank,payee,payee_bank,amount,ccy,kind,label,typology,case_id`, and may hold `transactions_first1000.csv` with
 * harmless ones; the records and labels are kept in OUT where it is given. What the numbers mean stands in docs/evaluation.md.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describeEvaluation } from '../src/commands/evaluation-tables.js';
import { readPatterns } from '../src/commands/files.js';
import { createFileScorer } from '../src/pipeline/score-file.js';
import { createEvaluator, labelSchema } from '../src/pipeline/score-evaluation.js';

/** Yuan for one unit, about as in September 2022: the patterns' thresholds are in yuan. */
const yuanFor: Readonly<Record<string, number>> = {
  'Australian Dollar': 4.7,
  Bitcoin: 140_000,
  'Brazil Real': 1.33,
  'Canadian Dollar': 5.3,
  Euro: 7.0,
  'Mexican Peso': 0.35,
  Ruble: 0.116,
  Rupee: 0.088,
  'Saudi Riyal': 1.87,
  Shekel: 2.05,
  'Swiss Franc': 7.2,
  'UK Pound': 8.0,
  'US Dollar': 7.0,
  Yen: 0.049,
  Yuan: 1,
};

interface Attempt {
  readonly id: string;
  readonly time: string;
  readonly payer: string;
  readonly payee: string;
  readonly amountFen: number;
  /** Of what is laundering. */
  readonly typology?: string | undefined;
  readonly scheme?: number | undefined;
}

const [folder, out] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder that holds laundering.csv.gz');

const attempts = rowsOf(gunzipSync(readFileSync(join(folder, 'laundering.csv.gz'))).toString('utf8')).map((row): Attempt => ({
  id: `A${row['seq']}`,
  time: instantOf(row['ts']),
  payer: accountOf(row['payer']),
  payee: accountOf(row['payee']),
  amountFen: fenOf(row['amount'], row['ccy']),
  typology: row['typology'],
  scheme: Number(row['case_id']),
}));
const harmlessFile = join(folder, 'transactions_first1000.csv');
const harmless = existsSync(harmlessFile)
  ? rowsOf(readFileSync(harmlessFile, 'utf8')).map((row, i): Attempt => ({
      id: `H${i + 1}`,
      time: instantOf(row['timestamp']),
      payer: accountOf(row['from_account_key']),
      payee: accountOf(row['to_account_key']),
      amountFen: fenOf(row['amount_paid'], row['payment_currency']),
    }))
  : [];
// What an account pays to itself (reinvestment) is no payment here.
const all = [...harmless, ...attempts]
  .filter(({ payer, payee, amountFen }) => payer !== payee && amountFen >= 1)
  .toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
const records = all.map(({ id, time, payer, payee, amountFen }) =>
  JSON.stringify({ id, time, amountFen, payer: partyOf(payer), payee: partyOf(payee), bank: bankOf(payer), channel: 'ebank' }),
);
const labels = all.flatMap(({ id: transaction, typology, scheme }) =>
  typology === undefined ? [] : [{ transaction, label: 1, typology, scheme }],
);
if (out !== undefined) {
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'amlworld.ndjson'), `${records.join('\n')}\n`);
  writeFileSync(join(out, 'labels.ndjson'), `${labels.map((label) => JSON.stringify(label)).join('\n')}\n`);
}

const config = fileURLToPath(new URL('../config', import.meta.url));
const { set } = await readPatterns(join(config, 'patterns'), { paths: { config, console: '' } });
const evaluator = createEvaluator(labels.map((label) => labelSchema.parse(label)));
const hitsByPattern: Record<string, number> = {};
const refused: string[] = [];
const scorer = createFileScorer(set, {
  partitions: 1,
  nowMs: Infinity,
  onTransaction: (view) => evaluator.addTransaction(view),
  onHits: (hits) => {
    evaluator.addHits(hits);
    for (const { pattern } of hits) hitsByPattern[pattern] = (hitsByPattern[pattern] ?? 0) + 1;
  },
  onRejected: ({ line, field, message }) => refused.push(`${line} ${field} ${message}`),
});
scorer.begin('amlworld');
await scorer.push(Buffer.from(`${records.join('\n')}\n`));
await scorer.finish();
await scorer.end();
if (refused.length > 0) throw new Error(`${refused.length} records were refused, such as line ${refused[0]}`);
console.log(
  `${attempts.length} laundering transactions, ${harmless.length} harmless ones, ${set.patterns.length} patterns (${set.id})\n`,
);
console.log(describeEvaluation(evaluator.result(), hitsByPattern).join('\n'));

function rowsOf(csv: string): Record<string, string>[] {
  const [head = '', ...lines] = csv.trim().split('\n');
  const names = head.trim().split(',');
  return lines.map((line) => {
    const values = line.trim().split(',');
    if (values.length !== names.length) throw new Error(`a line has ${values.length} columns, not ${names.length}`);
    return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
  });
}

/** `2022-09-01 00:03` or `2022/09/01 00:03`; taken for Shanghai time. */
function instantOf(text = ''): string {
  return `${text.replaceAll('/', '-').replace(' ', 'T')}:00+08:00`;
}

function fenOf(amount = '', currency = ''): number {
  const rate = yuanFor[currency];
  if (rate === undefined) throw new Error(`no price of a ${currency} is known; add it to yuanFor`);
  return Math.round(Number(amount) * rate * 100);
}

/** `01467:8013C4030`, bank and account, as one account number. */
function accountOf(key = ''): string {
  return key.replace(':', '-');
}

function bankOf(account: string): string {
  return account.split('-')[0]!.padStart(3, '0');
}

/** Nearly all accounts of the set belong to firms, partnerships and sole proprietors. */
function partyOf(account: string) {
  return { account, kind: 'corporate', bank: bankOf(account) };
}
