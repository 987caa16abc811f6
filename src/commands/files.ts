import { once } from 'node:events';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { loadCatalogue } from '../catalogue.js';
import { createCalendar, type CalendarData } from '../domain/calendar.js';
import { readPatternFiles } from '../pipeline/pattern-files.js';
import { describeProblem } from '../pipeline/pattern-store.js';
import { labelSchema, type Label } from '../pipeline/score-evaluation.js';
import type { FileScorer } from '../pipeline/score-file.js';
import { compilePatternSet, type PatternSet, type PatternSource } from '../scoring/pattern-set.js';
import { type CommandContext, CommandFailure } from './context.js';

/** What commands that score read and write. */

export interface LoadedPatterns {
  readonly set: PatternSet;
  readonly sources: readonly PatternSource[];
  readonly calendar: CalendarData;
}

/** Throws `CommandFailure` with every problem of the files. */
export async function readPatterns(path: string, { paths }: Pick<CommandContext, 'paths'>): Promise<LoadedPatterns> {
  const { calendar } = await loadCatalogue(paths.config);
  const sources = await readPatternFiles(path);
  if (sources.length === 0) throw new CommandFailure(`${path} holds no pattern files (*.yaml)`);
  return { set: compileOrFail(sources, calendar), sources, calendar };
}

/** Throws `CommandFailure` with every problem of the patterns. */
export function compileOrFail(sources: readonly PatternSource[], calendar: CalendarData): PatternSet {
  const result = compilePatternSet(sources, createCalendar(calendar, { unknownYears: 'weekends' }));
  if (result.kind === 'compiled') return result.set;
  throw new CommandFailure(
    `the patterns do not load:\n${result.problems.map((problem) => `  ${describeProblem(problem)}`).join('\n')}`,
  );
}

/** Throws `CommandFailure` with the line that is no label. */
export async function readLabels(file: string): Promise<Label[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.flatMap((line, i) => {
    if (line.trim() === '') return [];
    try {
      return [labelSchema.parse(JSON.parse(line))];
    } catch {
      throw new CommandFailure(`${file}:${i + 1}: expected a label such as {"transaction":"…","label":1,"typology":"fan_in"}`);
    }
  });
}

/** Pushes the files one after the other, unpacked where they end in .gz; `between` is told how many of their bytes are done. */
export async function pushFiles(
  files: readonly string[],
  chunkBytes: number,
  scorer: Pick<FileScorer, 'begin' | 'push' | 'finish'>,
  between: (doneBytes: number) => Promise<void>,
): Promise<void> {
  let doneBytes = 0;
  for (const file of files) {
    scorer.begin(file);
    const source = createReadStream(file, { highWaterMark: chunkBytes });
    const stream = file.endsWith('.gz') ? source.pipe(createGunzip({ chunkSize: Math.max(chunkBytes, 64) })) : source;
    source.on('error', (error) => stream.destroy(error));
    for await (const chunk of named(file, stream)) {
      await scorer.push(chunk as Buffer);
      await between(doneBytes + source.bytesRead);
    }
    await scorer.finish();
    doneBytes += source.bytesRead;
  }
}

/** The system's errors while reading name no file. */
async function* named(file: string, chunks: AsyncIterable<unknown>): AsyncGenerator {
  try {
    yield* chunks;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EISDIR') throw new CommandFailure(`${file} is a directory; a file is needed`);
    if (code === 'Z_BUF_ERROR' || code === 'Z_DATA_ERROR') throw new CommandFailure(`${file} is cut off or no gzip file`);
    throw error;
  }
}

export interface Output {
  write(values: readonly unknown[]): void;
  writeText(text: string): void;
  isFull(): boolean;
  drained(): Promise<void>;
  close(): Promise<void>;
}

export function openOutput(file: string): Output {
  const stream: WriteStream = createWriteStream(file);
  let failure: Error | undefined;
  stream.on('error', (error) => (failure = error));
  const check = (): void => {
    if (failure) throw failure;
  };
  return {
    write(values) {
      check();
      stream.write(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    },
    writeText(text) {
      stream.write(text);
    },
    isFull: () => stream.writableNeedDrain,
    async drained() {
      check();
      if (stream.writableNeedDrain) await once(stream, 'drain');
    },
    async close() {
      check();
      stream.end();
      await finished(stream);
    },
  };
}
