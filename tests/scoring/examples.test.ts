import { describe, expect, it } from 'vitest';
import { exampleStream } from '../../src/scoring/example-stream.js';
import { parsePattern } from '../../src/scoring/pattern.js';
import { patternText } from '../support/pattern-text.js';

/** A pattern with these lines under `accounts`, and one hit with these lines in its stream. */
function withExample(accounts: string, line: string, subject = 'acme'): string {
  return patternText()
    .replace(/accounts:\n[^]*?examples:/, `accounts:\n${accounts.replaceAll(/^/gm, '  ')}\nexamples:`)
    .replace('subject: acme', `subject: ${subject}`)
    .replace(/transactions: \[.*\]/, `transactions: [${line}]`);
}

function transactionsOf(text: string) {
  const result = parsePattern(text, 'T01.yaml');
  if (result.kind === 'broken') throw new Error(result.problems.map(({ message }) => message).join('\n'));
  const { pattern } = result.parsed;
  return exampleStream(pattern, pattern.examples.hits[0]!).flatMap((item) =>
    item.kind === 'transaction' ? [item.transaction] : [],
  );
}

describe('names in examples', () => {
  const described = (template: string, name: string) => {
    const accounts = `acme: { kind: corporate }\n${JSON.stringify(template)}: { kind: personal }`;
    const [transaction] = transactionsOf(
      withExample(accounts, `{ at: 2026-07-01 10:00, from: acme, to: ${JSON.stringify(name)}, yuan: 1 }`),
    );
    return transaction!.payee.kind;
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
