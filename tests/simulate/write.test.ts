import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registerSimulate } from '../../src/commands/simulate.js';

const paths = { config: fileURLToPath(new URL('../../config', import.meta.url)), console: '' };

describe('huqi simulate', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'huqi-simulate-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const small = ['--accounts', '1000', '--transactions', '3000'];
  async function simulate(...args: string[]) {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    let exitCode = 0;
    const program = new Command('huqi');
    registerSimulate(program, { stdout, stderr, clock: Date, paths, setExitCode: (code) => (exitCode = code) });
    await program.parseAsync(['node', 'huqi', 'simulate', ...args]);
    const read = (stream: PassThrough): string => String(stream.read() ?? '');
    return { exitCode, out: read(stdout), err: read(stderr) };
  }
  const path = (name: string) => join(directory, name);
  const lines = (name: string) => readFileSync(path(name), 'utf8').trimEnd().split('\n');

  it('writes the transactions and the labels of the planted ones, and says how many', async () => {
    const { exitCode, out, err } = await simulate(
      ...small,
      '--seed',
      '4',
      '--out',
      path('day.ndjson'),
      '--labels',
      path('labels.ndjson'),
    );
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    const ids = new Set(lines('day.ndjson').map((line) => (JSON.parse(line) as { id: string }).id));
    expect(ids.size).toBe(3_000);
    const labels = lines('labels.ndjson').map(
      (line) => JSON.parse(line) as { transaction: string; label: number; typology: string; scheme: number; accounts: string[] },
    );
    expect(labels.every((label) => ids.has(label.transaction))).toBe(true);
    expect(Object.keys(labels[0] ?? {})).toEqual(['transaction', 'label', 'typology', 'scheme', 'accounts']);
    expect(labels.every(({ scheme, accounts }) => scheme > 0 && accounts.length > 0)).toBe(true);
    expect(new Set(labels.map(({ typology }) => typology)).size).toBe(12);
    expect(out).toContain('3000 transactions');
    expect(out).toContain(`${labels.length} of them planted`);
    expect(readdirSync(directory).toSorted()).toEqual(['day.ndjson', 'labels.ndjson']);
  });

  it('writes the sample day that ships by the command that the README names', async () => {
    const readme = readFileSync(join(paths.config, '../README.md'), 'utf8');
    const [, flags = ''] = /sample day is made by `npx huqi simulate ([^`]+)`/.exec(readme) ?? [];
    expect(flags).not.toBe('');
    await simulate(...flags.split(' '), '--out', path('day.gz'), '--labels', path('labels.ndjson'));
    const shipped = (name: string) => readFileSync(join(paths.config, 'sample', name));
    const day = gunzipSync(shipped('day.ndjson.gz'));
    // The packing differs from one release of zlib to another.
    expect(gunzipSync(readFileSync(path('day.gz'))).equals(day)).toBe(true);
    expect(readFileSync(path('labels.ndjson')).equals(shipped('labels.ndjson'))).toBe(true);

    const records = day.toString('utf8').trimEnd().split('\n');
    const payments = records
      .map((line) => JSON.parse(line) as { type?: string; payer: { creditCode?: string }; payee: { creditCode?: string } })
      .filter(({ type }) => type === undefined);
    const enterprises = new Set(payments.flatMap(({ payer, payee }) => [payer.creditCode, payee.creditCode]));
    expect(payments).toHaveLength(28_000);
    expect(enterprises.size).toBeGreaterThan(2_000);
    expect(new Set(lines('labels.ndjson').map((line) => (JSON.parse(line) as { typology: string }).typology)).size).toBe(66);
    expect(shipped('day.ndjson.gz').length).toBeLessThan(3_000_000);
  }, 60_000);

  it('writes the same bytes again, compressed where the name ends in .gz', async () => {
    await simulate(...small, '--seed', '4', '--out', path('day.ndjson'));
    await simulate(...small, '--seed', '4', '--out', path('a.gz'));
    await simulate(...small, '--seed', '4', '--out', path('b.gz'));
    expect(readFileSync(path('a.gz')).equals(readFileSync(path('b.gz')))).toBe(true);
    expect(gunzipSync(readFileSync(path('a.gz'))).equals(readFileSync(path('day.ndjson')))).toBe(true);
  });

  it('prints its summary as JSON when asked', async () => {
    const { out } = await simulate(...small, '--out', path('day.ndjson'), '--json');
    const summary = JSON.parse(out) as { transactions: number; typologies: Record<string, { schemes: number }> };
    expect(summary.transactions).toBe(3_000);
    expect(summary.typologies['M16']?.schemes).toBe(1);
  });

  it('plants only the schemes that are asked for, and the reference records where they are asked for', async () => {
    const args = [
      ...small,
      '--plants',
      'm16, V01',
      '--references',
      '--out',
      path('day.ndjson'),
      '--labels',
      path('labels.ndjson'),
    ];
    const { out, err } = await simulate(...args);
    expect(err).toBe('');
    expect(out).toMatch(/3000 transactions and \d+ reference records/);
    const typologies = lines('labels.ndjson').map((line) => (JSON.parse(line) as { typology: string }).typology);
    expect([...new Set(typologies)].toSorted()).toEqual(['M16', 'V01']);
    const types = lines('day.ndjson').flatMap((line) => (JSON.parse(line) as { type?: string }).type ?? []);
    expect(new Set(types)).toEqual(new Set(['profile', 'list', 'exchange-rate']));
  });

  it('writes the business of some days where --days comes without --transactions', async () => {
    const args = ['--accounts', '3000', '--days', '3', '--from', '2026-09-29', '--plants', 'none', '--json'];
    const { out, err } = await simulate(...args, '--out', path('days.ndjson'), '--no-references');
    expect(err).toBe('');
    expect(JSON.parse(out)).toMatchObject({ from: '2026-09-29', days: 3, labelled: 0, references: 0 });
    const written = lines('days.ndjson').map((line) => JSON.parse(line) as { time: string; channel: string });
    expect(written.at(-1)?.time.slice(0, 10)).toBe('2026-10-01');
    const offices = (date: string) => written.filter(({ time, channel }) => time.startsWith(date) && channel === 'ebank').length;
    // A Thursday, but a holiday: nobody but shops that refund.
    expect(offices('2026-10-01')).toBeLessThan(10);
    expect(offices('2026-09-30')).toBeGreaterThan(50);
  });

  it('names every wrong argument at once, writes nothing and exits with 2', async () => {
    const { exitCode, err } = await simulate('--accounts', '10', '--seed', '-1', '--date', '2026-02-30');
    expect(exitCode).toBe(2);
    for (const mistake of [
      '--accounts: ',
      '--seed: ',
      '--date: expected a date such as 2026-07-01, found "2026-02-30"',
      '--out: ',
    ]) {
      expect(err).toContain(mistake);
    }
    expect((await simulate('--plants', 'V01,V99', '--schemes', '2', '--out', path('day.ndjson'))).err).toMatch(
      /--schemes: it needs --days[^]*--plants: there is no scheme "V99"; there are V01, V02|--plants: there is no scheme "V99"[^]*--schemes/,
    );
    expect(readdirSync(directory)).toEqual([]);
  });

  it('says so in one line, leaves no half-written file and exits with 1 when it cannot write', async () => {
    const { exitCode, err, out } = await simulate(...small, '--out', path('missing/day.ndjson'));
    expect(exitCode).toBe(1);
    expect(err).toMatch(/^huqi simulate: .*missing.*\n$/);
    expect(out).toBe('');
    writeFileSync(path('file'), '');
    expect((await simulate(...small, '--out', path('day.ndjson'), '--labels', path('file/labels.ndjson'))).exitCode).toBe(1);
    expect(readdirSync(directory).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});
