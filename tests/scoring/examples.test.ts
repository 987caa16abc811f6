import { describe, expect, it } from 'vitest';
import { accountNamed } from '../../src/scoring/example-names.js';
import { problemsOf, runExamples } from '../../src/scoring/example-runner.js';
import { parsePattern } from '../../src/scoring/pattern.js';
import { patternText } from '../support/pattern-text.js';
import { compileOrThrow } from '../support/patterns.js';

const payment = '{ at: 2026-07-01 10:00, from: acme, to: other, yuan: 1 }';

/** A pattern with these lines under `accounts`, and one hit with these lines in its stream. */
function withExample(accounts: string, line: string, subject = 'acme'): string {
  return patternText()
    .replace(/accounts:\n[^]*?examples:/, `accounts:\n${accounts.replaceAll(/^/gm, '  ')}\nexamples:`)
    .replace('subject: acme', `subject: ${subject}`)
    .replace(/transactions: \[.*\]/, `transactions: [${line}]`);
}

describe('names in examples', () => {
  const described = (template: string, name: string) => {
    const result = parsePattern(withExample(`${JSON.stringify(template)}: { kind: personal }`, payment), 'T01.yaml');
    if (result.kind === 'broken') throw new Error(result.problems.map(({ message }) => message).join('\n'));
    return accountNamed(result.parsed.pattern, name, name)?.kind;
  };

  it.each([
    ['p{n}', 'p7', 'personal'],
    ['p{n}', 'p', undefined],
    ['p{n}', 'xp7', undefined],
    ['p{n}0', 'p10', 'personal'],
    ['{n}-{n}', '12-12', 'personal'],
    ['{n}-{n}', '12-13', undefined],
    ['客户(个{n}', '客户(个12', 'personal'],
    ['p.{n}', 'px1', undefined],
  ])('%s describes %s as %s', (template, name, kind) => {
    expect(described(template, name)).toBe(kind);
  });

  it('a name made of repetitions costs no time', () => {
    const startedMs = performance.now();
    expect(described('(a+)+{n}', `${'a'.repeat(28)}x`)).toBeUndefined();
    expect(described('{n}'.repeat(13), `${'1'.repeat(39)}x`)).toBeUndefined();
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});

function faultsOf(text: string): string[] {
  const result = parsePattern(text, 'T01.yaml');
  if (result.kind === 'broken') throw new Error(result.problems.map(({ message }) => message).join('\n'));
  const { parsed } = result;
  const outcomes = runExamples(compileOrThrow([{ file: 'T01.yaml', text }]), parsed.pattern);
  return problemsOf(parsed, outcomes).map(({ line, column, path, message }) => {
    // The word in the file that the position names.
    const word = /^[^,}\]\n]*/.exec(text.split('\n')[line - 1]!.slice(column - 1))![0].trim();
    return `${path} at ${word}: ${message}`;
  });
}

const accounts = 'acme: { kind: corporate }\nother: { kind: corporate }\n"p{n}": {}';
const paying = (yuan: number) => withExample(accounts, payment.replace('yuan: 1', `yuan: ${yuan}`));

describe('an example that cannot be run is refused at its place', () => {
  it.each([
    [
      'a month that is not',
      '{ at: 2026-13-01 10:00, from: acme, to: other, yuan: 1 }',
      'at at 2026-13-01 10:00: there is no day',
    ],
    ['a day that is not', '{ at: 2026-02-30 10:00, from: acme, to: other, yuan: 1 }', 'at at 2026-02-30 10:00: there is no day'],
    [
      'an hour that is not',
      '{ at: 2026-02-28 24:00, from: acme, to: other, yuan: 1 }',
      'at at 2026-02-28 24:00: there is no day',
    ],
    [
      'a time after all times',
      '{ at: 2199-12-30 10:00, from: acme, to: other, yuan: 1, times: 9, every: 9d }',
      'every at 9d: the last',
    ],
    [
      'a year before all times',
      '{ at: 1985-05-01 10:00, from: acme, to: other, yuan: 1 }',
      'at at 1985-05-01 10:00: 1985-05-01 10:00 lies',
    ],
    ['less than a fen', '{ at: 2026-07-01 10:00, from: acme, to: other, yuan: 0.001 }', 'yuan at 0.001: expected at least 1 fen'],
    [
      'a balance beyond all sums',
      '{ at: 2026-07-01 10:00, from: acme, to: other, yuan: 1, fromBalance: 1.0e+300 }',
      'fromBalance at 1.0e+300: ',
    ],
    [
      'a currency that is not',
      '{ at: 2026-07-01 10:00, from: acme, to: other, yuan: 1, currency: cny }',
      'currency at cny: expected an ISO',
    ],
    [
      'a payer that is not declared',
      '{ at: 2026-07-01 10:00, from: Acme, to: acme, yuan: 1 }',
      'from at Acme: "Acme" is not among the accounts; did you mean "acme"?',
    ],
    [
      'a payee that every object has',
      '{ at: 2026-07-01 10:00, from: acme, to: constructor, yuan: 1 }',
      'to at constructor: "constructor" is not among',
    ],
    ['an unreadable record', '{ at: 2026-07-01 10:00, record: { type: stop-pay, account: acme, state: mad } }', 'record'],
    [
      'a record of a stranger',
      '{ at: 2026-07-01 10:00, record: { type: stop-pay, account: acmme, state: stopped } }',
      'record.account at acmme: "acmme" is not among',
    ],
  ])('%s', (_, line, told) => {
    const faults = faultsOf(withExample(accounts, line));
    expect(faults.join('\n')).toContain(`examples.hits.0.transactions.0.${told}`);
  });

  it('a subject whom no line names', () => {
    const text = withExample(accounts, '{ at: 2026-07-01 10:00, from: "p{n}", to: other, yuan: 1, times: 2 }', 'acme');
    expect(faultsOf(text)).toEqual([
      expect.stringMatching(/^examples\.hits\.0\.subject at acme: no line of the example has "acme"/),
    ]);
    expect(faultsOf(paying(123456.77).replace('subject: acme', 'subject: acmme'))).toEqual([
      'examples.hits.0.subject at acmme: no line of the example has "acmme"; did you mean "acme"?',
    ]);
  });

  it('one that can be run and does not come out as it must is told by its name', () => {
    expect(faultsOf(paying(1))).toEqual([
      'examples.hits.0 at "the peculiar amount": example "the peculiar amount" must hit but does not',
    ]);
    expect(faultsOf(paying(123456.77))).toEqual([]);
  });
});
