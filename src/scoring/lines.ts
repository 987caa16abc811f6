import { isSpace } from './json-scanner.js';

/** Lines of NDJSON in bytes: LF or CR LF, empty lines skipped, nothing copied. */

/**
 * Takes the bounds of a line in `bytes`, without its end, CR and white space around it, and its number from 1 on; empty lines are
 * counted and not visited.
 */
type VisitLine = (bytes: Uint8Array, start: number, end: number, line: number) => void;

export interface LineSplitter {
  /** Visits the lines that are complete. The bytes are valid during the visit only. */
  push(chunk: Uint8Array): void;
  /** Visits what is left as the last line. */
  finish(): void;
}

/**
 * Lines over the borders of chunks. Of a line longer than `lineBytesMax` only the first `lineBytesMax + 1` bytes are kept and
 * visited, so that its reader finds it oversized and memory stays bounded.
 */
export function createLineSplitter(lineBytesMax: number, visit: VisitLine): LineSplitter {
  const kept = new Uint8Array(lineBytesMax + 1);
  let keptBytes = 0;
  let line = 0;

  const keep = (chunk: Uint8Array, start: number, end: number): void => {
    const taken = Math.min(end - start, kept.length - keptBytes);
    kept.set(chunk.subarray(start, start + taken), keptBytes);
    keptBytes += taken;
  };
  const finish = (): void => {
    visitLine(kept, 0, keptBytes);
    keptBytes = 0;
  };
  const visitLine = (bytes: Uint8Array, lineStart: number, lineEnd: number): void => {
    line++;
    let [start, end] = [lineStart, lineEnd];
    while (start < end && isSpace(bytes[start]!)) start++;
    while (start < end && isSpace(bytes[end - 1]!)) end--;
    if (start < end) visit(bytes, start, end, line);
  };
  return {
    finish,
    push(chunk) {
      let at = 0;
      for (let newline = chunk.indexOf(0x0a); newline >= 0; newline = chunk.indexOf(0x0a, at)) {
        if (keptBytes > 0) {
          keep(chunk, at, newline);
          finish();
        } else visitLine(chunk, at, newline);
        at = newline + 1;
      }
      keep(chunk, at, chunk.length);
    },
  };
}
