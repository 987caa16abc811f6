import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/embedded.js';
import { failureOf, huqi, type Running, sampleLines, startHuqi } from '../support/huqi.js';
import { metricTotal } from '../support/metrics.js';
import { exampleRecords } from '../support/references.js';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory, name);
const lines = sampleLines().transactions;
let running: Running | undefined;
afterEach(async () => {
  await running?.end('SIGKILL');
  running = undefined;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Role = 'bank' | 'centre';

/** Starts a platform in `data` and returns what `huqi send` needs to reach it. */
async function startPlatform(data: string, port = 0, role: Role = 'bank'): Promise<{ url: string; to: string[] }> {
  running = startHuqi(['up', '--no-sample', '--port', String(port), '--data', at(data)]);
  const [, url = ''] = await running.printed(/runs at (http:\S+)\n/);
  return { url, to: ['--to', url, '--key', await keyOf(running, data, role)] };
}

const keys = new Map<string, Record<Role, string>>();

async function keyOf(up: Running, data: string, role: Role): Promise<string> {
  const known = keys.get(data);
  if (known !== undefined) return known[role];
  await up.printed(/keys\.json/);
  const made = JSON.parse(readFileSync(join(at(data), 'keys.json'), 'utf8')) as Record<Role, string>;
  keys.set(data, made);
  return made[role];
}

/** As the warehouse counts, which follows when there is time. */
async function acceptedAt(url: string): Promise<number> {
  const { transactions } = (await (await fetch(`${url}/v1/status`)).json()) as { transactions: { accepted: number } };
  return transactions.accepted;
}

it(
  'sends a packed file, tells what was there already, and shows refused lines by their numbers',
  { timeout: 120_000 },
  async () => {
    const { url, to } = await startPlatform('plain');
    writeFileSync(at('thousand.ndjson.gz'), gzipSync(lines.slice(0, 1_000).join('\n')));
    const first = await huqi(['send', at('thousand.ndjson.gz'), ...to, '--batch', '300', '--json']);
    expect(first, first.stderr).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(first.stdout)).toMatchObject({ sent: 1_000, accepted: 1_000, duplicates: 0, refused: {} });

    const mixed = lines.slice(990, 1_010).toSpliced(4, 0, '{"id":"cut off');
    writeFileSync(at('mixed.ndjson'), mixed.join('\n'));
    const second = await huqi(['send', at('mixed.ndjson'), ...to, '--batch', '3', '--json']);
    expect(second.code).toBe(1);
    expect(JSON.parse(second.stdout)).toMatchObject({ sent: 21, accepted: 10, duplicates: 10, refused: { malformed: 1 } });
    expect(second.stderr).toMatch(/mixed\.ndjson:5 refused, malformed: \S/);

    // Blank lines count, in one request and over several; what is not shown is told, listed and written.
    const broken = Array.from({ length: 12 }, (_, n) => `\n{"id":"cut off ${n}`);
    writeFileSync(at('blank.ndjson'), ['\r', lines[0], ...broken, '', lines[1]].join('\n'));
    const numbers = broken.map((_, n) => 4 + 2 * n);
    for (const batch of ['5', '100']) {
      const third = await huqi([
        'send',
        at('blank.ndjson'),
        ...to,
        '--batch',
        batch,
        '--json',
        '--refused',
        at('refused.ndjson'),
      ]);
      expect(third.code, third.stderr).toBe(1);
      const { refused, refusals } = JSON.parse(third.stdout) as { refused: object; refusals: { line: number }[] };
      expect(refused).toEqual({ malformed: 12 });
      expect(refusals.map(({ line }) => line)).toEqual(numbers);
      const written = readFileSync(at('refused.ndjson'), 'utf8').trim().split('\n');
      expect(written.map((text) => JSON.parse(text) as object)).toEqual(refusals);
      expect(third.stderr.match(/blank\.ndjson:(\d+) refused/g)).toHaveLength(10);
      expect(third.stderr).toContain(`2 more were refused; all are in ${at('refused.ndjson')}`);
    }
    const onItself = await huqi(['send', at('blank.ndjson'), ...to, '--refused', at('blank.ndjson')]);
    expect(failureOf(onItself)).toEqual({ code: 2, lines: 1, hasStack: false });
    await expect.poll(() => acceptedAt(url), { timeout: 90_000 }).toBe(1_010);
  },
);

it('sends a file of transactions and reference records, a long list among them', { timeout: 120_000 }, async () => {
  const { url, to } = await startPlatform('records', 0, 'centre');
  const entries = Array.from({ length: 1_000 }, (_, n) => `4100100000${String(n).padStart(30, '0')}`);
  const long = { ...exampleRecords.list, id: 'long', entries };
  const records = [...Object.values(exampleRecords), long].map((record) => JSON.stringify(record));
  expect(records.at(-1)?.length).toBeGreaterThan(40_000);
  writeFileSync(at('records.ndjson'), [...lines.slice(0, 50), ...records, ...lines.slice(50, 100)].join('\n'));
  const { code, stdout, stderr } = await huqi(['send', at('records.ndjson'), ...to, '--batch', '40', '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({ sent: 108, accepted: 108, duplicates: 0, refused: {} });
  expect(await metricTotal(url, 'huqi_transactions_accepted_total')).toBe(100);
  expect(await metricTotal(url, 'huqi_references_accepted_total')).toBe(8);
});

it('shows a bank that a list is for the centre to send, and takes what else it knows', { timeout: 120_000 }, async () => {
  const { to } = await startPlatform('own');
  const { profile, list, login } = exampleRecords;
  writeFileSync(at('own.ndjson'), [profile, list, login].map((record) => JSON.stringify(record)).join('\n'));
  const { code, stdout, stderr } = await huqi(['send', at('own.ndjson'), ...to, '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ sent: 3, accepted: 2, refused: { invalid: 1 } });
  expect(stderr).toMatch(/own\.ndjson:2 refused, invalid: type a bank may not send list records.* key of the centre/);
});

it('that is stopped tells what was sent and what to do, and the file may be sent again', { timeout: 120_000 }, async () => {
  const { url, to } = await startPlatform('stopped');
  writeFileSync(at('slow.ndjson'), lines.slice(0, 100).join('\n'));
  const sending = startHuqi(['send', at('slow.ndjson'), ...to, '--rate', '10', '--batch', '10']);
  await expect.poll(() => metricTotal(url, 'huqi_transactions_accepted_total'), { timeout: 60_000 }).toBeGreaterThan(0);
  const stopped = await sending.end('SIGTERM');
  expect(stopped.code).toBe(1);
  const sent = Number(/^(\d+) sent in .*: (\d+) accepted, 0 there already, 0 refused\n$/.exec(stopped.stdout)?.[1]);
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(100);
  expect(stopped.stderr).toBe('huqi: stopped; send the file again: what is there counts as resent\n');
  const again = await huqi(['send', at('slow.ndjson'), ...to, '--json']);
  const { accepted, duplicates } = JSON.parse(again.stdout) as { accepted: number; duplicates: number };
  expect(accepted + duplicates).toBe(100);
  expect(duplicates).toBeGreaterThanOrEqual(sent);
  expect((await huqi(['send', '--help'])).stdout).toContain(`--key ${keys.get('stopped')!.bank.slice(0, 'huqi_bank_'.length)}`);
});

it('takes the key from the environment', { timeout: 120_000 }, async () => {
  const { to } = await startPlatform('environment');
  writeFileSync(at('one.ndjson'), lines[0] ?? '');
  const [flag, url = '', , key = ''] = to;
  expect(await huqi(['send', at('one.ndjson'), flag ?? '', url], { HUQI_KEY: key })).toMatchObject({ code: 0, stderr: '' });
  const without = await huqi(['send', at('one.ndjson'), flag ?? '', url]);
  expect(without.stderr).toContain('--key KEY, or HUQI_KEY');
  expect(failureOf(without)).toEqual({ code: 2, lines: 1, hasStack: false });
});

it(
  'goes on through a kill and a restart of the platform, and nothing is lost or counted twice',
  { timeout: 240_000 },
  async () => {
    const count = 6_000;
    const port = await freePort();
    const { url, to } = await startPlatform('restarted', port);
    writeFileSync(at('part.ndjson'), lines.slice(0, count).join('\n'));
    const sending = huqi(['send', at('part.ndjson'), ...to, '--batch', '100', '--rate', '1500', '--json']);
    await expect.poll(() => metricTotal(url, 'huqi_transactions_accepted_total'), { timeout: 60_000 }).toBeGreaterThan(500);
    await running?.end('SIGKILL');
    expect(await Promise.race([sending, Promise.resolve('still sending')])).toBe('still sending');
    await startPlatform('restarted', port);

    const { code, stdout, stderr } = await sending;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { sent, accepted, duplicates } = JSON.parse(stdout) as { sent: number; accepted: number; duplicates: number };
    expect(sent).toBe(count);
    expect(accepted + duplicates).toBe(count);
    await expect.poll(() => acceptedAt(url), { timeout: 90_000 }).toBe(count);
    expect((await running?.end('SIGTERM'))?.code).toBe(0);
  },
);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
