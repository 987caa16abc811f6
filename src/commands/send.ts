import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { ConstantBackoff, handleWhen, retry } from 'cockatiel';
import type { Command } from 'commander';
import { z } from 'zod';
import { referenceBytesMax } from '../domain/reference-record.js';
import { createLineSplitter } from '../scoring/lines.js';
import { type CommandContext, CommandFailure, wholeNumber } from './context.js';
import { createProgress } from './progress.js';

interface Flags {
  readonly to: string;
  readonly key?: string;
  readonly rate?: string;
  readonly batch: string;
  readonly json?: boolean;
  readonly refused?: string;
}

const help = `
Sends the lines in their order, a batch a request; a batch goes again when the platform is busy or away, and what it has
already is counted as resent. The first refused lines are shown with their line number and reason; --json gives 1,000 of them,
--refused all. A file may hold transactions and reference records (profiles, logins, lists …, told by their "type") in any mixture; records count from their place on.
Lists, accounts of cases and exchange rates count for every bank: they need a key of the centre.

Examples:
  $ huqi send day.ndjson --to http://127.0.0.1:8080 --key huqi_bank_…
  $ huqi send day.ndjson.gz --to https://huqi.example --key "$HUQI_KEY" --rate 500
  $ huqi send day.ndjson --to http://127.0.0.1:8080 --refused refused.ndjson      with what was refused, and why, in a file
  $ huqi send lists.ndjson --to http://127.0.0.1:8080 --key "$CENTRE"      lists for all banks, with a key of the centre

Exit codes: 0 every line was taken or was there already, 1 lines were refused or the platform cannot be reached,
2 wrong arguments.`;

/** `huqi send`: streams files to a running platform as a bank would. */
export function registerSend(program: Command, context: CommandContext): void {
  program
    .command('send')
    .summary('stream a file to a running platform')
    .description('Streams files of transactions and reference records (NDJSON) to a running platform, as a bank would.')
    .argument('<files...>', 'NDJSON files of transactions and reference records')
    .requiredOption('--to <url>', 'address of the platform')
    .option('--key <key>', 'API key of the bank or the centre; HUQI_KEY in the environment otherwise')
    .option('--rate <number>', 'lines a second; as fast as it goes otherwise')
    .option('--batch <number>', 'lines in one request', '1000')
    .option('--refused <file>', 'write every refused line there: file, line, id, reason, field and message as NDJSON')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', help)
    .action((files: string[], flags: Flags) => runSend(files, flags, context));
}

interface SendSummary {
  sent: number;
  accepted: number;
  duplicates: number;
  refused: Record<string, number>;
  /** At most `listedMax`, the first ones; `refused` counts all. */
  refusals: RefusedLine[];
  seconds: number;
}

interface RefusedLine {
  readonly file: string;
  /** From 1, blank lines included. */
  readonly line: number;
  readonly id?: string | undefined;
  readonly reason: string;
  readonly field?: string | undefined;
  readonly message?: string | undefined;
}

const resultSchema = z.object({
  line: z.int(),
  id: z.string().optional(),
  status: z.enum(['accepted', 'duplicate', 'rejected', 'conflict']),
  reason: z.string().optional(),
  field: z.string().optional(),
  message: z.string().optional(),
});

const shownMax = 10;
const listedMax = 1_000;

async function runSend(files: readonly string[], flags: Flags, context: CommandContext): Promise<void> {
  const url = URL.canParse(flags.to) ? new URL('/v1/transactions', flags.to) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new CommandFailure(`--to ${flags.to}: expected an address such as http://127.0.0.1:8080`, 2);
  const key = flags.key ?? context.env['HUQI_KEY'];
  if (!key) throw new CommandFailure('a bank needs its key: --key KEY, or HUQI_KEY in the environment', 2);
  const batchLines = wholeNumber('--batch', flags.batch, 1, 20_000);
  const rate = flags.rate === undefined ? Infinity : wholeNumber('--rate', flags.rate, 1, 1_000_000);

  const total: SendSummary = { sent: 0, accepted: 0, duplicates: 0, refused: {}, refusals: [], seconds: 0 };
  const startedMs = context.clock.now();
  const progress = createProgress(
    context,
    (await Promise.all(files.map(async (file) => (await stat(file)).size))).reduce((a, b) => a + b, 0),
  );
  const post = createPoster(url, key, context.stop);
  const refusals = await openRefusals(flags.refused, files, total, context);
  let doneBytes = 0;
  let isStopped = false;
  try {
    for (const file of files) {
      const source = createReadStream(file);
      for await (const { body, numbers } of batches(source, file, batchLines)) {
        const dueMs = startedMs + (total.sent / rate) * 1000;
        const waitMs = dueMs - context.clock.now();
        if (waitMs > 0) await sleep(waitMs, undefined, { signal: context.stop });
        const refused: RefusedLine[] = [];
        for (const { status, line, id, reason = status, field, message } of await post(body)) {
          total.sent++;
          if (status === 'accepted') total.accepted++;
          else if (status === 'duplicate') total.duplicates++;
          // Blank lines are not sent; the platform counts those that were.
          else refused.push({ file, line: numbers[line - 1] ?? line, id, reason, field, message });
        }
        // What is told of them begins on a line of its own.
        if (refused.length > 0) progress.clear();
        await refusals.take(refused);
        progress.show(doneBytes + source.bytesRead, `${total.sent.toLocaleString('en')} sent`);
      }
      doneBytes += source.bytesRead;
    }
  } catch (error) {
    if (!context.stop.aborted) throw error;
    isStopped = true;
  } finally {
    progress.clear();
    await refusals.close();
  }
  total.seconds = (context.clock.now() - startedMs) / 1000;
  if (refusals.count() > 0) context.setExitCode(1);
  context.stdout.write(flags.json ? `${JSON.stringify(total)}\n` : describe(total, refusals.count()));
  if (isStopped) throw new CommandFailure('stopped; send the file again: what is there counts as resent');
}

function describe({ sent, accepted, duplicates, refused, seconds }: SendSummary, refusals: number): string {
  const counted = [`${accepted.toLocaleString('en')} accepted`, `${duplicates.toLocaleString('en')} there already`];
  const reasons = Object.entries(refused).map(([reason, n]) => `${reason} ${n}`);
  const why = reasons.length > 0 ? ` (${reasons.join(', ')})` : '';
  const took = `${sent.toLocaleString('en')} sent in ${seconds.toFixed(1)} s`;
  return `${took}: ${counted.join(', ')}, ${refusals.toLocaleString('en')} refused${why}\n`;
}

/** What was refused: counted and listed in `total`, the first ones shown, all of them written to the file where one is named. */
async function openRefusals(path: string | undefined, files: readonly string[], total: SendSummary, context: CommandContext) {
  if (path !== undefined && files.some((file) => resolve(file) === resolve(path)))
    throw new CommandFailure(`--refused ${path}: is one of the files to be sent`, 2);
  const output: FileHandle | null = path === undefined ? null : await open(path, 'w');
  let count = 0;
  return {
    count: () => count,
    async take(refused: readonly RefusedLine[]): Promise<void> {
      for (const refusal of refused) {
        const { file, line, reason, field, message } = refusal;
        total.refused[reason] = (total.refused[reason] ?? 0) + 1;
        if (total.refusals.length < listedMax) total.refusals.push(refusal);
        if (count++ < shownMax)
          context.stderr.write(`${file}:${line} refused, ${reason}: ${field ? `${field} ` : ''}${message ?? ''}\n`);
      }
      if (output && refused.length > 0)
        await output.appendFile(refused.map((refusal) => `${JSON.stringify(refusal)}\n`).join(''));
    },
    async close(): Promise<void> {
      await output?.close();
      if (count <= shownMax) return;
      const more = `${(count - shownMax).toLocaleString('en')} more were refused`;
      context.stderr.write(`${more}; ${path === undefined ? '--refused FILE lists them' : `all are in ${path}`}\n`);
    },
  };
}

/** A body that has grown to this is sent, whatever its lines: half of what the platform takes as shipped. */
const bodyBytesMax = 8 * 1024 * 1024;

interface Batch {
  readonly body: Uint8Array;
  /** Of its lines in the file, from 1. */
  readonly numbers: readonly number[];
}

/** Lines of a file in bodies of so many lines. */
async function* batches(source: NodeJS.ReadableStream, file: string, linesMax: number): AsyncGenerator<Batch> {
  let parts: Uint8Array[] = [];
  let numbers: number[] = [];
  let bytesInHand = 0;
  const full: Batch[] = [];
  const newline = Uint8Array.of(0x0a);
  const splitter = createLineSplitter(referenceBytesMax, (bytes, start, end, line) => {
    parts.push(bytes.slice(start, end), newline);
    numbers.push(line);
    bytesInHand += end - start;
    if (numbers.length === linesMax || bytesInHand >= bodyBytesMax) close();
  });
  const close = (): void => {
    full.push({ body: Buffer.concat(parts), numbers });
    [parts, numbers, bytesInHand] = [[], [], 0];
  };
  const stream = file.endsWith('.gz') ? source.pipe(createGunzip()) : source;
  source.on(
    'error',
    (error) => stream !== source && (stream as NodeJS.ReadableStream & { destroy(error: unknown): void }).destroy(error),
  );
  for await (const chunk of stream) {
    splitter.push(chunk);
    yield* full.splice(0);
  }
  splitter.finish();
  if (numbers.length > 0) close();
  yield* full;
}

type Result = z.infer<typeof resultSchema>;

class Busy extends Error {}

/** Posts one body; goes on trying for two minutes while the platform is busy, restarting or away. */
function createPoster(url: URL, key: string, stop: AbortSignal): (body: Uint8Array) => Promise<Result[]> {
  const again = retry(
    handleWhen((error) => error instanceof Busy),
    { maxAttempts: 120, backoff: new ConstantBackoff(1000) },
  );
  return (body) =>
    again
      .execute(async () => {
        const response = await fetch(url, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
          body: new Uint8Array(body),
          signal: stop,
        }).catch((error: unknown) => {
          if (stop.aborted) throw error;
          const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
          throw new Busy(`${url.host} cannot be reached: ${cause}`);
        });
        const text = await response.text();
        if ([408, 429, 503].includes(response.status)) throw new Busy(`${url.host} is busy`);
        if (!response.ok) throw new CommandFailure(`${url.host} answered ${response.status}: ${problemDetail(text)}`);
        return text
          .split('\n')
          .filter(Boolean)
          .map((line) => resultSchema.parse(JSON.parse(line)));
      }, stop)
      .catch((error: unknown) => {
        throw error instanceof Busy ? new CommandFailure(`${error.message}; gave up after two minutes`) : error;
      });
}

function problemDetail(text: string): string {
  try {
    const { title, detail } = z.object({ title: z.string().optional(), detail: z.string().optional() }).parse(JSON.parse(text));
    return detail ?? title ?? text.slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}
