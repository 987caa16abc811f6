import { describe, expect, it } from 'vitest';
import { compilePatternSet } from '../../src/scoring/pattern-set.js';
import { scalarOffsets } from '../../src/scoring/scalar-offsets.js';
import { patternText } from '../support/pattern-text.js';
import { workingDays } from '../support/patterns.js';

const file = 'T01.yaml';
const expression = /when: \|\n {2}.*/;

/** Each problem with what stands in the file where it points. */
function problemsOf(...texts: readonly string[]): string[] {
  const result = compilePatternSet(
    texts.map((text, i) => ({ file: texts.length > 1 ? `T0${i + 1}.yaml` : file, text })),
    workingDays,
  );
  if (result.kind === 'compiled') return [];
  return result.problems.map(({ file: of, line, column, path, message }) => {
    const lines = texts[Number(of.slice(2, 3)) - 1]!.split('\n');
    return `${path} at ${lines[line - 1]!.slice(column - 1).slice(0, 12)}: ${message}`;
  });
}

describe('a problem of a pattern file points at what is wrong', () => {
  it.each([
    [
      'a misspelt field',
      patternText().replace('severity:', 'severety:'),
      'severety at severety: hi: unknown field "severety"; did you mean "severity"?',
    ],
    [
      'a misspelt field of a stream',
      patternText({ extra: 'streams: { a: { of: debit, wehn: tx.isCny } }' }),
      'streams.a.wehn at wehn: tx.isC: unknown field "wehn"; did you mean "when"?',
    ],
    [
      'a misspelt field of an account',
      patternText().replace('acme: { kind', 'acme: { knid'),
      'accounts.acme.knid at knid: corpor: unknown field "knid"; did you mean "kind"?',
    ],
    [
      'a misspelt field of an example',
      patternText().replace('yuan:', 'yaun:'),
      'examples.hits.0.transactions.0.yaun at yaun: 123456: unknown field "yaun"; did you mean "yuan"?',
    ],
    [
      'a wrong value of an example',
      patternText().replace(/yuan: [\d.]+/, 'yuan: -1'),
      'examples.hits.0.transactions.0.yuan at -1 }]: Too small: expected number to be >0',
    ],
    [
      'an escaped reason',
      patternText().replace('en: "The amount is', String.raw`en: "\"The\" \u0061mount \U0001F4B0 ${'${wan(tx.amuntFen)}'} is`),
      'reason.en at tx.amuntFen): unknown field "tx.amuntFen"',
    ],
    [
      'a reason in single quotes',
      patternText().replace('en: "The amount is peculiar"', "en: 'The bank''s ${wan(a)}'"),
      'reason.en at a)}\' }: unknown name "a"',
    ],
    [
      'a plain condition of several lines',
      patternText().replace(expression, 'when: tx.isCny &&\n  tx.isCny &&\n\n  tx.iCny'),
      'when at tx.iCny: unknown field "tx.iCny"',
    ],
    [
      'a condition in double quotes',
      patternText().replace(expression, 'when: "tx.remark == \\"a\\" &&\n  tx.isCny && \\\n   tx.iCny"'),
      'when at tx.iCny": unknown field "tx.iCny"',
    ],
    [
      'a slot that is not closed',
      patternText().replace('The amount is', 'The amount ${wan(tx.amountFen) is'),
      'reason.en at ${wan(tx.amo: "${" is never closed by "}"',
    ],
    [
      'a stream that comes too late',
      patternText({ extra: "streams:\n  a: { of: debit, when: 'now(b)' }\n  b: { of: debit }" }),
      'streams.a.when at b)\' }: the stream "b" must stand before the one that uses it',
    ],
    [
      'a share of debits',
      patternText({ extra: 'streams:\n  a: { of: debit, share: 0.5 }' }),
      'streams.a at { of: debit,: share and within go with of: lots',
    ],
    [
      'lots without a time',
      patternText({ extra: 'streams:\n  a: { of: lots, share: 0.5 }' }),
      'streams.a at { of: lots, : streams of: lots need share and within',
    ],
    [
      'a stream that is there already',
      patternText({ extra: 'streams:\n  debit: { of: debit }' }),
      'streams.debit at { of: debit : "debit" is a stream that every pattern has',
    ],
  ])('%s', (_, text, told) => {
    const problems = problemsOf(text);
    expect(problems[0]).toContain(told);
  });

  it('a field that is missing', () => {
    expect(problemsOf(patternText().replace('side: victim\n', ''))).toEqual([
      expect.stringMatching(/^side at id: T01: missing; .*victim/),
    ]);
  });

  it('an id that another file has', () => {
    expect(problemsOf(patternText(), patternText())).toEqual(['id at T01: pattern T01 stands in T01.yaml already']);
  });
});

describe('offsets of a scalar', () => {
  it.each([
    ['plain', 'a b', 'a b', [0, 1, 2, 3]],
    ['plain', 'a\n  b', 'a b', [0, 1, 4, 5]],
    ['plain', 'a\r\n\r\n\r\nb', 'a\n\nb', [0, 1, 1, 7, 8]],
    ['single', "'a''b'", "a'b", [1, 2, 4, 5]],
    ['double', String.raw`"\"\u0041b"`, '"Ab', [1, 3, 9, 10]],
    ['double', '"a \\\n   b"', 'a b', [1, 2, 8, 9]],
  ] as const)('%s %j', (type, raw, value, offsets) => {
    expect(scalarOffsets(raw, type, value.length)).toEqual(offsets);
  });

  it('are not guessed', () => expect(scalarOffsets('ab', 'plain', 3)).toBeNull());
});
