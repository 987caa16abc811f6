import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { severities } from '../../src/domain/hit.js';
import { temporaryDirectory } from '../support/embedded.js';
import { config, failureOf, huqi, sample, sampleLines, startHuqi } from '../support/huqi.js';
import { shippedPatterns } from '../support/patterns.js';
import { shippedPolicy } from '../support/pipeline.js';

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);

const side = z.object({ inForce: z.int(), draft: z.int() });
const counts = z.object({
  hits: z.int(),
  byPattern: z.record(z.string(), z.int()),
  examples: z.array(z.looseObject({ pattern: z.string() })),
});
const warnings = z.looseObject({ total: z.int(), toEnterprise: z.int() });
const load = z.looseObject({
  enterprises: z.int(),
  median: z.int().nullable(),
  p95: z.int().nullable(),
  max: z.int().nullable(),
});
const ofPattern = z.object({ hits: z.int(), accounts: z.int() });
const reportSchema = z.looseObject({
  alone: z.boolean(),
  drafts: z.array(z.looseObject({ id: z.string(), version: z.int(), replaces: z.int().nullable() })),
  history: z.looseObject({ from: z.string(), to: z.string(), transactions: z.int() }),
  hits: side,
  warnings: z.object({ inForce: warnings, draft: warnings }),
  days: z.array(z.looseObject({ day: z.string(), transactions: z.int(), hits: side })),
  load: z.object({ inForce: load, draft: load }),
  changes: z.looseObject({ same: z.int(), added: counts, gone: counts, warnings: z.record(z.string(), z.int()) }),
  byPattern: z.record(z.string(), z.object({ inForce: ofPattern, draft: ofPattern })),
  wouldFire: z.record(
    z.string(),
    z.looseObject({ hits: z.int(), hitsPerThousand: z.number(), accounts: z.int(), warnings: z.int() }),
  ),
  evaluation: z
    .looseObject({ draft: z.looseObject({ overall: z.looseObject({ precision: z.number(), recall: z.number() }) }) })
    .nullable(),
  performance: z.unknown().optional(),
});
type Report = z.infer<typeof reportSchema>;

const textOf = (id: string): string =>
  shippedPatterns()
    .find(({ file }) => file.startsWith(`${id}-`))!
    .text.replace('version: 1', 'version: 2');
/** The set in force: some patterns, so that it is quick. */
const base = at('base');
mkdirSync(base);
const few = shippedPatterns().filter(({ file }) => /^(M0[1-8]|M12|M16|V01|V11|V12)-/.test(file));
for (const { file, text } of few) writeFileSync(join(base, file), text);
/** M03 with lower thresholds, so that it hits more, and V12 with a higher one, so that it hits less. */
const drafts = at('drafts');
mkdirSync(drafts);
const looser = textOf('M03').replace('timesMin: 3', 'timesMin: 1').replace('sumMin: 5000000', 'sumMin: 100');
const stricter = textOf('V12').replace(/minFen: \d+/, 'minFen: 900000000000');
writeFileSync(join(drafts, 'M03.yaml'), looser);
writeFileSync(join(drafts, 'V12.yaml'), stricter);

async function backtest(...args: string[]): Promise<Report> {
  const outcome = await huqi(['patterns', 'backtest', drafts, '--json', ...args]);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  return reportSchema.parse(JSON.parse(outcome.stdout));
}
/** Without what names files. */
const sameFor = (report: Report) => ({ ...withoutTime(report), patternSets: 0, drafts: 0 });
const withoutTime = (report: Report) => ({ ...report, performance: 0 });

describe('huqi patterns backtest', () => {
  let report: Report;
  beforeAll(async () => {
    report = await backtest(
      '--patterns',
      base,
      '--against',
      sample.day,
      '--labels',
      sample.labels,
      '--html',
      at('report.html'),
      '--hits',
      at('backtest.hits'),
    );
  }, 120_000);

  it('finds the very hits that huqi score finds with the drafts in place, byte for byte', async () => {
    const merged = at('merged');
    mkdirSync(merged);
    for (const { file, text } of few)
      writeFileSync(join(merged, file), file.startsWith('M03') ? looser : file.startsWith('V12') ? stricter : text);
    await huqi(['score', sample.day, '--patterns', merged, '--hits', at('score.hits'), '--threads', '1']);
    const hits = readFileSync(at('score.hits'));
    expect(hits.length).toBeGreaterThan(100_000);
    expect(readFileSync(at('backtest.hits')).equals(hits)).toBe(true);
    await huqi(['score', sample.day, '--patterns', base, '--summary', at('score.summary')]);
    const { hits: before } = z
      .looseObject({ hits: z.looseObject({ total: z.int() }) })
      .parse(JSON.parse(readFileSync(at('score.summary'), 'utf8')));
    expect(report.hits).toEqual({ inForce: before.total, draft: hits.toString('utf8').trimEnd().split('\n').length });
  });

  it('says what is new and what is gone, pattern by pattern, with examples', () => {
    const { added, gone, same } = report.changes;
    expect(Object.keys(added.byPattern)).toEqual(['M03']);
    expect(Object.keys(gone.byPattern)).toEqual(['V12']);
    expect(added.hits).toBeGreaterThan(5);
    expect(gone.hits).toBeGreaterThan(5);
    expect({ inForce: same + gone.hits, draft: same + added.hits }).toEqual(report.hits);
    expect(added.examples.map(({ pattern }) => pattern)).toEqual(Array.from({ length: 5 }, () => 'M03'));
    expect(report.wouldFire['V12']).toMatchObject({ hits: 0, warnings: 0 });
    expect(report.wouldFire['M03']!.hitsPerThousand).toBeCloseTo(
      (report.wouldFire['M03']!.hits / report.history.transactions) * 1_000,
      9,
    );
  });

  it('counts every transaction and hit in one of the days, and warnings by the platform’s own grouping', async () => {
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    expect(sum(report.days.map(({ transactions }) => transactions))).toBe(report.history.transactions);
    expect(sum(report.days.map(({ hits }) => hits.draft))).toBe(report.hits.draft);
    // By hand: one warning for an enterprise (or account), a family and a day, where its patterns together are strong enough.
    const { severityWeights, leastScore } = shippedPolicy;
    const hitShape = z.looseObject({
      time: z.string(),
      family: z.string(),
      state: z.string(),
      pattern: z.string(),
      severity: z.enum(severities),
      score: z.number(),
      subject: z.object({ id: z.string() }),
      payer: z.looseObject({ account: z.string(), creditCode: z.string().optional() }),
      payee: z.looseObject({ account: z.string(), creditCode: z.string().optional() }),
    });
    const groups = new Map<string, Map<string, number>>();
    for (const line of readFileSync(at('backtest.hits'), 'utf8').trimEnd().split('\n')) {
      const { time, family, subject, payer, payee, pattern, severity, score } = hitShape.parse(JSON.parse(line));
      const party = subject.id === payer.account ? payer : payee;
      const key = `${party.creditCode ?? party.account} ${family} ${time.slice(0, 10)}`;
      const strengths = groups.get(key) ?? new Map<string, number>();
      groups.set(key, strengths.set(pattern, Math.max(strengths.get(pattern) ?? 0, severityWeights[severity] * score)));
    }
    const raised = [...groups.values()].filter(
      (strengths) => 1 - [...strengths.values()].reduce((harmless, one) => harmless * (1 - one), 1) >= leastScore,
    );
    expect(report.warnings.draft.total).toBe(raised.length);
    expect(report.load.draft.enterprises).toBeLessThanOrEqual(report.warnings.draft.toEnterprise);
    expect(report.load.draft.max).toBeGreaterThanOrEqual(report.load.draft.median!);
  });

  it('measures both sides where there are labels, and says so where there are none', async () => {
    expect(report.evaluation?.draft.overall.precision).toBeGreaterThan(0.9);
    const without = await backtest('--patterns', base, '--against', sample.day);
    expect(without.evaluation).toBeNull();
    expect(without.wouldFire).toEqual(report.wouldFire);
  });

  it('writes one file that holds everything itself, and no account whole', () => {
    const html = readFileSync(at('report.html'), 'utf8');
    expect(html.match(/<svg /g)).toHaveLength(4);
    expect(html).not.toMatch(/<script|<link|<img|@import|url\((?!#)/);
    expect(html.replaceAll(/xmlns(:xlink)?="[^"]+"/g, '')).not.toMatch(/https?:\/\//);
    const { subject } = z
      .looseObject({ subject: z.object({ id: z.string() }) })
      .parse(JSON.parse(readFileSync(at('backtest.hits'), 'utf8').split('\n')[0]!));
    expect(html).not.toContain(subject.id);
    expect(html).not.toMatch(/(?<![\d.])\d{15,}(?![\d.])/);
    expect(html).toContain('Hits that would be gone');
  });

  it('shows the same at the terminal', async () => {
    const { stdout } = await huqi(['patterns', 'backtest', drafts, '--patterns', base, '--against', sample.day]);
    for (const words of ['would hit', 'warnings a month', 'new, for example:', 'gone, for example:', 'M03 v2'])
      expect(stdout).toContain(words);
    expect(stdout).not.toContain('without the other patterns');
  });

  it('finds the same changes --alone, and nothing of other patterns', async () => {
    const html = at('alone.html');
    const args = ['--patterns', base, '--against', sample.day, '--labels', sample.labels];
    const alone = await backtest(...args, '--alone', '--html', html);
    expect({ full: report.alone, alone: alone.alone }).toEqual({ full: false, alone: true });
    expect(alone.changes).toMatchObject({ added: report.changes.added, gone: report.changes.gone });
    expect(alone.wouldFire).toEqual(report.wouldFire);
    expect(alone.history).toEqual(report.history);
    expect(Object.keys(report.byPattern).length).toBeGreaterThan(5);
    const { M03, V12 } = report.byPattern;
    expect(alone.byPattern).toEqual({ M03, V12 });
    expect(alone.hits).toEqual({ inForce: M03!.inForce.hits + V12!.inForce.hits, draft: M03!.draft.hits + V12!.draft.hits });
    expect(alone.warnings.inForce.total).toBeLessThan(report.warnings.inForce.total);
    expect(readFileSync(html, 'utf8')).toContain('without the other patterns');
    const { stdout } = await huqi(['patterns', 'backtest', drafts, ...args, '--alone']);
    expect(stdout).toContain('without the other patterns');
  });

  it('tries a pattern that replaces nothing --alone', async () => {
    const novel = at('Z03.yaml');
    writeFileSync(novel, looser.replace('id: M03', 'id: Z03'));
    const args = ['patterns', 'backtest', novel, '--json', '--patterns', base, '--against', sample.day];
    const outcome = await huqi([...args, '--alone']);
    const { hits, byPattern, drafts: tried } = reportSchema.parse(JSON.parse(outcome.stdout));
    expect(tried).toMatchObject([{ id: 'Z03', replaces: null }]);
    expect(hits).toEqual({ inForce: 0, draft: report.byPattern['M03']!.draft.hits });
    expect(byPattern['Z03']).toEqual({ ...report.byPattern['M03'], inForce: { hits: 0, accounts: 0 } });
  });
});

describe('huqi patterns backtest that is stopped or killed', () => {
  const day = at('long.ndjson');
  let undisturbed: Report;
  beforeAll(async () => {
    await huqi(['simulate', '--accounts', '4000', '--transactions', '20000', '--out', day, '--labels', at('long.labels')]);
    undisturbed = await backtest('--patterns', base, '--against', day, '--labels', at('long.labels'));
  }, 180_000);

  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'by %s goes on, and ends with the report of an undisturbed run',
    { timeout: 180_000 },
    async (signal) => {
      const file = at(`${signal}.checkpoint`);
      const args = [
        '--patterns',
        base,
        '--against',
        day,
        '--labels',
        at('long.labels'),
        '--resume',
        file,
        '--checkpoint-seconds',
        '0',
      ];
      const running = startHuqi(['patterns', 'backtest', drafts, '--json', ...args]);
      await expect.poll(() => existsSync(file), { timeout: 60_000, interval: 5 }).toBe(true);
      const killed = await running.end(signal);
      expect(killed.code).not.toBe(0);
      if (signal === 'SIGTERM') expect(killed.stderr).toContain(`with --resume ${file} goes on`);
      expect(statSync(file).mode & 0o077).toBe(0);
      const outcome = await huqi(['patterns', 'backtest', drafts, '--json', ...args]);
      expect(outcome.stderr).toMatch(/^going on after [\d,]+ records that were scored before\n$/);
      expect(withoutTime(reportSchema.parse(JSON.parse(outcome.stdout)))).toEqual(withoutTime(undisturbed));
      expect(existsSync(file)).toBe(false);
    },
  );

  it('does not go on from the checkpoint of other patterns', async () => {
    const file = at('other.checkpoint');
    const args = ['--patterns', base, '--against', day, '--resume', file, '--checkpoint-seconds', '0'];
    const running = startHuqi(['patterns', 'backtest', drafts, ...args]);
    await expect.poll(() => existsSync(file), { timeout: 60_000, interval: 5 }).toBe(true);
    await running.end('SIGKILL');
    const other = await huqi(['patterns', 'backtest', join(drafts, 'M03.yaml'), ...args]);
    expect(other.stderr).toMatch(
      /other\.checkpoint belongs to a backtest of other patterns or another history; name another file/,
    );
    expect(failureOf(other)).toEqual({ code: 1, lines: 1, hasStack: false });
    const alone = await huqi(['patterns', 'backtest', drafts, ...args, '--alone']);
    expect(alone.stderr).toMatch(/belongs to a backtest of other patterns/);
    writeFileSync(file, '{"half');
    const torn = await huqi(['patterns', 'backtest', drafts, ...args]);
    expect(torn.stderr).toMatch(/is no checkpoint of a backtest/);
  });
});

describe('huqi patterns backtest over what a platform stored', () => {
  it('equals the backtest of a file with the same transactions, by command and by HTTP', { timeout: 240_000 }, async () => {
    const data = at('data');
    const up = startHuqi(['up', '--port', '0', '--data', data, '--no-sample']);
    onTestFinished(async () => void (await up.end('SIGKILL')));
    const url = (await up.printed(/(http:\/\/\S+)[\s\S]*keys\.json/))[1]!;
    const keys = z
      .looseObject({ bank: z.string(), centre: z.string() })
      .parse(JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')));
    const all = sampleLines();
    // Some of the days before and some of the day itself.
    const lines = [...all.transactions.slice(0, 2_000), ...all.transactions.slice(-4_000)];
    const profile = {
      type: 'profile',
      id: 'P1',
      time: '2019-07-01T00:00:00+08:00',
      account: '41000001',
      registeredOn: '2019-07-01',
    };
    const list = {
      type: 'list',
      id: 'L1',
      time: '2026-06-30T00:00:00+08:00',
      list: 'white',
      action: 'add',
      entries: ['41000001'],
    };
    const references = [...[profile, list].map((record) => JSON.stringify(record)), ...all.references];
    writeFileSync(at('sent.ndjson'), `${[...references, ...lines].join('\n')}\n`);
    const sent = await huqi(['send', at('sent.ndjson'), '--to', url, '--key', keys.centre, '--json']);
    const count = lines.length + references.length;
    expect(JSON.parse(sent.stdout)).toMatchObject({ sent: count, accepted: count });
    const status = async () =>
      z
        .looseObject({ archiveLag: z.int(), transactions: z.looseObject({ scored: z.int() }) })
        .parse(await (await fetch(`${url}/v1/status`)).json());
    await expect.poll(async () => (await status()).archiveLag, { timeout: 60_000, interval: 200 }).toBe(0);

    // The warehouse gives records in order of time, bank and number, reference records before the transactions of their instant.
    const keyed = [...references, ...lines].map((line) => {
      const { time, id, type, bank, payer } = z
        .looseObject({
          time: z.string(),
          id: z.string(),
          type: z.string().optional(),
          bank: z.string().optional(),
          payer: z.looseObject({ bank: z.string().optional() }).optional(),
        })
        .parse(JSON.parse(line));
      const order = type === undefined ? 1 : 0;
      return { line, timeMs: Date.parse(time), order, key: `${bank ?? payer?.bank ?? ''}\n${id}` };
    });
    keyed.sort((a, b) => a.timeMs - b.timeMs || a.order - b.order || (a.key < b.key ? -1 : 1));
    writeFileSync(at('sorted.ndjson'), keyed.map(({ line }) => line).join('\n'));
    const expected = sameFor(await backtest('--against', at('sorted.ndjson')));
    expect(expected.hits.draft).toBeGreaterThan(50);

    const call = (method: string, path: string, body?: object) =>
      fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${keys.centre}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
    const files = ['M03.yaml', 'V12.yaml'].map((file) => ({ file, text: readFileSync(join(drafts, file), 'utf8') }));
    expect(
      (await fetch(`${url}/v1/backtests`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }))
        .status,
    ).toBe(401);
    const broken = await call('POST', '/v1/backtests', { files: [{ file: 'X.yaml', text: 'id: X01' }] });
    expect({ status: broken.status, body: await broken.json() }).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([expect.objectContaining({ pointer: 'X.yaml:1:1 version' })]) as unknown },
    });
    const started = await call('POST', '/v1/backtests', { files });
    expect(started.status).toBe(202);
    const { id } = z.object({ id: z.string(), status: z.literal('running') }).parse(await started.json());
    const second = await call('POST', '/v1/backtests', { files });
    expect({ status: second.status, body: await second.json() }).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining(id) as unknown },
    });
    const job = z.looseObject({
      status: z.string(),
      progress: z.looseObject({ done: z.int(), total: z.int() }),
      report: reportSchema.optional(),
    });
    const ask = async () => job.parse(await (await call('GET', `/v1/backtests/${id}`)).json());
    await expect.poll(async () => (await ask()).status, { timeout: 90_000, interval: 200 }).toBe('done');
    const done = await ask();
    expect(done.progress).toMatchObject({ done: count, total: count });
    expect(sameFor(done.report!)).toEqual(expected);
    const html = await call('GET', `/v1/backtests/${id}/report.html`);
    expect(html.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await html.text()).toContain('<svg ');
    expect((await call('DELETE', `/v1/backtests/${id}`)).status).toBe(409);
    expect((await call('GET', '/v1/backtests/nobody')).status).toBe(404);

    const [busiest] = Object.entries(expected.byPattern).toSorted(([, a], [, b]) => b.draft.hits - a.draft.hits)[0]!;
    const quickFiles = [{ file: 'busiest.yaml', text: textOf(busiest) }];
    const quick = z
      .object({ id: z.string() })
      .parse(await (await call('POST', '/v1/backtests', { files: quickFiles, alone: true })).json());
    const askQuick = async () => job.parse(await (await call('GET', `/v1/backtests/${quick.id}`)).json());
    await expect.poll(async () => (await askQuick()).status, { timeout: 90_000, interval: 200 }).toBe('done');
    const { alone, byPattern } = (await askQuick()).report!;
    expect({ alone, byPattern }).toEqual({ alone: true, byPattern: { [busiest]: expected.byPattern[busiest] } });

    const again = z
      .object({ id: z.string() })
      .parse(await (await call('POST', '/v1/backtests', { files, from: '2026-07-01', to: '2026-07-02' })).json());
    expect((await call('DELETE', `/v1/backtests/${again.id}`)).status).toBe(204);
    const cancelled = async () => job.parse(await (await call('GET', `/v1/backtests/${again.id}`)).json()).status;
    await expect.poll(cancelled, { timeout: 30_000, interval: 100 }).toBe('cancelled');
    expect((await call('GET', `/v1/backtests/${again.id}/report.html`)).status).toBe(409);
    const held = await huqi(['patterns', 'backtest', drafts, '--data', data]);
    expect(held.stderr).toMatch(/warehouse.*cannot be opened: process \d+ uses it/);
    expect((await up.end('SIGTERM')).code).toBe(0);

    expect(sameFor(await backtest('--data', data))).toEqual(expected);
    // The days before are read for what the engine remembers of them, and show in nothing.
    const lastDay = expected.days.at(-1)!;
    const part = await backtest('--data', data, '--from', lastDay.day);
    expect(part.days).toEqual([lastDay]);
    expect(part.hits).toEqual(lastDay.hits);
    expect(part.history.transactions).toBe(lastDay.transactions);
  });
});

describe('huqi patterns backtest that cannot do its work says so in one sentence', () => {
  writeFileSync(at('broken.yaml'), 'id: X01\nversion: 1\n');
  const v12 = join(config, 'patterns/V12-large-first-payment.yaml');
  const cases = [
    { what: 'no history', args: [v12], code: 2, says: /say which history/ },
    { what: 'two histories', args: [v12, '--data', at('x'), '--against', sample.day], code: 2, says: /say which history/ },
    { what: 'a file that is not there', args: [v12, '--against', at('none')], code: 1, says: /none does not exist/ },
    {
      what: 'a data directory without a warehouse',
      args: [v12, '--data', at('x'), '--patterns', v12],
      code: 1,
      says: /holds no warehouse/,
    },
    {
      what: 'a day that is none',
      args: [v12, '--data', at('x'), '--from', 'May', '--patterns', v12],
      code: 1,
      says: /holds no warehouse/,
    },
    { what: 'days of a file', args: [v12, '--against', sample.day, '--from', '2026-07-01'], code: 2, says: /--from and --to/ },
    { what: 'drafts that are not there', args: [at('none'), '--against', sample.day], code: 1, says: /none does not exist/ },
  ];
  it.each(cases)('$what', async ({ args, code, says }) => {
    const outcome = await huqi(['patterns', 'backtest', ...args]);
    expect(outcome.stderr).toMatch(says);
    expect(failureOf(outcome)).toEqual({ code, lines: 1, hasStack: false });
    expect(outcome.stdout).toBe('');
  });

  it('a draft that is broken, by file and line', async () => {
    const outcome = await huqi(['patterns', 'backtest', at('broken.yaml'), '--against', sample.day]);
    expect(outcome.stderr).toMatch(/the drafts do not load:\n {2}.*broken\.yaml:1:1/);
    expect(failureOf(outcome)).toMatchObject({ code: 1, hasStack: false });
  });
});
