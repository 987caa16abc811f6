import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { baseStreams } from '../src/scoring/vocabulary/definitions.js';
import { fields, functions } from '../src/scoring/vocabulary/vocabulary.js';

/** Writes the tables of the pattern manual from the code: `npx tsx docs/generate.ts`. */

const manual = fileURLToPath(new URL('patterns.md', import.meta.url));
const cell = (text: string): string => text.replaceAll('|', '\\|');

export function renderTables(): string {
  const fieldRows = Object.entries(fields).map(
    ([name, { type, unit, doc, about }]) =>
      `| \`${name}\` | ${type} | ${unit ?? ''} | ${cell(doc)}${about ? ` (only in streams of: ${about})` : ''} |`,
  );
  const functionRows = Object.entries(functions).map(
    ([name, { usage, exactness, doc }]) => `| \`${name}\` | \`${cell(usage)}\` | ${exactness} | ${cell(doc)} |`,
  );
  return [
    `Streams that every pattern has: ${[...baseStreams.keys()].map((name) => `\`${name}\``).join(', ')}.`,
    '',
    '### Fields',
    '',
    '| field | type | unit | meaning |',
    '|---|---|---|---|',
    ...fieldRows,
    '',
    '### Functions',
    '',
    '| function | usage | exactness | meaning |',
    '|---|---|---|---|',
    ...functionRows,
  ].join('\n');
}

export function withTables(text: string): string {
  const [before, rest] = text.split('<!-- tables -->\n');
  const after = rest?.split('<!-- /tables -->')[1];
  if (before === undefined || after === undefined)
    throw new Error('docs/patterns.md has lost its markers <!-- tables --> and <!-- /tables -->');
  return `${before}<!-- tables -->\n\n${renderTables()}\n\n<!-- /tables -->${after}`;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(manual, withTables(readFileSync(manual, 'utf8')));
