import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineSplitter, eachLine } from '../../src/scoring/lines.js';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array, start: number, end: number) => new TextDecoder().decode(bytes.subarray(start, end));

function linesOf(text: string, isLast: boolean): { lines: string[]; rest: number } {
  const bytes = encode(text);
  const lines: string[] = [];
  const rest = eachLine(bytes, 0, bytes.length, isLast, (start, end) => lines.push(decode(bytes, start, end)));
  return { lines, rest };
}

describe('lines of a body', () => {
  it('are told apart by LF or CR LF, and empty ones are skipped', () => {
    expect(linesOf('a\r\n\n \nb c\n\r\nd', true)).toEqual({ lines: ['a', 'b c', 'd'], rest: 13 });
    expect(linesOf('', true)).toEqual({ lines: [], rest: 0 });
    expect(linesOf('\n', true)).toEqual({ lines: [], rest: 1 });
  });

  it('leave an unfinished last one to the next call', () => {
    expect(linesOf('a\nbc', false)).toEqual({ lines: ['a'], rest: 2 });
    expect(linesOf('a\n', false)).toEqual({ lines: ['a'], rest: 2 });
  });

  it('stay within the part of the buffer that was named', () => {
    const bytes = encode('xx\na\nb\nyy');
    const lines: string[] = [];
    expect(eachLine(bytes, 3, 6, true, (start, end) => lines.push(decode(bytes, start, end)))).toBe(6);
    expect(lines).toEqual(['a', 'b']);
  });
});

describe('lines over the borders of chunks', () => {
  it('are the same however the file is cut', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '郑', '\n', '\r\n', ' '), maxLength: 60 }),
        fc.array(fc.nat(12)),
        (text, cuts) => {
          const bytes = encode(text);
          const lines: string[] = [];
          const splitter = createLineSplitter(500, (chunk, start, end) => lines.push(decode(chunk, start, end)));
          let at = 0;
          for (const cut of cuts) splitter.push(bytes.subarray(at, (at += cut)));
          splitter.push(bytes.subarray(at));
          splitter.finish();
          const expected = text.split('\n').map((line) => line.replace(/^[ \r]+|[ \r]+$/g, ''));
          expect(lines).toEqual(expected.filter((line) => line !== ''));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([9, 10, 11, 1000])(
    'of %i bytes are visited with at most one byte more than the bound of 10, and the next line is whole',
    (length) => {
      const lines: string[] = [];
      const splitter = createLineSplitter(10, (chunk, start, end) => lines.push(decode(chunk, start, end)));
      for (const byte of encode(`${'x'.repeat(length)}\nnext`)) splitter.push(new Uint8Array([byte]));
      splitter.finish();
      expect(lines).toEqual(['x'.repeat(Math.min(length, 11)), 'next']);
    },
  );
});
