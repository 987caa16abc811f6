import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { whereAbout } from '../src/scoring/vocabulary/definitions.js';
import { baseStreams, fields, functions, profileFields } from '../src/scoring/vocabulary/vocabulary.js';

/** Writes the tables of the pattern manual from the code: `npx tsx docs/generate.ts`. */

const manual = fileURLToPath(new URL('patterns.md', import.meta.url));
const cell = (text: string): string => text.replaceAll('|', '\\|');

export function renderTables(): string {
  const fieldRows = Object.entries(fields).map(
    ([name, { type, unit, doc, about }]) =>
      `| \`${name}\` | ${type} | ${unit ?? ''} | ${cell(doc)}${about ? ` (only ${whereAbout[about]})` : ''} |`,
  );
  const profileRows = Object.entries(profileFields).map(
    ([name, { type, unit, doc }]) => `| \`profile(self).${name}\` | ${type} | ${unit ?? ''} | ${cell(doc)} |`,
  );
  const functionRows = Object.entries(functions).map(
    ([name, { usage, example, exactness, cost, about, doc }]) =>
      `| \`${name}\` | \`${cell(usage)}\` | ${exactness} | ${cost} | ${cell(doc)}${about ? ` (only ${whereAbout[about]})` : ''} | \`${cell(example)}\` |`,
  );
  return [
    `Streams that every pattern has: ${[...baseStreams.keys()].map((name) => `\`${name}\``).join(', ')}.`,
    '',
    '### Fields',
    '',
    '| field | type | unit | meaning |',
    '|---|---|---|---|',
    ...fieldRows,
    ...profileRows,
    '',
    '### Functions',
    '',
    'Cost: *kept* is a number that is there, *look-up* one look into a table, *walk* goes over the latest legs of the window (at most 2,000,',
    "of a pair 256, of a named stream 4,096, of a named stream's legs with the counterparty those among the pair's latest 4,096; for amounts like this one's, 2,000 in each class of a sixteenth of an octave): put walks behind",
    'cheaper conditions.',
    '',
    '| function | usage | exactness | cost | meaning | example |',
    '|---|---|---|---|---|---|',
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
