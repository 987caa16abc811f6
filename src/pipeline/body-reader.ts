import { setImmediate as nextTurn } from 'node:timers/promises';
import { createTypeFinder } from '../domain/reference-record.js';
import { createViewKeeper, type ViewKeeper, type ViewTable } from './frame-views.js';
import { createLineReader, type Line, type LineReaderOptions, type ReadLine } from './intake-lines.js';

/** Reads bodies of NDJSON line by line: on this thread, or on others (`body-threads.ts`). */
export interface BodyReader {
  /** `bytes` must not change while the lines are in use. */
  read(bytes: Buffer, about: AboutBody): Promise<ReadBody>;
  close(): Promise<void>;
}

export interface ReadBody {
  /** A line for each one that is not blank, in order. */
  readonly lines: Line[];
  /** What was found in its transactions; null where that is not kept. */
  readonly views: ViewTable | null;
}

/** What is known of a body beside its bytes. */
export interface AboutBody {
  readonly attempt: string;
  /** The bank that the caller's key is bound to. */
  readonly bank: string | undefined;
  readonly isBank: boolean;
  readonly only: 'references' | undefined;
  readonly receivedAtMs: number;
}

/** Lines and bytes after which the rest of the process gets its turn: less than 5 ms of work. */
export const sliceLines = 512;
const sliceBytes = 256 * 1024;

/** Reads on this thread, a few milliseconds at a time. */
export function createBodyReader(options: LineReaderOptions): BodyReader {
  const readLine = createLineReader(options);
  return {
    async read(bytes, about) {
      const lines: Line[] = [];
      const views = options.keepsViews ? createViewKeeper(bytes.length) : null;
      let sliceStart = 0;
      for (const { line, number, end } of linesOf(bytes, about, readLine, views)) {
        if (line) lines.push(line);
        if (number % sliceLines !== 0 && end - sliceStart <= sliceBytes) continue;
        sliceStart = end;
        await nextTurn();
      }
      return { lines, views: views?.table() ?? null };
    },
    close: () => Promise.resolve(),
  };
}

/** Lines count from 1; a blank one counts and is null. `end` lies behind its line break. */
export function* linesOf(
  bytes: Buffer,
  about: AboutBody,
  readLine: ReadLine,
  views: ViewKeeper | null,
): Generator<{ line: Line | null; number: number; end: number }> {
  const facts = { ...about, mayHaveType: createTypeFinder(bytes), views };
  let number = 0;
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(0x0a, at);
    const lineEnd = newline === -1 ? bytes.length : newline;
    number++;
    const line = isBlank(bytes, at, lineEnd) ? null : readLine(bytes, at, lineEnd, number, facts);
    at = lineEnd + 1;
    yield { line, number, end: at };
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    if (c !== 0x20 && c !== 0x0d && c !== 0x09) return false;
  }
  return true;
}
