import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StatusSummary } from '../../src/domain/status.js';
import type { VerifyReport } from '../../src/pipeline/verify.js';
import { loadSettings } from '../../src/settings.js';
import { openEmbedded, temporaryDirectory } from '../support/embedded.js';
import { failureOf, huqi, type Running, sampleLines, startHuqi } from '../support/huqi.js';

const directory = temporaryDirectory();
const data = join(directory, 'data');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const reportOf = (stdout: string): VerifyReport => JSON.parse(stdout) as VerifyReport;

const sent = 5_000;
/** Some of the sample day's transactions are so old that the archive would drop them. */
const keepsAll = { HUQI_WAREHOUSE_TTL_DAYS_TRANSACTIONS: '0' };
/** Reference records that a bank's key may send. */
const ownKinds = /"type":"(profile|login|account-change)"/;

/** Sends the beginning of the sample day and waits until all of it is archived. */
async function playSome(running: Running): Promise<void> {
  const [, url = ''] = await running.printed(/runs at (http:\S+)\n/);
  await running.printed(/keys\.json/);
  const { bank } = JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')) as { bank: string };
  const { references, transactions } = sampleLines();
  const file = join(directory, 'some.ndjson');
  writeFileSync(file, `${[...references.filter((line) => ownKinds.test(line)), ...transactions.slice(0, sent)].join('\n')}\n`);
  const { code, stderr } = await huqi(['send', file, '--to', url, '--key', bank]);
  expect([code, stderr]).toEqual([0, '']);
  for (let left = 1; left > 0; await sleep(200)) {
    const { transactions: counts, archiveLag } = (await (await fetch(`${url}/v1/status`)).json()) as StatusSummary;
    left = sent - counts.scored + archiveLag;
  }
}

describe('a data directory', () => {
  beforeAll(async () => {
    const running = startHuqi(['up', '--no-sample', '--port', '0', '--data', data], keepsAll);
    try {
      await playSome(running);
    } finally {
      expect((await running.end('SIGTERM')).code).toBe(0);
    }
  }, 300_000);

  test('is equal to what its log leads to, archive and all', { timeout: 300_000 }, async () => {
    const { code, stdout, stderr } = await huqi(['verify', '--data', data, '--json'], keepsAll);
    expect(stderr).toBe('');
    const { verdict, findings, notes } = reportOf(stdout);
    expect(findings.flatMap(({ differences }) => differences)).toEqual([]);
    expect([code, verdict, notes]).toEqual([0, 'equal', []]);
    const equal = (check: string, place?: string): number =>
      findings
        .filter((one) => one.check === check && (place ?? one.place) === one.place)
        .reduce((sum, one) => sum + one.equal, 0);
    expect(equal('archive', 'transactions')).toBe(sent);
    expect(equal('hits')).toBe(equal('archive', 'hits'));
    expect(equal('hits')).toBeGreaterThan(200);
    expect(equal('forwards')).toBeGreaterThan(20);
    expect(equal('warnings')).toBeGreaterThan(10);
    expect(findings.every(({ pending, incomparable }) => pending + incomparable === 0)).toBe(true);
  });

  describe('while a platform runs on it', () => {
    let running: Running;
    beforeAll(async () => {
      running = startHuqi(['up', '--no-sample', '--port', '0', '--data', data], keepsAll);
      await running.printed(/runs at http/);
    }, 120_000);
    afterAll(async () => void (await running.end('SIGTERM')));

    test('cannot be checked with its archive, and is told how it can', { timeout: 120_000 }, async () => {
      const outcome = await huqi(['verify', '--data', data]);
      expect(failureOf(outcome)).toEqual({ code: 3, lines: 1, hasStack: false });
      expect(outcome.stderr).toMatch(/pid|in use|running/);
      expect(outcome.stderr).toContain('--no-archive');
    });

    test('is equal without its archive, shown as a table', { timeout: 300_000 }, async () => {
      const { code, stdout } = await huqi(['verify', '--data', data, '--no-archive', '--partition', '1']);
      expect(stdout).toMatch(/check +where +equal +missing +phantom/);
      expect(stdout).toMatch(/hits +transactions\/1 +[\d,]+ +0 +0 +0/);
      expect(stdout).not.toContain('transactions/0');
      expect(stdout).toMatch(/equal: what the platform holds is what its log leads to/);
      expect(code).toBe(0);
    });
  });

  test('of which a warning was changed in the state is different', { timeout: 300_000 }, async () => {
    const parts = openEmbedded(data, loadSettings({ env: {} }).log.partitions);
    const [entry] = await parts.state.scan('warn/2', { prefix: 'w/', limit: 1 });
    const stored = JSON.parse(Buffer.from(entry!.value).toString()) as { warning: { hitCount: number } };
    stored.warning.hitCount += 1;
    const value = Buffer.from(JSON.stringify(stored));
    expect(await parts.state.commit('warn/2', { put: [{ key: entry!.key, value }] })).toBe('committed');
    await parts.close();
    const { code, stdout } = await huqi(['verify', '--data', data, '--no-archive']);
    expect(code).toBe(1);
    expect(stdout).toContain(`warnings, warn/2: ${entry!.key.slice(2)} is different at warn/2 in the state`);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('different');
  });
});

test.each([
  { args: ['--from', 'yesterday'], says: /--from yesterday: expected ISO 8601/, code: 2 },
  { args: ['--partition', '4'], says: /--partition 4: expected a whole number from 0 to 3/, code: 2 },
  { args: ['--sideways'], says: /unknown option/, code: 2 },
  { args: ['--data', join(directory, 'nowhere')], says: /holds no HuQi data/, code: 3 },
])('$args ends with code $code and a sentence', async ({ args, says, code }) => {
  const outcome = await huqi(['verify', ...args]);
  expect(outcome.stderr).toMatch(says);
  expect(failureOf(outcome)).toMatchObject({ code, hasStack: false });
});
