import { isSpace } from './json-scanner.js';

/** Lines of NDJSON in bytes: LF or CR LF, empty lines skipped, nothing copied. */

/**
 * Calls `visit` for every line of `bytes[start, end)` with the line's own bounds: no line end, no CR, no empty lines.
 * Returns where the last, unfinished line begins; with `isLast` that line is visited too and the result is `end`.
 */
export function eachLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  isLast: boolean,
  visit: (start: number, end: number) => void,
): number {
  let at = start;
  while (at < end) {
    let newline = bytes.indexOf(0x0a, at);
    if (newline < 0 || newline >= end) {
      if (!isLast) return at;
      newline = end;
    }
    visitLine(bytes, at, newline, visit);
    at = newline + 1;
  }
  return end;
}

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
export function createLineSplitter(
  lineBytesMax: number,
  visit: (bytes: Uint8Array, start: number, end: number) => void,
): LineSplitter {
  const kept = new Uint8Array(lineBytesMax + 1);
  let keptBytes = 0;

  const keep = (chunk: Uint8Array, start: number, end: number): void => {
    const taken = Math.min(end - start, kept.length - keptBytes);
    kept.set(chunk.subarray(start, start + taken), keptBytes);
    keptBytes += taken;
  };
  const finish = (): void => {
    visitLine(kept, 0, keptBytes, (start, end) => visit(kept, start, end));
    keptBytes = 0;
  };
  return {
    finish,
    push(chunk) {
      let at = 0;
      if (keptBytes > 0) {
        const newline = chunk.indexOf(0x0a);
        keep(chunk, 0, newline < 0 ? chunk.length : newline);
        if (newline < 0) return;
        finish();
        at = newline + 1;
      }
      const rest = eachLine(chunk, at, chunk.length, false, (start, end) => visit(chunk, start, end));
      keep(chunk, rest, chunk.length);
    },
  };
}

function visitLine(bytes: Uint8Array, start: number, end: number, visit: (start: number, end: number) => void): void {
  while (start < end && isSpace(bytes[start]!)) start++;
  while (start < end && isSpace(bytes[end - 1]!)) end--;
  if (start < end) visit(start, end);
}
