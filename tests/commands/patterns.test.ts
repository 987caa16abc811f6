import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { patternSchema } from '../../src/scoring/pattern.js';
import { fields, functions, profileFields } from '../../src/scoring/vocabulary/vocabulary.js';
import { temporaryDirectory } from '../support/embedded.js';
import { config, failureOf, huqi } from '../support/huqi.js';

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const data = ['--data', join(directory, 'data')];
const shipped = readFileSync(join(config, 'patterns/M03-rapid-in-out.yaml'), 'utf8');

const shippedIds = readdirSync(join(config, 'patterns'))
  .map((file) => file.split('-')[0] ?? file)
  .toSorted((a, b) => (a < b ? -1 : 1));

/** A pattern file with these words put in place of others, each of which must be there. */
function patternFile(name: string, ...changes: readonly (readonly [string, string])[]): string {
  let text = shipped;
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the shipped pattern does not hold ${from}`);
    text = text.replace(from, to);
  }
  const file = join(directory, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const listSchema = z.object({
  patternSet: z.string(),
  patterns: z.array(z.looseObject({ id: z.string(), version: z.int(), state: z.string() })),
});

async function inForce(): Promise<z.infer<typeof listSchema>> {
  const outcome = await huqi(['patterns', 'list', ...data, '--json']);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0, stderr: '' });
  return listSchema.parse(JSON.parse(outcome.stdout));
}

describe('huqi patterns check', () => {
  it('finds the patterns that ship good, all of their examples as expected', async () => {
    const { code, stdout } = await huqi(['patterns', 'check', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, patterns: shippedIds.length, problems: [], failed: [] });
  });

  it('names file, line and column of an unknown field', async () => {
    const file = patternFile('unknown.yaml', ['>= params.timesMin', '>= params.timesMinimum']);
    const line =
      readFileSync(file, 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('timesMinimum')) + 1;
    const outcome = await huqi(['patterns', 'check', file]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toMatch(new RegExp(`unknown\\.yaml:${line}:\\d+ `));
    expect(outcome.stdout).toContain('timesMinimum');
  });

  it('says which example fails when a threshold no longer fits it', async () => {
    const outcome = await huqi(['patterns', 'check', patternFile('strict.yaml', ['bigFen: 10000000', 'bigFen: 90000000'])]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toContain('M03 example "100,000 yuan stay for two minutes": must hit but does not');
  });

  it('says at once what is wrong in several files, an example that cannot be run among it', async () => {
    const id = (to: string) => ['id: M03', `id: ${to}`] as const;
    patternFile('several/a.yaml', id('Z01'), ['severity:', 'severty:']);
    patternFile('several/b.yaml', id('Z02'), ['at: 2026-07-01', 'at: 2026-13-01']);
    patternFile('several/c.yaml', id('Z03'), ['bigFen: 10000000', 'bigFen: 90000000']);
    const outcome = await huqi(['patterns', 'check', join(directory, 'several')]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toMatch(/^a\.yaml:\d+:1 severty: unknown field "severty"; did you mean "severity"\?$/m);
    expect(outcome.stdout).toMatch(/^b\.yaml:\d+:\d+ examples\.hits\.0\.transactions\.0\.at: there is no day and time/m);
    expect(outcome.stdout).toContain('Z03 example "100,000 yuan stay for two minutes": must hit but does not');
  });

  it('refuses files whose Chinese is not UTF-8 by their names', async () => {
    const files = ['first.yaml', 'second.yaml'].map((name) => patternFile(`gbk/${name}`));
    const gbk = Buffer.concat([Buffer.from(shipped), Buffer.from([0x23, 0x20, 0xbb, 0xa4, 0xc6, 0xf3, 0x0a])]);
    for (const file of files) writeFileSync(file, gbk);
    for (const args of [
      ['check', join(directory, 'gbk')],
      ['push', join(directory, 'gbk'), ...data],
    ]) {
      const outcome = await huqi(['patterns', ...args]);
      expect(outcome.stderr).toContain(`${files.join(', ')}: not UTF-8`);
      expect(failureOf(outcome)).toEqual({ code: 1, lines: 1, hasStack: false });
    }
  });

  it('says in one sentence that a file is not there', async () => {
    const outcome = await huqi(['patterns', 'check', join(directory, 'none.yaml')]);
    expect(outcome.stderr).toContain('none.yaml does not exist');
    expect(failureOf(outcome)).toEqual({ code: 1, lines: 1, hasStack: false });
  });
});

describe('huqi patterns on a data directory', () => {
  it('lists nothing of a directory that is not there, and does not make it', async () => {
    const outcome = await huqi(['patterns', 'list', ...data]);
    expect(outcome.stderr).toMatch(/holds no HuQi data; check --data/);
    expect(failureOf(outcome)).toEqual({ code: 1, lines: 1, hasStack: false });
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });

  it('is seeded by the first push with those that ship', async () => {
    const outcome = await huqi(['patterns', 'push', join(config, 'patterns/M03-rapid-in-out.yaml'), ...data]);
    expect(outcome.stdout, outcome.stderr).toContain('0 added, 0 changed, 1 the same');
  });

  it('lists those that ship on a new one', async () => {
    const { patterns } = await inForce();
    expect(patterns.map(({ id }) => id)).toEqual(shippedIds);
    expect((await huqi(['patterns', 'list', ...data])).stdout).toMatch(/M03 +2 +active +mule +high +mule-account +快进快出/);
  });

  it('shows one with its condition and thresholds, and says how to find those that there are', async () => {
    const { code, stdout } = await huqi(['patterns', 'show', 'M03', ...data]);
    expect(code).toBe(0);
    expect(stdout).toContain('M03 version 2, active');
    expect(stdout).toContain('count(passedBig, "24h") >= 1');
    expect(stdout).toContain('bigFen: 10000000');
    const unknown = await huqi(['patterns', 'show', 'Z99', ...data]);
    expect(unknown.stderr).toContain('there is no pattern Z99 in force; huqi patterns list shows them');
    expect(failureOf(unknown)).toEqual({ code: 1, lines: 1, hasStack: false });
  });

  it('refuses a broken push by file, line and column, and the set in force stays', async () => {
    const before = await inForce();
    const broken = patternFile('broken.yaml', ['version: 2', 'version: 9'], ['"24h") >= 1 &&', '"24h") >= &&']);
    const line =
      readFileSync(broken, 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('>= &&')) + 1;
    const good = patternFile('good.yaml', ['id: M03', 'id: M90']);
    const outcome = await huqi(['patterns', 'push', good, broken, ...data]);
    expect(outcome.stderr).toMatch(new RegExp(`broken\\.yaml:${line}:\\d+ `));
    expect(outcome.stderr).toContain('nothing was pushed; the set in force stays');
    expect(failureOf(outcome)).toMatchObject({ code: 1, hasStack: false });
    expect(await inForce()).toEqual(before);
  });

  it('refuses another text under the same version, and the set in force stays', async () => {
    const before = await inForce();
    const outcome = await huqi([
      'patterns',
      'push',
      patternFile('same-version.yaml', ['bigFen: 10000000', 'bigFen: 20000000']),
      ...data,
    ]);
    expect(outcome.stderr).toMatch(
      /same-version\.yaml:\d+:\d+ version: M03 is in force as version 2 with another text; raise the version to 3/,
    );
    expect(failureOf(outcome)).toMatchObject({ code: 1, hasStack: false });
    expect(await inForce()).toEqual(before);
  });

  it('puts a higher version into force, and pushing it again changes nothing', async () => {
    const before = await inForce();
    const file = patternFile('higher.yaml', ['version: 2', 'version: 3'], ['bigFen: 10000000', 'bigFen: 9000000']);
    const pushed = await huqi(['patterns', 'push', file, ...data, '--by', 'the test']);
    expect(pushed).toMatchObject({ code: 0, stderr: '' });
    expect(pushed.stdout).toContain('0 added, 1 changed, 0 the same');
    const after = await inForce();
    expect(after.patternSet).not.toBe(before.patternSet);
    expect(after.patterns.find(({ id }) => id === 'M03')?.version).toBe(3);
    expect((await huqi(['patterns', 'push', file, ...data])).stdout).toContain('0 added, 0 changed, 1 the same');
    expect(await inForce()).toEqual(after);
  });
});

describe('help for an editor', () => {
  it('completes every field and function of the language, with a place for each argument', async () => {
    const { code, stdout } = await huqi(['patterns', 'complete', '--json']);
    expect(code).toBe(0);
    const items = z
      .array(
        z.object({ label: z.string(), kind: z.string(), detail: z.string(), documentation: z.string(), insertText: z.string() }),
      )
      .parse(JSON.parse(stdout));
    const labels = (kind: string) => items.filter((item) => item.kind === kind).map(({ label }) => label);
    const ofProfiles = Object.keys(profileFields).map((name) => `profile(self).${name}`);
    expect(labels('field')).toEqual([...Object.keys(fields), ...ofProfiles]);
    expect(labels('function')).toEqual(Object.keys(functions));
    expect(labels('stream')).toEqual(['debit', 'credit', 'any']);
    expect(items.find(({ label }) => label === 'count')).toMatchObject({ insertText: 'count(${1:stream}, "${2:window}")' });
    expect(items.find(({ label }) => label === 'mentions')).toMatchObject({ insertText: 'mentions(${1:text}, ${2:words})' });
  });

  it('describes a pattern file as a JSON schema that knows every key of it', async () => {
    const { code, stdout } = await huqi(['patterns', 'schema']);
    expect(code).toBe(0);
    const schema = z
      .looseObject({ type: z.literal('object'), properties: z.record(z.string(), z.unknown()), required: z.array(z.string()) })
      .parse(JSON.parse(stdout));
    expect(Object.keys(schema.properties)).toEqual(Object.keys(patternSchema.shape));
    expect(schema.required).toContain('when');
    // What has a default need not be written.
    expect(schema.required).not.toContain('subjects');
    expect(schema['additionalProperties']).toBe(false);
  });
});

describe('the help', () => {
  const commands = [
    'up',
    'score',
    'send',
    'simulate',
    'doctor',
    'bench',
    'patterns check',
    'patterns push',
    'patterns list',
    'patterns show',
    'patterns activate',
    'patterns rollback',
    'patterns log',
    'keys',
  ];
  it.each(commands)('of huqi %s holds examples and exit codes', async (command) => {
    const { code, stdout } = await huqi([...command.split(' '), '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Examples:\n {2}\$ /m);
    expect(stdout).toMatch(/^Exit codes: 0 /m);
  });
});
