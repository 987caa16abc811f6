import type { Command } from 'commander';
import { dayMs, formatDay } from '../domain/bank-day.js';
import {
  accountsMax,
  accountsMin,
  type BankDayOptions,
  daysMax,
  transactionsMax,
  transactionsMin,
} from '../simulate/bank-day.js';
import { writeBankDay, type WriteOptions, type WriteSummary } from '../simulate/write.js';
import { type CommandContext, plainReason } from './context.js';
import { createProgress } from './progress.js';

type Context = Pick<CommandContext, 'stdout' | 'stderr' | 'clock' | 'setExitCode'>;

interface Flags {
  readonly accounts: string;
  readonly transactions: string;
  readonly seed: string;
  readonly date: string;
  readonly days: string;
  readonly out?: string;
  readonly labels?: string;
  readonly json?: boolean;
}

const help = `
The file holds the transactions of the day (--date, then --days - 1 more) and a light history of the 400 days before,
in order of time; --transactions counts them all. Frauds are planted after twelve patterns of the catalogue, once for
each 8,000 transactions; the label file names their transactions. The same arguments give the same bytes.
A name that ends in .gz is compressed.

Examples:
  $ huqi simulate --out day.ndjson --labels labels.ndjson
  $ huqi simulate --accounts 1000000 --transactions 5000000 --seed 7 --out day.ndjson --labels labels.ndjson
  $ huqi simulate --date 2026-09-01 --days 5 --transactions 100000 --out week.ndjson.gz --labels week.labels.ndjson
  $ huqi score day.ndjson --labels labels.ndjson

Exit codes: 0 written, 1 a file could not be written, 2 wrong arguments.`;

/** `huqi simulate`: writes a labelled synthetic bank day. */
export function registerSimulate(program: Command, context: Context): void {
  program
    .command('simulate')
    .summary('write a labelled synthetic bank day')
    .description('Writes a synthetic day of corporate payments in Henan, with planted and labelled frauds.')
    .option('--accounts <number>', `accounts there are, ${accountsMin} to ${accountsMax}`, '12000')
    .option('--transactions <number>', `transactions to write, ${transactionsMin} to ${transactionsMax}`, '33000')
    .option('--seed <number>', 'seed of the simulation, 0 to 4294967295', '20260701')
    .option('--date <date>', 'the day, such as 2026-07-01', '2026-07-01')
    .option('--days <number>', `days from that date on, 1 to ${daysMax}`, '1')
    .option('--out <file>', 'file for the transactions (NDJSON)')
    .option('--labels <file>', 'file for the labels of the fraudulent ones (NDJSON)')
    .option('--json', 'print the summary as JSON')
    .addHelpText('after', help)
    .action((flags: Flags) => runSimulate(flags, context));
}

async function runSimulate(flags: Flags, context: Context): Promise<void> {
  const options = readFlags(flags);
  if (options.kind === 'wrong') {
    context.stderr.write(`huqi simulate: ${options.mistakes.join('\n  ')}\n  See huqi simulate --help.\n`);
    context.setExitCode(2);
    return;
  }
  const progress = createProgress(context, options.value.bankDay.transactions);
  try {
    const summary = await writeBankDay({ ...options.value, onProgress: (done) => progress.show(done, `${done} transactions`) });
    progress.clear();
    context.stdout.write(flags.json ? `${JSON.stringify({ ...options.value, ...summary })}\n` : describe(options.value, summary));
  } catch (error) {
    progress.clear();
    context.stderr.write(`huqi simulate: ${plainReason(error)}\n`);
    context.setExitCode(error instanceof RangeError ? 2 : 1);
  }
}

type ReadFlags =
  | { readonly kind: 'read'; readonly value: WriteOptions }
  | { readonly kind: 'wrong'; readonly mistakes: readonly string[] };

/** All mistakes at once. */
function readFlags(flags: Flags): ReadFlags {
  const mistakes: string[] = [];
  const whole = (name: string, text: string, min: number, max: number): number => {
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      mistakes.push(`--${name}: expected a whole number from ${min} to ${max}, found "${text}"`);
    return value;
  };
  const bankDay: BankDayOptions = {
    accounts: whole('accounts', flags.accounts, accountsMin, accountsMax),
    transactions: whole('transactions', flags.transactions, transactionsMin, transactionsMax),
    seed: whole('seed', flags.seed, 0, 4_294_967_295),
    days: whole('days', flags.days, 1, daysMax),
    day: readDay(flags.date) ?? 0,
  };
  if (readDay(flags.date) === undefined) mistakes.push(`--date: expected a date such as 2026-07-01, found "${flags.date}"`);
  const { out, labels } = flags;
  if (!out) mistakes.push('--out: name the file to write, such as --out day.ndjson');
  else if (out === labels) mistakes.push(`--labels: the labels need a file of their own, not "${labels}" again`);
  if (mistakes.length > 0 || !out) return { kind: 'wrong', mistakes };
  return { kind: 'read', value: { bankDay, out, ...(labels ? { labels } : {}) } };
}

function readDay(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const day = Math.floor(Date.parse(`${text}T00:00:00Z`) / dayMs);
  return !Number.isNaN(day) && formatDay(day) === text ? day : undefined;
}

function describe({ out, labels }: WriteOptions, summary: WriteSummary): string {
  const rows = Object.entries(summary.typologies).map(
    ([typology, { schemes, transactions }]) =>
      `  ${typology}  ${String(schemes).padStart(5)} schemes ${String(transactions).padStart(7)} transactions`,
  );
  return [
    `${summary.transactions} transactions (${(summary.bytes / 1_000_000).toFixed(1)} MB) in ${out}`,
    `${summary.labelled} of them planted${labels === undefined ? ', their labels not written (--labels FILE writes them)' : `, labels in ${labels}`}:`,
    ...rows,
    '',
  ].join('\n');
}
