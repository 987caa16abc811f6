import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/embedded.js';
import { patternText } from '../support/pattern-text.js';
import { huqi, type Running, startHuqi } from '../support/huqi.js';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory, name);
let running: Running | undefined;
afterEach(() => running?.end('SIGKILL'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Only the payment of this test meets it. */
/** Between two firms, of an amount that no pattern that ships minds. */
const payment = (id: string): string =>
  JSON.stringify({
    id,
    time: '2026-07-01T10:00:00+08:00',
    amountFen: 12_345_677,
    payer: { account: '4100000000001', name: '样例甲有限公司', kind: 'corporate', bank: '102491002011' },
    payee: { account: '4100000000002', name: '样例乙有限公司', kind: 'corporate', bank: '102491002011' },
    bank: '102491002011',
  });

interface Status {
  readonly transactions: { readonly scored: number };
  readonly hits: { readonly byPattern: Readonly<Record<string, number>> };
}

interface Warning {
  readonly family: string;
  readonly hits: readonly { readonly transaction: string; readonly pattern: string }[];
}

/** What the help promises, with a margin. */
const takenWithinMs = 2_000;

it(
  'a pattern pushed beside a running platform finds within two seconds what only it can find',
  { timeout: 240_000 },
  async () => {
    const data = at('data');
    running = startHuqi(['up', '--no-sample', '--port', '0', '--data', data]);
    const [, url = ''] = await running.printed(/runs at (http:\S+)\n[^]*keys\.json/);
    const { bank } = JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')) as { bank: string };
    const get = async <T>(path: string): Promise<T> => (await (await fetch(`${url}${path}`)).json()) as T;
    const pay = async (id: string): Promise<string> => {
      const headers = { authorization: `Bearer ${bank}`, 'content-type': 'application/x-ndjson' };
      return (await fetch(`${url}/v1/transactions`, { method: 'POST', headers, body: payment(id) })).text();
    };
    const scored = async (): Promise<number> => (await get<Status>('/v1/status')).transactions.scored;

    expect(await pay('before')).toContain('"accepted"');
    await expect.poll(scored, { timeout: 90_000 }).toBe(1);
    writeFileSync(at('T01.yaml'), patternText().replace('tx.amountFen ==', 'tx.amuntFen =='));
    expect(await huqi(['patterns', 'push', at('T01.yaml'), '--data', data])).toMatchObject({ code: 1 });
    writeFileSync(at('T01.yaml'), patternText());
    const pushed = await huqi(['patterns', 'push', at('T01.yaml'), '--data', data]);
    expect(pushed, pushed.stderr).toMatchObject({ code: 0 });
    await sleep(takenWithinMs);
    const { items: patterns } = await get<{ items: { id: string }[] }>('/v1/patterns');
    expect(patterns.map(({ id }) => id)).toContain('T01');
    expect(await pay('after')).toContain('"accepted"');
    const hits = async (): Promise<number | undefined> => (await get<Status>('/v1/status')).hits.byPattern['T01'];
    await expect.poll(hits, { timeout: 90_000 }).toBe(1);
    const { items } = await get<{ items: { warning: Warning }[] }>('/v1/warnings');
    const ofFamily = items.map(({ warning }) => warning).filter(({ family }) => family === 'peculiar-amount');
    expect(ofFamily).toMatchObject([{ family: 'peculiar-amount', hits: [{ transaction: 'after', pattern: 'T01' }] }]);
  },
);

it('a file pushed again under another name changes nothing', { timeout: 120_000 }, async () => {
  const data = ['--data', at('again')];
  for (const name of ['one.yaml', 'two.yaml']) writeFileSync(at(name), patternText());
  expect(await huqi(['patterns', 'push', at('one.yaml'), ...data])).toMatchObject({ code: 0 });
  const before = await huqi(['patterns', 'list', ...data, '--json']);
  expect((await huqi(['patterns', 'push', at('two.yaml'), ...data])).stdout).toContain('0 added, 0 changed, 1 the same');
  expect(await huqi(['patterns', 'list', ...data, '--json'])).toEqual(before);
});
