import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { withTables } from '../../docs/generate.js';

const manual = readFileSync(fileURLToPath(new URL('../../docs/patterns.md', import.meta.url)), 'utf8');

it('the manual of the pattern language is what the code says (npx tsx docs/generate.ts)', () => {
  expect(withTables(manual)).toBe(manual);
});
