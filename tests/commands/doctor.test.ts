import { chmodSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openClickHouseFront } from '../support/clickhouse-front.js';
import { temporaryDirectory } from '../support/embedded.js';
import { type Environment, huqi, startHuqi } from '../support/huqi.js';

interface Finding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string): string => join(directory, name);

async function examine(
  data: string,
  environment: Environment = {},
): Promise<{ code: number | null; finding: (check: string) => Finding | undefined }> {
  const { code, stdout } = await huqi(['doctor', '--data', data, '--json'], environment);
  const { findings } = JSON.parse(stdout) as { findings: Finding[] };
  return { code, finding: (check) => findings.find((found) => found.check === check) };
}

it('runs beside a running platform and finds nothing bad', { timeout: 120_000 }, async () => {
  const running = startHuqi(['up', '--no-sample', '--port', '0', '--data', at('used')]);
  try {
    await running.printed(/runs at http/);
    const { code, finding } = await examine(at('used'));
    expect(finding('directory')).toMatchObject({
      verdict: 'good',
      detail: expect.stringContaining('in use by a running platform') as string,
    });
    expect(code).toBe(0);
    expect(finding('rights')).toMatchObject({ verdict: 'good' });
    expect(statSync(join(at('used'), 'huqi.mdb')).mode & 0o077).toBe(0);
    chmodSync(at('used'), 0o755);
    const open = await examine(at('used'));
    expect(open.code).toBe(0);
    expect(open.finding('rights')).toMatchObject({
      verdict: 'doubtful',
      detail: expect.stringContaining(`chmod 700 ${at('used')}`) as string,
    });
  } finally {
    expect((await running.end('SIGTERM')).code).toBe(0);
  }
});

it('names what is bad and the remedy, and still looks at the rest', async () => {
  writeFileSync(at('file'), '');
  const { code, finding } = await examine(at('file'));
  expect(code).toBe(1);
  expect(finding('directory')).toMatchObject({ verdict: 'bad', detail: expect.stringContaining('HUQI_DATA_DIR') as string });
  expect(finding('patterns')).toMatchObject({ verdict: 'good' });
  const missing = await examine(at('not/there'));
  expect(missing.finding('directory')?.detail).toContain('the first start makes it');
  expect(existsSync(at('not'))).toBe(false);
  const wrong = await examine(at('fresh'), { HUQI_PORT: 'eighty' });
  expect(wrong.code).toBe(1);
  expect(wrong.finding('settings')?.detail).toMatch(/http\.port: .*HUQI_PORT/);
});

it.runIf(process.platform === 'linux')('looks at the disk that the data directory will be on', async () => {
  const free = async (data: string) => (await examine(data)).finding('disk')?.detail;
  // A file system of its own that has no room at all.
  expect(await free('/proc/huqi/data')).toMatch(/^0\.0 GiB free; make room/);
  expect(await free(at('not/yet'))).not.toMatch(/^0\.0 GiB/);
});

it('reads the routes and the policy of warnings, as the start does', async () => {
  writeFileSync(at('routes.yaml'), 'retry: {}\n');
  writeFileSync(at('warnings.yaml'), 'weights: [\n');
  const files = { HUQI_DISPATCH_ROUTES_FILE: at('routes.yaml'), HUQI_WARN_POLICY_FILE: at('warnings.yaml') };
  const broken = await examine(at('files'), files);
  expect(broken.code).toBe(1);
  expect(broken.finding('routes')).toMatchObject({ verdict: 'bad', detail: expect.stringContaining('routes.yaml: ') as string });
  expect(broken.finding('warnings')).toMatchObject({
    verdict: 'bad',
    detail: expect.stringContaining('warnings.yaml: ') as string,
  });
  const { finding } = await examine(at('files'));
  expect([finding('routes')?.verdict, finding('warnings')?.verdict]).toEqual(['good', 'good']);
});

it('says what a log that is kept for too short a time costs', async () => {
  const { code, finding } = await examine(at('short'), { HUQI_LOG_RETENTION_MS: '86400000' });
  expect(code).toBe(0);
  expect(finding('retention')).toMatchObject({
    verdict: 'doubtful',
    detail: expect.stringContaining('log.retentionMs') as string,
  });
  expect((await examine(at('long'))).finding('retention')).toMatchObject({ verdict: 'good' });
});

it('says how far the holidays are known, and what to do when they end', async () => {
  const { finding } = await examine(at('calendar'));
  const { verdict, detail } = finding('calendar')!;
  const known = /known up to (\d{4}-12-31)/.exec(detail)?.[1];
  const leftMs = Date.parse(`${known}T23:59:59.999+08:00`) + 1 - Date.now();
  expect(verdict).toBe(leftMs > 31 * 86_400_000 ? 'good' : 'doubtful');
  if (verdict === 'doubtful') expect(detail).toContain('config/catalogue/calendar.yaml');
});

it('looks at Kafka and Redis where the settings name them, and refuses the one without the other', async () => {
  const cluster = { HUQI_KAFKA_BROKERS: '127.0.0.1:1', HUQI_REDIS_URL: 'redis://127.0.0.1:1', HUQI_REDIS_PASSWORD: 'hush-hush' };
  const away = await huqi(['doctor', '--data', at('cluster')], cluster);
  expect(away.code).toBe(1);
  expect(away.stdout).toMatch(/✗ .*127\.0\.0\.1:1 cannot be reached/);
  expect(away.stdout).toMatch(/✗ .*Redis 127\.0\.0\.1:1/);
  expect(away.stdout + away.stderr).not.toContain('hush-hush');
  const { code, finding } = await examine(at('half'), { HUQI_REDIS_URL: 'redis://127.0.0.1:1' });
  expect(code).toBe(1);
  expect(finding('parts')?.detail).toContain('without HUQI_KAFKA_BROKERS');
});

it('looks at the ClickHouse server that the settings name', { timeout: 120_000 }, async () => {
  const front = await openClickHouseFront({ directory: at('server'), users: { huqi: 'hush-hush', default: '' } });
  try {
    const server = { HUQI_CLICKHOUSE_URL: front.url, HUQI_CLICKHOUSE_USERNAME: 'huqi', HUQI_CLICKHOUSE_PASSWORD: 'hush-hush' };
    const good = await examine(at('remote'), server);
    expect(good.finding('ClickHouse server')).toMatchObject({
      verdict: 'good',
      detail: expect.stringMatching(/answers/) as string,
    });
    expect(good.finding('ClickHouse database')?.detail).toContain('the first start makes it');
    expect(good.code).toBe(0);
    const wrong = await examine(at('remote'), { ...server, HUQI_CLICKHOUSE_PASSWORD: 'hush' });
    expect(wrong.code).toBe(1);
    expect(wrong.finding('ClickHouse server')?.verdict).toBe('bad');
    const unread = await examine(at('remote'), { ...server, HUQI_CLICKHOUSE_CA_FILE: at('no-such.pem') });
    expect(unread.code).toBe(1);
    expect(unread.finding('ClickHouse options')?.detail).toContain('no-such.pem');
    expect(unread.finding('patterns')).toMatchObject({ verdict: 'good' });
    front.pretendVersion('23.8.1.1');
    const old = await examine(at('remote'), server);
    expect(old.code).toBe(1);
    expect(old.finding('ClickHouse server')?.detail).toMatch(/23\.8.* or newer is needed/);
  } finally {
    await front.close();
  }
});
