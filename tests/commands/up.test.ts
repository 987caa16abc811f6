import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { huqi, startHuqi } from '../support/huqi.js';

const directory = mkdtempSync(join(tmpdir(), 'huqi-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const at = (name: string) => join(directory, name);

describe('huqi up', () => {
  it('takes a bank’s file, tells repeats, takes a pushed pattern while it runs, and stops when asked', async () => {
    const data = at('running');
    const up = startHuqi(['up', '--port', '0', '--data', data, '--no-sample']);
    const url = (await up.printed(/(http:\/\/\S+)[\s\S]*keys\.json/))[1]!;
    const { bank } = JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')) as { bank: string };
    await huqi(['simulate', '--accounts', '2000', '--transactions', '3000', '--out', at('day.ndjson')]);

    const first = await huqi(['send', at('day.ndjson'), '--to', url, '--key', bank, '--json']);
    expect(JSON.parse(first.stdout)).toMatchObject({ sent: 3000, accepted: 3000, duplicates: 0 });
    const again = await huqi(['send', at('day.ndjson'), '--to', url, '--key', bank, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ accepted: 0, duplicates: 3000 });
    const wrongKey = await huqi(['send', at('day.ndjson'), '--to', url, '--key', 'nobody']);
    expect(wrongKey.code).toBe(1);
    expect(wrongKey.stderr).toMatch(/answered 401/);

    cpSync('config/patterns/V12-large-first-payment.yaml', at('V12.yaml'));
    writeFileSync(at('V12.yaml'), readFileSync(at('V12.yaml'), 'utf8').replace(/^version: \d+/m, 'version: 90'));
    writeFileSync(at('broken.yaml'), 'id: V98\nversion: 1\n');
    const broken = await huqi(['patterns', 'push', at('broken.yaml'), '--data', data]);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(/broken\.yaml:1:1[\s\S]*the set in force stays/);
    const pushed = await huqi(['patterns', 'push', at('V12.yaml'), '--data', data]);
    expect(pushed.stdout, pushed.stderr).toMatch(/is in force: 0 added, 1 changed/);
    const versionNow = async () => ((await (await fetch(`${url}/v1/patterns/V12`)).json()) as { version: number }).version;
    await expect.poll(versionNow, { timeout: 10_000 }).toBe(90);
    const shown = await huqi(['patterns', 'show', 'V12', '--data', data, '--json']);
    expect(JSON.parse(shown.stdout)).toMatchObject({ id: 'V12', version: 90 });

    const second = await huqi(['up', '--port', '0', '--data', data, '--no-sample']);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^huqi: .*(in use|running|process \d+).*\n$/);

    expect((await up.end('SIGTERM')).code).toBe(0);
  });

  it('says in one sentence why it cannot start', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) =>
      taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port)),
    );
    writeFileSync(at('a-file'), '');
    const cases: { args: string[]; env?: Record<string, string>; code: number; says: RegExp }[] = [
      {
        args: ['up', '--no-sample', '--port', String(port), '--data', at('taken')],
        code: 1,
        says: /is taken by another process/,
      },
      { args: ['up', '--no-sample', '--port', '0', '--data', at('a-file')], code: 1, says: /a-file/ },
      {
        args: ['up', '--no-sample', '--port', '0', '--data', at('kafka')],
        env: { HUQI_KAFKA_BROKERS: '127.0.0.1:9092' },
        code: 1,
        says: /HUQI_KAFKA_BROKERS is set without HUQI_REDIS_URL: .*set both, or none/,
      },
      {
        args: ['up', '--no-sample', '--port', '0', '--data', at('redis')],
        env: { HUQI_REDIS_URL: 'redis://127.0.0.1:6379' },
        code: 1,
        says: /HUQI_REDIS_URL is set without HUQI_KAFKA_BROKERS/,
      },
      { args: ['up', '--only', 'score'], code: 2, says: /--only needs Kafka and Redis/ },
      { args: ['up', '--only', 'score,scan'], code: 2, says: /expected some of http,incoming,score,warn,dispatch,archive/ },
      { args: ['up', '--port', 'high'], code: 2, says: /expected a whole number/ },
      {
        args: ['up', '--no-sample'],
        env: { HUQI_PORT: 'x', HUQI_INTAKE_LINES_MAX: '-1' },
        code: 1,
        says: /2 settings are wrong[\s\S]*http\.port[\s\S]*intake\.linesMax/,
      },
    ];
    for (const { args, env, code, says } of cases) {
      const outcome = await huqi(args, env);
      expect(outcome.stderr, args.join(' ')).toMatch(says);
      expect(outcome.stderr).not.toMatch(/\n\s+at /);
      expect(outcome.code, args.join(' ')).toBe(code);
    }
    await new Promise((resolve) => taken.close(resolve));
  });

  it('shows every command with examples', async () => {
    for (const command of [
      ['up'],
      ['score'],
      ['send'],
      ['simulate'],
      ['doctor'],
      ['bench'],
      ['patterns', 'check'],
      ['patterns', 'push'],
    ]) {
      const { stdout, code } = await huqi([...command, '--help']);
      expect(stdout).toMatch(/Examples:\n {2}\$ huqi/);
      expect(code).toBe(0);
    }
  });

  it('is found in good health by the doctor', async () => {
    const { stdout, code } = await huqi(['doctor', '--data', at('doctor'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
    expect(code).toBe(0);
  });
});
