import type { Command } from 'commander';
import { loadCatalogue } from '../catalogue.js';
import { dayMs, formatDay } from '../domain/bank-day.js';
import { createCalendar } from '../domain/calendar.js';
import {
  accountsMax,
  accountsMin,
  type BankDayOptions,
  daysMax,
  transactionsMax,
  transactionsMin,
} from '../simulate/bank-day.js';
import { estimatedTransactions, monthsAccountsMin, monthsDaysMax, type MonthsOptions } from '../simulate/months/months.js';
import { classicPlants, plants as allPlants } from '../simulate/plants/index.js';
import type { Plant } from '../simulate/plants/stage.js';
import { writeBankDay, writeMonths, type WriteSummary } from '../simulate/write.js';
import { type CommandContext, plainReason } from './context.js';
import { createProgress } from './progress.js';

type Context = Pick<CommandContext, 'stdout' | 'stderr' | 'clock' | 'paths' | 'setExitCode'>;

interface Flags {
  readonly accounts: string;
  readonly transactions?: string;
  readonly seed: string;
  readonly from: string;
  readonly date?: string;
  readonly days?: string;
  readonly plants?: string;
  readonly schemes?: string;
  readonly references?: boolean;
  readonly out?: string;
  readonly labels?: string;
  readonly json?: boolean;
}

const usualTransactions = '33000';

const help = `
Without --days, or with --transactions, the file holds a bank day (or some days) with exactly that many transactions.
A light history of the 400 days before is part of it. Frauds are planted after twelve patterns of the catalogue, once for
each 8,000 transactions.

With --days and without --transactions it holds the business of so many days as the calendar drives it: paydays, taxes in the
middle of the month, suppliers by their rhythm, shops, marketplaces, holidays, new firms; one account in five is an
enterprise's. How many transactions there are follows from that: about 3 a day for each enterprise, and 50 of the history.
Every scheme is planted, and reference records (profiles, logins, lists, exchange rates, account changes) stand among the
transactions: lines with a "type".

The label file names the transactions of the frauds, each with its scheme. All lines are in order of time, and the same
arguments give the same bytes. A name that ends in .gz is compressed.

Examples:
  $ huqi simulate --out day.ndjson --labels labels.ndjson
  $ huqi simulate --transactions 28000 --plants all --references --out day.ndjson.gz --labels labels.ndjson
  $ huqi simulate --accounts 1000000 --transactions 5000000 --seed 7 --out day.ndjson --labels labels.ndjson
  $ huqi simulate --days 30 --from 2026-07-01 --accounts 15000 --out month.ndjson --labels month.labels.ndjson
  $ huqi simulate --days 60 --plants V02,M13,cycle --no-references --out months.ndjson.gz --labels months.labels.ndjson
  $ huqi score day.ndjson --labels labels.ndjson

Exit codes: 0 written, 1 a file could not be written, 2 wrong arguments.`;

/** `huqi simulate`: writes a labelled synthetic bank day, or months of them. */
export function registerSimulate(program: Command, context: Context): void {
  program
    .command('simulate')
    .summary('write a labelled synthetic bank day, or months')
    .description('Writes synthetic corporate payments in Henan, a day or months of them, with planted and labelled frauds.')
    .option('--accounts <number>', `accounts there are, ${accountsMin} to ${accountsMax}`, '12000')
    .option('--transactions <number>', `transactions to write, ${transactionsMin} to ${transactionsMax} (${usualTransactions})`)
    .option('--seed <number>', 'seed of the simulation, 0 to 4294967295', '20260701')
    .option('--from <date>', 'the day, or the first of several, such as 2026-07-01', '2026-07-01')
    .option('--date <date>', 'the same as --from')
    .option('--days <number>', `days from that date on, 1 to ${monthsDaysMax} (with --transactions 1 to ${daysMax})`)
    .option('--plants <names>', `schemes to plant, such as V01,M13,cycle, or all, or none`)
    .option('--schemes <number>', 'how often each is planted, with --days (about once for 40,000 days of an enterprise)')
    .option('--references', 'put reference records among the transactions (always with --days)')
    .option('--no-references', 'leave the reference records out')
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
  const { work, out, labels } = options.value;
  const progress = createProgress(context, work.kind === 'day' ? work.day.transactions : estimatedTransactions(work.months));
  const onProgress = (done: number): void => progress.show(done, `${done} transactions`);
  const files = { out, ...(labels === undefined ? {} : { labels }), onProgress };
  try {
    const summary =
      work.kind === 'day'
        ? await writeBankDay({ bankDay: work.day, ...files })
        : await writeMonths({ months: { ...work.months, isWorkingDay: await workingDays(context) }, ...files });
    progress.clear();
    const { accounts, seed, day, days = 1 } = work.kind === 'day' ? work.day : work.months;
    const asked = { accounts, seed, from: formatDay(day), days, out, labels };
    context.stdout.write(flags.json ? `${JSON.stringify({ ...asked, ...summary })}\n` : describe(options.value, summary));
  } catch (error) {
    progress.clear();
    context.stderr.write(`huqi simulate: ${plainReason(error)}\n`);
    context.setExitCode(error instanceof RangeError ? 2 : 1);
  }
}

/** Years without a table have Monday to Friday: the days are invented anyway. */
async function workingDays({ paths }: Context): Promise<(day: number) => boolean> {
  const { calendar } = await loadCatalogue(paths.config);
  const known = createCalendar(calendar, { unknownYears: 'weekends' });
  return (day) => known.isWorkingDay(day);
}

interface Order {
  readonly work:
    | { readonly kind: 'day'; readonly day: BankDayOptions }
    | { readonly kind: 'months'; readonly months: MonthsOptions };
  readonly out: string;
  readonly labels?: string;
}

type ReadFlags =
  | { readonly kind: 'read'; readonly value: Order }
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
  const isMonths = flags.days !== undefined && flags.transactions === undefined;
  const dateFlag = flags.date === undefined ? 'from' : 'date';
  const date = flags[dateFlag] ?? '';
  const common = {
    accounts: whole('accounts', flags.accounts, isMonths ? monthsAccountsMin : accountsMin, accountsMax),
    seed: whole('seed', flags.seed, 0, 4_294_967_295),
    days: whole('days', flags.days ?? '1', 1, isMonths ? monthsDaysMax : daysMax),
    day: readDay(date) ?? 0,
    plants: readPlants(flags.plants, isMonths ? allPlants : classicPlants, mistakes),
    ...(flags.references === undefined ? {} : { hasReferences: flags.references }),
  };
  if (readDay(date) === undefined) mistakes.push(`--${dateFlag}: expected a date such as 2026-07-01, found "${date}"`);
  if (flags.schemes !== undefined && !isMonths) mistakes.push('--schemes: it needs --days, and no --transactions');
  const sets = flags.schemes === undefined ? {} : { sets: whole('schemes', flags.schemes, 0, 10_000) };
  const work = isMonths
    ? { kind: 'months' as const, months: { ...common, ...sets } }
    : { kind: 'day' as const, day: { ...common, transactions: readTransactions(flags, whole) } };
  const { out, labels } = flags;
  if (!out) mistakes.push('--out: name the file to write, such as --out day.ndjson');
  else if (out === labels) mistakes.push(`--labels: the labels need a file of their own, not "${labels}" again`);
  if (mistakes.length > 0 || !out) return { kind: 'wrong', mistakes };
  return { kind: 'read', value: { work, out, ...(labels ? { labels } : {}) } };
}

function readTransactions(
  { transactions = usualTransactions }: Flags,
  whole: (name: string, text: string, min: number, max: number) => number,
): number {
  return whole('transactions', transactions, transactionsMin, transactionsMax);
}

function readPlants(text: string | undefined, usual: readonly Plant[], mistakes: string[]): readonly Plant[] {
  if (text === undefined) return usual;
  if (text === 'all') return allPlants;
  if (text === 'none') return [];
  const known = new Map(allPlants.map((plant) => [plant.typology.toLowerCase(), plant]));
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !known.has(name.toLowerCase()));
  if (unknown.length > 0) {
    const choice = allPlants.map(({ typology }) => typology).join(', ');
    mistakes.push(`--plants: there is no scheme ${unknown.map((name) => `"${name}"`).join(', ')}; there are ${choice}`);
  }
  return [...new Set(names.flatMap((name) => known.get(name.toLowerCase()) ?? []))];
}

function readDay(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const day = Math.floor(Date.parse(`${text}T00:00:00Z`) / dayMs);
  return !Number.isNaN(day) && formatDay(day) === text ? day : undefined;
}

function describe({ out, labels }: Order, summary: WriteSummary): string {
  const rows = Object.entries(summary.typologies).map(
    ([typology, { schemes, transactions }]) =>
      `  ${typology.padEnd(14)}  ${String(schemes).padStart(5)} schemes ${String(transactions).padStart(7)} transactions`,
  );
  const { transactions, references, bytes, labelled } = summary;
  const records = references > 0 ? ` and ${references} reference records` : '';
  return [
    `${transactions} transactions${records} (${(bytes / 1_000_000).toFixed(1)} MB) in ${out}`,
    `${labelled} of them planted${labels === undefined ? ', their labels not written (--labels FILE writes them)' : `, labels in ${labels}`}:`,
    ...rows,
    '',
  ].join('\n');
}
