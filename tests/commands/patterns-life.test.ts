import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/embedded.js';
import { failureOf, huqi, type Outcome, type Running, startHuqi } from '../support/huqi.js';
import { patternText } from '../support/pattern-text.js';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory, name);
const data = at('data');
let running: Running | undefined;
afterEach(() => running?.end('SIGKILL'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Between two firms; no pattern that ships minds one of them. */
const payments = (name: string, count: number, amountFen: number): string =>
  Array.from({ length: count }, (_, n) =>
    JSON.stringify({
      id: `${name}-${n}`,
      time: '2026-07-01T10:00:00+08:00',
      amountFen,
      payer: { account: '4100000000001', name: '样例甲有限公司', kind: 'corporate', bank: '102491002011' },
      payee: { account: '4100000000002', name: '样例乙有限公司', kind: 'corporate', bank: '102491002011' },
      bank: '102491002011',
    }),
  ).join('\n');

interface Counts {
  readonly byPattern: Readonly<Record<string, number>>;
}

interface Status {
  readonly patternSet?: string;
  readonly patternSetPending?: string;
  readonly patternsTakenBack?: readonly { readonly id: string; readonly version: number; readonly reason: string }[];
  readonly transactions: { readonly scored: number };
  readonly hits: Counts & { readonly shadows: Counts };
  readonly warnings: { readonly total: number };
}

const done = (outcome: Outcome): string => {
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  return outcome.stdout;
};
const patience = { timeout: 120_000, interval: 250 };

describe('the life of a pattern in a running platform', () => {
  it('goes from proposal by shadow into force by two people, floods, and is taken back', { timeout: 600_000 }, async () => {
    running = startHuqi(['up', '--no-sample', '--port', '0', '--data', data], {
      HUQI_LOG_TRIM_EVERY_MS: '200',
      HUQI_PATTERNS_GUARD_EVERY_MS: '300',
      HUQI_PATTERNS_GUARD_TRANSACTIONS_MIN: '100',
    });
    const [, url = ''] = await running.printed(/runs at (http:\S+)\n[^]*keys\.json/);
    const { bank, centre } = JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')) as { bank: string; centre: string };
    const wang = done(await huqi(['keys', 'add', 'Wang', '--role', 'centre', '--data', data])).trim();
    const patterns = (key: string, ...args: string[]): Promise<Outcome> => huqi(['patterns', ...args, '--to', url, '--key', key]);
    const status = async (): Promise<Status> => (await (await fetch(`${url}/v1/status`)).json()) as Status;
    const pay = async (name: string, count: number, amountFen: number): Promise<void> => {
      const headers = { authorization: `Bearer ${bank}`, 'content-type': 'application/x-ndjson' };
      const body = payments(name, count, amountFen);
      expect(await (await fetch(`${url}/v1/transactions`, { method: 'POST', headers, body })).text()).toContain('"accepted"');
    };
    const hitsOf = async (id: string): Promise<number> => {
      const { byPattern, shadows } = (await status()).hits;
      return (byPattern[id] ?? 0) + (shadows.byPattern[id] ?? 0);
    };

    writeFileSync(at('T01.yaml'), patternText());
    expect(done(await patterns(centre, 'push', at('T01.yaml'), '--note', 'seen twice'))).toContain('proposed: 1 added');
    expect(done(await patterns(centre, 'shadow', 'T01'))).toContain('T01 version 1: draft → shadow');
    await pay('trial', 1, 12_345_677);
    await expect.poll(() => hitsOf('T01'), patience).toBe(1);
    expect((await status()).warnings.total).toBe(0);

    const alone = await patterns(centre, 'activate', 'T01');
    expect(alone.stderr).toBe(
      'huqi: T01 version 1 was proposed by anti-fraud centre; a second person must put it into force, with a key of their own\n',
    );
    expect(failureOf(alone)).toEqual({ code: 1, lines: 1, hasStack: false });
    const knowsWang = async (): Promise<number> =>
      (await fetch(`${url}/v1/recipients`, { headers: { authorization: `Bearer ${wang}` } })).status;
    await expect.poll(knowsWang, patience).toBe(200);
    const activated = done(await patterns(wang, 'activate', 'T01', '--note', 'one hit, a good one'));
    const [, set = ''] = /T01 version 1: shadow → active\nset ([0-9a-f]{16}) is in force/.exec(activated) ?? [];
    // Nothing is scored just now, so no partition has taken it yet.
    expect(await status()).toMatchObject({ patternSetPending: set });
    await pay('real', 1, 12_345_677);
    await expect.poll(async () => (await status()).warnings.total, patience).toBe(1);
    expect(done(await patterns(centre, 'list', '--live'))).toMatch(/T01 +1 +active .*特定金额 +2 +1000\.00 /);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(
      /huqi_pattern_hits\{pattern="T01",version="1",state="active"\} 2\n/,
    );

    writeFileSync(
      at('T01.yaml'),
      patternText({ version: 2, fen: 100, when: 'tx.amountFen >= params.peculiarFen' }).replace(/1\.01/, '0.5'),
    );
    const lone = await patterns(centre, 'push', at('T01.yaml'), '--activate', '--approved-by', centre);
    expect(lone.code).toBe(1);
    expect(lone.stderr).toContain('a second person must put it into force');
    expect(done(await patterns(centre, 'diff', 'T01'))).toMatch(
      /^T01 version 1 → 2\n {2}the condition differs\n {2}peculiarFen: 12345677 → 100\n[^]*\n\+version: 2\n/,
    );
    const pushed = done(await patterns(centre, 'push', at('T01.yaml'), '--activate', '--approved-by', wang));
    expect(pushed).toMatch(/1 the same[^]*T01 version 2: draft → active\nT01 version 1: active → retired\n/);
    await pay('first', 20, 5_000);
    await expect.poll(() => hitsOf('T01'), patience).toBe(22);
    await pay('flood', 200, 5_000);
    await expect
      .poll(async () => (await status()).patternsTakenBack?.map(({ id, version }) => `${id}@${version}`), patience)
      .toEqual(['T01@2']);
    const log = done(await patterns(centre, 'log', 'T01'));
    expect(log).toMatch(
      /guard +taken-back +T01 version 2: active → shadow; T01 version 1: retired → active +\d+\.\d hits per 1,000/,
    );
    expect(log).toMatch(/Wang +activated +T01 version 1: shadow → active +one hit, a good one/);
    expect(log).toMatch(/anti-fraud centre +proposed +T01 version 1: draft +seen twice/);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('huqi_patterns_taken_back_total{pattern="T01",to="shadow"} 1');
    expect(metrics).toContain('huqi_patterns_undecided 1');
    // The set before is the one with the flood: whoever proposed that does not bring it back alone.
    expect((await patterns(centre, 'rollback', '--set', 'previous')).stderr).toContain('a second person must put it into force');
    expect(done(await patterns(centre, 'retire', 'T01@2'))).toContain('T01 version 2: shadow → retired');
    expect(done(await patterns(centre, 'rollback', '--set', 'previous'))).toContain('T01 version 2: retired → shadow');

    const beside = await huqi(['patterns', 'retire', 'T01', '--data', data]);
    expect(beside.stderr).toMatch(/^huqi: a platform runs on .*; decide there: --to http/);
    expect(failureOf(beside)).toEqual({ code: 1, lines: 1, hasStack: false });
    const cluster = { HUQI_KAFKA_BROKERS: '127.0.0.1:1', HUQI_REDIS_URL: 'redis://127.0.0.1:1' };
    const shared = await huqi(['patterns', 'retire', 'T01'], cluster);
    expect(shared.stderr).toMatch(/^huqi: the patterns of a cluster are decided on by .*--to http/);
    expect(failureOf(shared)).toEqual({ code: 1, lines: 1, hasStack: false });
    await running.end('SIGTERM');
    expect(done(await huqi(['patterns', 'retire', 'T01', '--data', data, '--by', 'Li', '--note', 'a test']))).toContain(
      'active → retired',
    );
    expect(done(await huqi(['patterns', 'show', 'T01@1', '--data', data]))).toMatch(
      /version 1, retired: proposed by anti-fraud centre .* \(seen twice\)/,
    );
  });
});
