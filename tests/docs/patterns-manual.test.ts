import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { withTables } from '../../docs/generate.js';
import { loadCatalogue } from '../../src/catalogue.js';
import { createCalendar } from '../../src/domain/calendar.js';
import { describeProblem } from '../../src/pipeline/pattern-store.js';
import { runExamples } from '../../src/scoring/example-runner.js';
import { exampleAccount, exampleLinesMax, exampleTransactionFields } from '../../src/scoring/pattern-example.js';
import { departments, patternOccasions, patternSchema } from '../../src/scoring/pattern.js';
import { compilePatternSet } from '../../src/scoring/pattern-set.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (name: string): string => readFileSync(`${root}${name}`, 'utf8');
const { calendar } = await loadCatalogue(`${root}config`);
const workingDays = createCalendar(calendar, { unknownYears: 'weekends' });

describe('the manual of the pattern language', () => {
  it('lists the fields and functions that the code has (npx tsx docs/generate.ts)', () => {
    const manual = read('docs/patterns.md');
    expect(withTables(manual)).toBe(manual);
  });
});

describe('the tables of the fields of a file', () => {
  const section = (title: string) => read('docs/patterns.md').split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;
  const rowOf = (text: string, field: string) =>
    text.split('\n').find((line) => line.startsWith('|') && line.split('|')[1]!.includes(`\`${field}\``));
  const [file, examples] = [section('The file'), section('Examples')];

  it.each(Object.keys(patternSchema.shape))('%s', (field) => expect(rowOf(file, field)).toBeDefined());

  it.each([...Object.keys(exampleAccount.shape), ...exampleTransactionFields])('of examples: %s', (field) => {
    expect(examples).toContain(`\`${field}\``);
  });

  it('name what stands in for a field that is left out, and the limits', () => {
    const shape = patternSchema.shape;
    expect(rowOf(file, 'ceiling')).toContain(`${shape.ceiling.parse(undefined)} where left out`);
    expect(rowOf(file, 'needs')).toContain('at most 12');
    for (const value of [...patternOccasions, ...departments]) expect(file).toContain(`\`${value}\``);
    expect(examples).toContain(`at most ${exampleLinesMax} lines`);
  });
});

describe.each(['README.md', 'docs/patterns.md'])('the whole patterns shown in %s', (name) => {
  const blocks = [...read(name).matchAll(/^```yaml pattern\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');

  it('are there', () => {
    expect(blocks.length).toBeGreaterThan(0);
  });

  it.each(blocks)('compile, and their examples hold: %#', (text) => {
    const result = compilePatternSet([{ file: name, text }], workingDays);
    if (result.kind === 'broken') throw new Error(result.problems.map(describeProblem).join('\n'));
    const outcomes = result.set.patterns.flatMap(({ pattern }) => runExamples(result.set, pattern));
    expect(outcomes.length).toBeGreaterThanOrEqual(2);
    for (const { example, expected, found } of outcomes) expect(found, example).toBe(expected);
  });
});
