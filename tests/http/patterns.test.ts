import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHttpServer, type HttpServer } from '../../src/http/server.js';
import { createPatternDesk } from '../../src/pipeline/pattern-desk.js';
import { createPatternStore, type PatternStore } from '../../src/pipeline/pattern-store.js';
import { patternFileSchema } from '../../src/scoring/completion.js';
import { temporaryEmbedded } from '../support/embedded.js';
import { patternText } from '../support/pattern-text.js';
import { workingDays } from '../support/patterns.js';
import { bearer, createPlatform } from './support.js';

/** The real patterns in a real store behind a real listening server; two people of the centre, and a bank. */

const holders: Readonly<Record<string, { id: string; role: 'centre' | 'bank'; name: string }>> = {
  'li-key': { id: '1', role: 'centre', name: 'Li' },
  'li-other-key': { id: '2', role: 'centre', name: 'Li' },
  'wang-key': { id: '3', role: 'centre', name: 'Wang' },
  'bank-key': { id: '4', role: 'bank', name: 'Wang' },
};

let parts: ReturnType<typeof temporaryEmbedded>;
let store: PatternStore;
let server: HttpServer;
let url: string;
beforeEach(async () => {
  parts = temporaryEmbedded();
  store = createPatternStore(parts.state, workingDays);
  await store.seed([{ file: 'T01.yaml', text: patternText() }], Date.now());
  const desk = createPatternDesk({ store, workingDays, reach: async () => null, retentionMs: 1, clock: Date });
  const dependencies = {
    ...createPlatform().dependencies,
    patterns: { ...desk, schema: patternFileSchema },
    authenticate: (key: string) => holders[key] ?? null,
  };
  server = await createHttpServer(dependencies, { version: '0', openReading: true, now: () => Date.now() });
  ({ url } = await server.listen({ host: '127.0.0.1', port: 0 }));
});
afterEach(async () => {
  await server.close();
  await parts.remove();
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function post(key: string, path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${url}/v1/patterns${path}`, {
    method: 'POST',
    headers: { ...bearer(key), 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function get(path: string): Promise<Answer> {
  const response = await fetch(`${url}/v1/patterns${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const second = patternText({ version: 2, fen: 900 });
const propose = (key: string, text = second, note?: string) =>
  post(key, '', { files: [{ file: '/home/li/T01.yaml', text }], ...(note === undefined ? {} : { note }) });
const versionInForce = async () => (await get('/T01')).body['version'];

describe('over HTTP', () => {
  test('a changed condition comes into force by the keys of two people, and by nothing that one person can send', async () => {
    expect(await propose('li-key', second, 'smaller amounts')).toMatchObject({
      status: 200,
      body: { kind: 'proposed', changed: ['T01'] },
    });
    const tries: readonly [path: string, body: object][] = [
      ['/T01/activate', { version: 2 }],
      ['/T01/activate', { version: 2, note: 'approved by Wang' }],
      ['/T01/rollback', { version: 2 }],
      ['/T01/shadow', { version: 2 }],
      ['/T01/activate', { version: 2 }],
      ['/T01/retire', { version: 1 }],
      ['/T01/activate', { version: 2 }],
      ['/rollback', {}],
      ['', { files: [{ file: 'T01.yaml', text: patternText({ version: 3, state: 'active', fen: 1 }) }] }],
    ];
    for (const key of ['li-key', 'li-other-key']) {
      for (const [path, body] of tries) {
        await post(key, path, body);
        const active = (await store.current()).patterns.filter(({ state }) => state === 'active');
        expect(active.map(({ pattern }) => pattern.version).filter((version) => version > 1)).toEqual([]);
      }
    }
    expect(await post('li-key', '/T01/activate', { version: 2, by: 'Wang' })).toMatchObject({ status: 400 });
    expect(await post('bank-key', '/T01/activate', { version: 2 })).toMatchObject({ status: 403 });
    const refused = await post('li-other-key', '/T01/activate', { version: 2 });
    expect(refused).toMatchObject({ status: 409, body: { type: '/problems/conflict' } });
    expect(refused.body['detail']).toBe(
      'T01 version 2 was proposed by Li; a second person must put it into force, with a key of their own.',
    );
    expect(await post('wang-key', '/T01/activate', { version: 2, note: 'seen' })).toMatchObject({
      status: 200,
      body: { how: 'activated', by: 'Wang', note: 'seen' },
    });
    expect(await versionInForce()).toBe(2);
  });

  test('whoever activates names the version they have looked at', async () => {
    await propose('li-key');
    expect(await post('wang-key', '/T01/activate', {})).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/version' }] },
    });
    expect(await post('wang-key', '/T01/activate', { version: 7 })).toMatchObject({ status: 404 });
    expect(await post('wang-key', '/Z99/activate', { version: 1 })).toMatchObject({ status: 404 });
    expect(await versionInForce()).toBe(1);
  });

  test('a text that was read in another encoding than it was written in is refused at the first lost character', async () => {
    const broken = await propose('li-key', second.replace('请核实', '\uFFFD\uFFFD实'));
    const line = second.split('\n').findIndex((text) => text.startsWith('advice')) + 1;
    expect(broken).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: `/home/li/T01.yaml:${line}:16`, detail: expect.stringContaining('not sent as UTF-8') }] },
    });
  });

  test('what is wrong with one file does not hide what is wrong with the next', async () => {
    const files = [
      {
        file: 'T02.yaml',
        text: patternText({ id: 'T02', extra: 'ceiling: &many 20' }).replace('peculiarFen: 12345677', 'peculiarFen: *many'),
      },
      { file: 'T03.yaml', text: patternText({ id: 'T03' }).replace('2026-07-01', '2026-13-01') },
      { file: 'T04.yaml', text: patternText({ id: 'T04', when: 'profile(self).toString > 1' }) },
      { file: 'T05.yaml', text: patternText({ id: 'T05' }) },
    ];
    const { status, body } = await post('li-key', '', { files });
    expect(status).toBe(422);
    const errors = body['errors'] as { pointer: string; detail: string }[];
    expect(errors.map(({ pointer }) => pointer.replace(/:\d+:\d+/, ''))).toEqual([
      'T02.yaml',
      'T03.yaml examples.hits.0.transactions.0.at',
      'T04.yaml when',
    ]);
    expect(errors[0]!.detail).toBe('aliases such as *many are not part of pattern files; write the value out');
    const together = await post('li-key', '', { files: files.slice(1) });
    expect((together.body['errors'] as unknown[]).length).toBe(2);
  });

  test('a broken file is refused by file, line and column, and nothing changes', async () => {
    const broken = await propose('li-key', second.replace('tx.amountFen ==', 'tx.amuntFen =='));
    expect(broken).toMatchObject({ status: 422, body: { type: '/problems/patterns-broken' } });
    const line = second.split('\n').findIndex((text) => text.includes('tx.amountFen')) + 1;
    const [error] = broken.body['errors'] as { pointer: string; detail: string }[];
    expect(error?.pointer).toMatch(new RegExp(`^/home/li/T01\\.yaml:${line}:\\d+ when$`));
    expect(error?.detail).toContain('did you mean "tx.amountFen"');
    expect((await get('')).body['items']).toHaveLength(1);
  });

  test('lists, shows, compares and remembers; where a file lay is nobody’s business', async () => {
    await propose('li-key', second, 'smaller amounts');
    expect((await get('')).body['items']).toMatchObject([
      { id: 'T01', version: 1, state: 'active' },
      { id: 'T01', version: 2, state: 'draft', proposedBy: 'Li' },
    ]);
    expect((await get('/T01?version=2')).body).toMatchObject({ state: 'draft', text: second });
    expect((await get('/T01/diff')).body).toMatchObject({
      from: 1,
      to: 2,
      params: [{ name: 'peculiarFen', from: 12_345_677, to: 900 }],
    });
    await post('wang-key', '/T01/activate', { version: 2 });
    const log = (await get('/log?limit=2')).body;
    expect(log).toMatchObject({
      next: 2,
      entries: [
        { how: 'activated', by: 'Wang' },
        { how: 'proposed', by: 'Li', note: 'smaller amounts' },
      ],
    });
    expect((await get('/diff')).body).toMatchObject({ changed: [{ pattern: 'T01', from: 1, to: 2 }] });
    expect(await post('wang-key', '/rollback', { note: 'too many' })).toMatchObject({
      status: 200,
      body: { how: 'rolled-back' },
    });
    expect(await versionInForce()).toBe(1);
    expect(JSON.stringify(await store.version('T01', 2))).not.toContain('/home/li');
    expect((await get('/schema')).body).toMatchObject({ type: 'object', title: 'HuQi fraud pattern' });
    expect(await get('/diff?from=ffffffffffffffff')).toMatchObject({ status: 404 });
    expect(await get('/log?limit=0')).toMatchObject({ status: 400 });
  });

  test('a command sent again with its Idempotency-Key is answered as before and not done again', async () => {
    await propose('li-key');
    const key = { 'idempotency-key': 'a1' };
    const first = await post('wang-key', '/T01/activate', { version: 2 }, key);
    expect(await post('wang-key', '/T01/activate', { version: 2 }, key)).toEqual(first);
    expect(await post('wang-key', '/T01/activate', { version: 1 }, key)).toMatchObject({ status: 422 });
    expect(await post('wang-key', '/T01/activate', { version: 2 })).toMatchObject({ status: 409 });
    expect((await store.life()).revision).toBe(3);
  });
});
