import { createWriteStream } from 'node:fs';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type BankDayOptions, simulateBankDay } from './bank-day.js';
import type { Label, SimulatedLine } from './clerk.js';
import { type MonthsOptions, simulateMonths } from './months/months.js';
import type { Typology } from './payment.js';

interface Files {
  /** Path of the transactions, NDJSON; compressed where it ends in `.gz`. */
  readonly out: string;
  /** Path of the labels, NDJSON; none are written where it is left out. */
  readonly labels?: string;
  /** Called after every quarter of a megabyte with the transactions so far. */
  readonly onProgress?: (transactions: number) => void;
}

export interface WriteOptions extends Files {
  readonly bankDay: BankDayOptions;
}

export interface WriteMonthsOptions extends Files {
  readonly months: MonthsOptions;
}

export interface WriteSummary {
  readonly transactions: number;
  /** Reference records among them. */
  readonly references: number;
  /** Size of all lines before compression. */
  readonly bytes: number;
  readonly labelled: number;
  /** Planted schemes and their transactions, by pattern of the catalogue. */
  readonly typologies: Readonly<Record<string, { readonly schemes: number; readonly transactions: number }>>;
}

const chunkBytes = 262_144;

/**
 * Writes a simulated bank day and its labels. Both files appear under their names only when they are complete.
 * Throws `RangeError` for options out of bounds (nothing is written) and the file system's error for a failed write.
 */
export function writeBankDay({ bankDay, ...files }: WriteOptions): Promise<WriteSummary> {
  return writeLines(simulateBankDay(bankDay), files);
}

/** The same for months. */
export function writeMonths({ months, ...files }: WriteMonthsOptions): Promise<WriteSummary> {
  return writeLines(simulateMonths(months), files);
}

async function writeLines(lines: Iterable<SimulatedLine>, { out, labels, onProgress }: Files): Promise<WriteSummary> {
  const tally = createTally();
  const source = Readable.from(chunks(lines, tally, onProgress), { objectMode: true, highWaterMark: 2 });
  await replaceFile(out, (path) => {
    const sink = createWriteStream(path);
    return out.endsWith('.gz') ? pipeline(source, createGzip({ level: 9 }), sink) : pipeline(source, sink);
  });
  if (labels !== undefined) await replaceFile(labels, (path) => writeFile(path, tally.labelLines));
  return tally.summary();
}

/** Complete lines, about a quarter of a megabyte at a time. */
function* chunks(lines: Iterable<SimulatedLine>, tally: Tally, onProgress: Files['onProgress']): Generator<Uint8Array> {
  let chunk = Buffer.allocUnsafe(chunkBytes);
  let used = 0;
  for (const { json, label, isReference } of lines) {
    if (used + json.length + 1 > chunkBytes) {
      yield chunk.subarray(0, used);
      onProgress?.(tally.transactions);
      chunk = Buffer.allocUnsafe(chunkBytes);
      used = 0;
    }
    chunk.set(json, used);
    chunk[used + json.length] = 0x0a;
    used += json.length + 1;
    if (isReference) tally.references++;
    else tally.transactions++;
    tally.bytes += json.length + 1;
    if (label) tally.add(label);
  }
  yield chunk.subarray(0, used);
}

interface Tally {
  transactions: number;
  references: number;
  bytes: number;
  readonly labelLines: string[];
  add(label: Label): void;
  summary(): WriteSummary;
}

function createTally(): Tally {
  const byTypology = new Map<Typology, { schemes: Set<number>; transactions: number }>();
  const tally: Tally = {
    transactions: 0,
    references: 0,
    bytes: 0,
    labelLines: [],
    add(label) {
      const { typology, scheme } = label;
      tally.labelLines.push(`${JSON.stringify(label)}\n`);
      const entry = byTypology.get(typology) ?? { schemes: new Set(), transactions: 0 };
      byTypology.set(typology, entry);
      entry.schemes.add(scheme);
      entry.transactions++;
    },
    summary: () => ({
      transactions: tally.transactions,
      references: tally.references,
      bytes: tally.bytes,
      labelled: tally.labelLines.length,
      typologies: Object.fromEntries(
        [...byTypology]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([typology, { schemes, transactions }]) => [typology, { schemes: schemes.size, transactions }]),
      ),
    }),
  };
  return tally;
}

/** Writes beside the file and renames; a device or a pipe is written to as it is. */
async function replaceFile(path: string, write: (path: string) => Promise<void>): Promise<void> {
  const existing = await stat(path).catch(() => undefined);
  if (existing && !existing.isFile()) return write(path);
  const partial = `${path}.partial`;
  try {
    await write(partial);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
