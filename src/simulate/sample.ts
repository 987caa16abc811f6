import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { referenceBytesMax } from '../domain/reference-record.js';
import { createLineSplitter } from '../scoring/lines.js';

/** The bundled sample day: made by `huqi simulate`, with some broken records mixed in as real streams have them. */
export interface SampleOptions {
  /** `config/sample`. */
  readonly directory: string;
  /** Takes a body of NDJSON, transactions and reference records, as the platform's intake does. */
  readonly accept: (body: Uint8Array) => Promise<unknown>;
  /** Lines a second. */
  readonly rate: number;
  readonly clock: { now(): number };
  readonly stop: AbortSignal;
  readonly onProgress?: (sent: number) => void;
}

const linesPerBody = 100;

/** Sends the whole sample from its beginning; what the platform has already is told as resent. Returns the number of lines. */
export async function playSample({ directory, accept, rate, clock, stop, onProgress }: SampleOptions): Promise<number> {
  const startedMs = clock.now();
  let sent = 0;
  const send = async (lines: readonly Uint8Array[]): Promise<void> => {
    const waitMs = startedMs + (sent / rate) * 1000 - clock.now();
    if (waitMs > 1) await sleep(waitMs, undefined, { signal: stop });
    stop.throwIfAborted();
    await accept(Buffer.concat(lines));
    sent += lines.length / 2;
    onProgress?.(sent);
  };
  for await (const lines of sampleBodies(directory)) await send(lines);
  const broken = await readFile(join(directory, 'broken.ndjson'));
  await send(withNewlines(broken));
  return sent;
}

const newline = Uint8Array.of(0x0a);

async function* sampleBodies(directory: string): AsyncGenerator<Uint8Array[]> {
  let lines: Uint8Array[] = [];
  const full: Uint8Array[][] = [];
  const splitter = createLineSplitter(referenceBytesMax, (bytes, start, end) => {
    lines.push(bytes.slice(start, end), newline);
    if (lines.length === linesPerBody * 2) {
      full.push(lines);
      lines = [];
    }
  });
  for await (const chunk of createReadStream(join(directory, 'day.ndjson.gz')).pipe(createGunzip())) {
    splitter.push(chunk as Uint8Array);
    yield* full.splice(0);
  }
  splitter.finish();
  yield* full.splice(0);
  if (lines.length > 0) yield lines;
}

function withNewlines(text: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  const splitter = createLineSplitter(1_000_000, (bytes, start, end) => lines.push(bytes.slice(start, end), newline));
  splitter.push(text);
  splitter.finish();
  return lines;
}

const labelSchema = z.object({ transaction: z.string(), typology: z.string() });
const payerSchema = z.object({
  id: z.string(),
  payer: z.object({ creditCode: z.string().optional(), name: z.string().optional() }),
});

/** Some enterprises that the sample defrauds, so that the demonstration can register them as recipients. */
export async function sampleVictims(directory: string, most: number): Promise<{ creditCode: string; name: string }[]> {
  const labels = (await readFile(join(directory, 'labels.ndjson'), 'utf8')).split('\n').filter(Boolean);
  const wanted = new Set(
    labels
      .map((line) => labelSchema.parse(JSON.parse(line)))
      .flatMap(({ transaction, typology }) => (typology.startsWith('V') ? [transaction] : [])),
  );
  const found = new Map<string, string>();
  for await (const lines of sampleBodies(directory)) {
    for (let i = 0; i < lines.length; i += 2) {
      const text = Buffer.from(lines[i]!).toString();
      const id = /"id":"([^"]+)"/.exec(text)?.[1];
      if (id === undefined || !wanted.has(id)) continue;
      const { payer } = payerSchema.parse(JSON.parse(text));
      if (payer.creditCode) found.set(payer.creditCode, payer.name ?? payer.creditCode);
    }
    if (found.size >= most) break;
  }
  return [...found].slice(0, most).map(([creditCode, name]) => ({ creditCode, name }));
}
