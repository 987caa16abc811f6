import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
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
}

const help = `
Sends the lines in their order, a batch a request; a batch goes again when the platform is busy or away, and what it has
already is counted as resent. Refused lines are shown with their line number and reason. A file may hold transactions and
reference records (profiles, logins, lists …, told by their "type") in any mixture; records count from their place on.
Lists, accounts of cases and exchange rates count for every bank: they need a key of the centre.

Examples:
  $ huqi send day.ndjson --to http://127.0.0.1:8080 --key hq_…
  $ huqi send day.ndjson.gz --to https://huqi.example --key "$HUQI_KEY" --rate 500
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
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', help)
    .action((files: string[], flags: Flags) => runSend(files, flags, context));
}

export interface SendSummary {
  sent: number;
  accepted: number;
  duplicates: number;
  refused: Record<string, number>;
  seconds: number;
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

async function runSend(files: readonly string[], flags: Flags, context: CommandContext): Promise<void> {
  const url = URL.canParse(flags.to) ? new URL('/v1/transactions', flags.to) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new CommandFailure(`--to ${flags.to}: expected an address such as http://127.0.0.1:8080`, 2);
  const key = flags.key ?? context.env['HUQI_KEY'];
  if (!key) throw new CommandFailure('a bank needs its key: --key KEY, or HUQI_KEY in the environment', 2);
  const batchLines = wholeNumber('--batch', flags.batch, 1, 20_000);
  const rate = flags.rate === undefined ? Infinity : wholeNumber('--rate', flags.rate, 1, 1_000_000);

  const total: SendSummary = { sent: 0, accepted: 0, duplicates: 0, refused: {}, seconds: 0 };
  const startedMs = context.clock.now();
  const progress = createProgress(
    context,
    (await Promise.all(files.map(async (file) => (await stat(file)).size))).reduce((a, b) => a + b, 0),
  );
  const post = createPoster(url, key, context.stop);
  let shown = 0;
  let doneBytes = 0;
  for (const file of files) {
    const source = createReadStream(file);
    let line = 0;
    for await (const batch of batches(source, file, batchLines)) {
      const dueMs = startedMs + (total.sent / rate) * 1000;
      const waitMs = dueMs - context.clock.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: context.stop });
      for (const result of await post(batch.body)) {
        total.sent++;
        if (result.status === 'accepted') total.accepted++;
        else if (result.status === 'duplicate') total.duplicates++;
        else {
          const reason = result.reason ?? result.status;
          total.refused[reason] = (total.refused[reason] ?? 0) + 1;
          if (shown++ < shownMax) {
            progress.clear();
            context.stderr.write(
              `${file}:${line + result.line} refused, ${reason}: ${result.field ? `${result.field} ` : ''}${result.message ?? ''}\n`,
            );
          }
        }
      }
      line += batch.lines;
      progress.show(doneBytes + source.bytesRead, `${total.sent.toLocaleString('en')} sent`);
    }
    doneBytes += source.bytesRead;
  }
  progress.clear();
  total.seconds = (context.clock.now() - startedMs) / 1000;
  const refused = Object.values(total.refused).reduce((a, b) => a + b, 0);
  if (refused > 0) context.setExitCode(1);
  context.stdout.write(
    flags.json
      ? `${JSON.stringify(total)}\n`
      : `${total.sent.toLocaleString('en')} sent in ${total.seconds.toFixed(1)} s: ${total.accepted.toLocaleString('en')} accepted, ${total.duplicates.toLocaleString('en')} there already, ${refused.toLocaleString('en')} refused${
          refused > 0
            ? ` (${Object.entries(total.refused)
                .map(([reason, n]) => `${reason} ${n}`)
                .join(', ')})`
            : ''
        }\n`,
  );
}

/** A body that has grown to this is sent, whatever its lines: half of what the platform takes as shipped. */
const bodyBytesMax = 8 * 1024 * 1024;

/** Lines of a file in bodies of so many lines. */
async function* batches(
  source: NodeJS.ReadableStream,
  file: string,
  linesMax: number,
): AsyncGenerator<{ body: Uint8Array; lines: number }> {
  let parts: Uint8Array[] = [];
  let bytesInHand = 0;
  const full: Uint8Array[][] = [];
  const newline = Uint8Array.of(0x0a);
  const splitter = createLineSplitter(referenceBytesMax, (bytes, start, end) => {
    parts.push(bytes.slice(start, end), newline);
    bytesInHand += end - start;
    if (parts.length === linesMax * 2 || bytesInHand >= bodyBytesMax) {
      full.push(parts);
      parts = [];
      bytesInHand = 0;
    }
  });
  const stream = file.endsWith('.gz') ? source.pipe(createGunzip()) : source;
  source.on(
    'error',
    (error) => stream !== source && (stream as NodeJS.ReadableStream & { destroy(error: unknown): void }).destroy(error),
  );
  for await (const chunk of stream) {
    splitter.push(chunk);
    for (const ready of full.splice(0)) yield { body: Buffer.concat(ready), lines: ready.length / 2 };
  }
  splitter.finish();
  for (const ready of [...full.splice(0), parts])
    if (ready.length > 0) yield { body: Buffer.concat(ready), lines: ready.length / 2 };
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
          if (stop.aborted) throw new CommandFailure('stopped; what was sent so far is kept by the platform');
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
