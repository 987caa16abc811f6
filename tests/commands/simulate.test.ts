import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/embedded.js';
import { failureOf, huqi } from '../support/huqi.js';

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);
const size = ['--accounts', '3000', '--transactions', '16000'];

interface Summary {
  readonly transactions: { readonly lines: number; readonly rejected: number; readonly duplicates: number };
  readonly labels: {
    readonly labelled: number;
    readonly overall: { readonly recall: number };
    readonly byPattern: Readonly<Record<string, { readonly precision: number; readonly casesFound: number }>>;
  };
}

it('writes a labelled day that scoring reads whole and whose frauds it finds', { timeout: 120_000 }, async () => {
  const written = await huqi(['simulate', ...size, '--seed', '7', '--out', at('day'), '--labels', at('labels'), '--json']);
  expect(written, written.stderr).toMatchObject({ code: 0, stderr: '' });
  const labelled = readFileSync(at('labels'), 'utf8').trim().split('\n').length;
  expect(JSON.parse(written.stdout)).toMatchObject({ transactions: 16_000, labelled });
  const scored = await huqi(['score', at('day'), '--labels', at('labels'), '--json']);
  expect(scored, scored.stderr).toMatchObject({ code: 0, stderr: '' });
  const { transactions, labels } = JSON.parse(scored.stdout) as Summary;
  expect(transactions).toMatchObject({ lines: 16_000, rejected: 0, duplicates: 0 });
  expect(labels.labelled).toBe(labelled);
  for (const pattern of ['M01', 'M03', 'M04', 'M07', 'M08', 'M16', 'V01']) {
    expect(labels.byPattern[pattern]?.precision, pattern).toBeGreaterThan(0.5);
    expect(labels.byPattern[pattern]?.casesFound, pattern).toBeGreaterThan(0);
  }
  expect(labels.overall.recall).toBeGreaterThan(0.25);
});

it('writes the same bytes for the same seed, packed or not, and others for another seed', { timeout: 120_000 }, async () => {
  await huqi(['simulate', ...size, '--seed', '7', '--out', at('one.ndjson')]);
  await huqi(['simulate', ...size, '--seed', '7', '--out', at('two.ndjson.gz')]);
  await huqi(['simulate', ...size, '--seed', '8', '--out', at('other.ndjson')]);
  const one = readFileSync(at('one.ndjson'));
  expect(gunzipSync(readFileSync(at('two.ndjson.gz'))).equals(one)).toBe(true);
  expect(readFileSync(at('other.ndjson')).equals(one)).toBe(false);
});

it('says in one sentence that a file cannot be written', async () => {
  const outcome = await huqi(['simulate', ...size, '--out', at('none/day.ndjson')]);
  expect(outcome.stderr).toMatch(/none\/day\.ndjson\S* does not exist/);
  expect(failureOf(outcome)).toEqual({ code: 1, lines: 1, hasStack: false });
});
