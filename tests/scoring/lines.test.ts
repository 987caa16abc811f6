import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineSplitter } from '../../src/scoring/lines.js';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array, start: number, end: number) => new TextDecoder().decode(bytes.subarray(start, end));

function linesOf(text: string): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter(100, (bytes, start, end, line) => lines.push(`${line} ${decode(bytes, start, end)}`));
  splitter.push(encode(text));
  splitter.finish();
  return lines;
}

describe('lines of a body', () => {
  it('are told apart by LF or CR LF, and empty ones are skipped and counted', () => {
    expect(linesOf('a\r\n\n \nb c\n\r\nd')).toEqual(['1 a', '4 b c', '6 d']);
    expect(linesOf('')).toEqual([]);
    expect(linesOf('\n\nend\n')).toEqual(['3 end']);
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
          const lines: [number, string][] = [];
          const splitter = createLineSplitter(500, (chunk, start, end, line) => lines.push([line, decode(chunk, start, end)]));
          let at = 0;
          for (const cut of cuts) splitter.push(bytes.subarray(at, (at += cut)));
          splitter.push(bytes.subarray(at));
          splitter.finish();
          const expected = text.split('\n').map((line, i) => [i + 1, line.replace(/^[ \r]+|[ \r]+$/g, '')]);
          expect(lines).toEqual(expected.filter(([, line]) => line !== ''));
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
