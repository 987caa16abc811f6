import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpServer } from '../../src/http/server.js';
import {
  account,
  bankKey,
  bearer,
  centreKey,
  counterpartyAccount,
  createPlatform,
  enterpriseKey,
  makeWarning,
  startServer,
  type Platform,
} from './support.js';

let platform: Platform;
let server: HttpServer;
let url: string;

beforeEach(async () => {
  platform = createPlatform();
  ({ server, url } = await startServer(platform));
});
afterEach(() => server.close());

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(`${url}${path}`, { method: 'POST', body, headers: { ...bearer(centreKey), ...headers } });
const postJson = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  post(path, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
const get = (path: string, headers: Record<string, string> = bearer(centreKey)) => fetch(`${url}${path}`, { headers });

const ndjson = { 'content-type': 'application/x-ndjson' };

describe('sending reference records', () => {
  test('a body for them is told apart from one for transactions, with the same answers', async () => {
    const body = '{"id":"P1","type":"profile"}\n';
    const response = await post('/v1/reference', body, { ...ndjson, ...bearer(bankKey) });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('{"line":1,"id":"P1","status":"accepted"}\n');
    await post('/v1/transactions', body, { ...ndjson, ...bearer(bankKey) });
    expect(platform.received.map(({ bank, only }) => [bank, only])).toEqual([
      ['102491002011', 'references'],
      ['102491002011', undefined],
    ]);
  });

  test('whose key it was goes with the body', async () => {
    for (const key of [bankKey, centreKey]) {
      for (const path of ['/v1/reference', '/v1/transactions']) await post(path, '{"id":"P1"}\n', { ...ndjson, ...bearer(key) });
    }
    expect(platform.received.map(({ sender }) => sender)).toEqual(['bank', 'bank', 'centre', 'centre']);
  });

  test('an empty body is refused in words of its own', async () => {
    const response = await post('/v1/reference', '\n', { ...ndjson, ...bearer(bankKey) });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('The body holds no reference record.');
  });
});

describe('sending transactions', () => {
  test('a bank gets one result per line, and its bank number goes with the body', async () => {
    const response = await post('/v1/transactions', '{"id":"a"}\nnot json\n\n{"id":1}\n', { ...ndjson, ...bearer(bankKey) });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    const lines = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toEqual([
      { line: 1, id: 'a', status: 'accepted' },
      { line: 2, status: 'rejected', reason: 'malformed', message: 'not JSON' },
      { line: 4, status: 'rejected', reason: 'invalid', field: 'id', message: 'expected a text' },
    ]);
    expect(platform.received[0]?.bank).toBe('102491002011');
  });

  test('an array is taken element by element, numbers untouched', async () => {
    const body = ' [ {"id":"a","amountFen":12345678901234567890,\n "remark":"x,]}\\"["},\r\n {"id":"b"} , 7 ]\n';
    const response = await post('/v1/transactions', body, { 'content-type': 'application/json; charset=utf-8' });
    expect(response.status).toBe(200);
    const lines = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: number; status: string });
    expect(lines.map(({ line, status }) => [line, status])).toEqual([
      [1, 'accepted'],
      [2, 'accepted'],
      [3, 'rejected'],
    ]);
    expect(platform.received[0]?.body.toString()).toContain('12345678901234567890');
  });

  test.each([
    ['{"id":"a"}', /byte 0: expected "\["/],
    ['[{"id":"a"}', /not closed/],
    ['[{"id":"a"},]', /expected a transaction after/],
    ['[,{"id":"a"}]', /expected a transaction before/],
    ['[{"id":"a"}] x', /after the array/],
    ['[{"id":"a]', /string is not closed/],
    ['[]', /holds no transaction/],
  ])('a broken array %s is refused whole with the place', async (body, detail) => {
    const response = await post('/v1/transactions', body, { 'content-type': 'application/json' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ detail: expect.stringMatching(detail) as string });
    if (body !== '[]') expect(platform.received).toEqual([]);
  });

  test('a gzip body is taken', async () => {
    const response = await post('/v1/transactions', gzipSync('{"id":"a"}\n'), { ...ndjson, 'content-encoding': 'gzip' });
    expect(response.status).toBe(200);
    expect(platform.received[0]?.body.toString()).toBe('{"id":"a"}\n');
  });

  test('a gzip bomb is refused without being unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, 0x20), { level: 9 });
    expect(bomb.length).toBeLessThan(1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    const response = await post('/v1/transactions', bomb, { ...ndjson, 'content-encoding': 'gzip' });
    expect(response.status).toBe(413);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    expect(platform.received).toEqual([]);
  });

  test('a body over 16 MiB is refused with the limit, and the sender gets to read it', async () => {
    const response = await post('/v1/transactions', Buffer.alloc(17 * 1024 * 1024, 0x20), ndjson);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({
      type: '/problems/body-too-large',
      detail: expect.stringContaining('16777216') as string,
    });
  });

  test('a body just under the limit is taken', async () => {
    const body = Buffer.alloc(16 * 1024 * 1024, 0x20);
    body.write('{"id":"a"}');
    expect((await post('/v1/transactions', body, ndjson)).status).toBe(200);
  });

  test('XML, an unknown encoding, a torn gzip stream and an empty body are refused, each with its status', async () => {
    const statuses = await Promise.all([
      post('/v1/transactions', '<Document/>', { 'content-type': 'application/xml' }),
      post('/v1/transactions', 'x', { ...ndjson, 'content-encoding': 'br' }),
      post('/v1/transactions', gzipSync('{"id":"a"}').subarray(0, 15), { ...ndjson, 'content-encoding': 'gzip' }),
      post('/v1/transactions', '', ndjson),
      post('/v1/transactions', '\n\n', ndjson),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([415, 415, 400, 400, 400]);
    expect(await statuses[0]?.json()).toMatchObject({ detail: expect.stringContaining('application/x-ndjson') as string });
  });

  test('a body that finds no place is turned away unread, and counted', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const { intake } = platform.dependencies;
    const taken = intake.accept.bind(intake);
    intake.accept = async (...body) => {
      await held;
      return taken(...body);
    };
    const small = await startServer(platform, { limits: { concurrentIntakesMax: 1 } });
    const send = () =>
      fetch(`${small.url}/v1/transactions`, {
        method: 'POST',
        body: '{"id":"a"}',
        headers: { ...bearer(bankKey), 'content-type': 'application/x-ndjson' },
      });
    const first = send();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await send()).status).toBe(503);
    await expect.poll(() => platform.turnedAway).toBe(1);
    release();
    expect((await first).status).toBe(200);
    platform.failure = Object.assign(new Error('queue full'), { retriable: true });
    expect((await send()).status).toBe(503);
    // Intake itself has seen that one.
    expect(platform.turnedAway).toBe(1);
    await small.server.close();
  });

  test('when intake is full the sender is told to come back', async () => {
    platform.failure = Object.assign(new Error('queue full'), { retriable: true });
    const response = await post('/v1/transactions', '{"id":"a"}', ndjson);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
  });
});

describe('errors are problem+json', () => {
  test.each([
    ['an unknown address', 'GET', '/v1/nothing', undefined, 404, 'not-found'],
    ['a wrong method', 'DELETE', '/v1/warnings', undefined, 405, 'method-not-allowed'],
    ['a wrong method on an id', 'GET', '/v1/warnings/w1/ack', undefined, 405, 'method-not-allowed'],
    ['a bad query', 'GET', '/v1/warnings?limit=0', undefined, 400, 'invalid'],
    ['an unknown parameter', 'GET', '/v1/warnings?offset=3', undefined, 400, 'invalid'],
    ['a bad cursor', 'GET', '/v1/warnings?after=%0a', undefined, 400, 'invalid'],
    ['an unknown warning', 'GET', '/v1/warnings/w9', undefined, 404, 'not-found'],
    ['a broken address', 'GET', '/v1/warnings/%zz', undefined, 400, 'bad-request'],
    ['broken JSON', 'POST', '/v1/warnings/w1/ack', '{', 400, 'malformed'],
    ['an unknown field', 'POST', '/v1/warnings/w1/ack', '{"bye":1}', 400, 'invalid'],
    ['a missing verdict', 'POST', '/v1/warnings/w1/disposition', '{"note":"x"}', 400, 'invalid'],
    ['a disposition without a note', 'POST', '/v1/warnings/w1/disposition', '{"verdict":"fraud","note":" "}', 400, 'invalid'],
    ['a long appeal', 'POST', '/v1/warnings/w1/appeal', JSON.stringify({ text: 'x'.repeat(2001) }), 400, 'invalid'],
    ['a large body', 'POST', '/v1/warnings/w1/appeal', JSON.stringify({ text: 'x'.repeat(70_000) }), 413, 'body-too-large'],
    ['a command on an unknown warning', 'POST', '/v1/warnings/w9/ack', '{}', 404, 'not-found'],
    ['an address with a password', 'PUT', '/v1/recipients/r1', recipient('https://a:b@example.com/'), 400, 'invalid'],
    ['an address of another kind', 'PUT', '/v1/recipients/r1', recipient('file:///etc/passwd'), 400, 'invalid'],
    ['an unknown recipient', 'DELETE', '/v1/recipients/r9', undefined, 404, 'not-found'],
    ['an unknown pattern', 'GET', '/v1/patterns/Z99', undefined, 404, 'not-found'],
  ])('%s', async (_name, method, path, body, status, kind) => {
    platform.raise(makeWarning('w1'));
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...bearer(centreKey), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body }),
    });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const problem = (await response.json()) as Record<string, unknown>;
    expect(problem).toMatchObject({ type: `/problems/${kind}`, status, instance: path.split('?')[0] });
    if (kind === 'invalid')
      expect(problem['errors']).toEqual([{ pointer: expect.any(String) as string, detail: expect.any(String) as string }]);
    if (status === 405) expect(response.headers.get('allow')).toBeTruthy();
  });

  test('a fault says nothing of the inside, and is reported to the operator', async () => {
    platform.failure = new Error('LMDB: /var/lib/huqi/data.mdb is damaged');
    const response = await get('/v1/warnings');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toMatch(/LMDB|var/);
    expect(platform.faults).toEqual([{ method: 'GET', route: '/v1/warnings', error: platform.failure }]);
  });

  test('a cursor that is no longer kept is 410', async () => {
    platform.failure = Object.assign(new Error('gone'), { name: 'OffsetOutOfRange', retriable: false });
    expect((await get('/v1/warnings?after=3')).status).toBe(410);
    expect((await get('/v1/stream?after=3')).status).toBe(410);
  });
});

describe('keys', () => {
  const routes: readonly [method: string, path: string, access: 'open' | 'read' | 'intake' | 'write'][] = [
    ['GET', '/healthz', 'open'],
    ['GET', '/readyz', 'open'],
    ['GET', '/openapi.json', 'open'],
    ['GET', '/metrics', 'read'],
    ['GET', '/v1/status', 'read'],
    ['GET', '/v1/warnings', 'read'],
    ['GET', '/v1/warnings/w1', 'read'],
    ['GET', '/v1/warnings/open', 'read'],
    ['GET', '/v1/stream', 'read'],
    ['GET', '/v1/patterns', 'read'],
    ['GET', '/v1/patterns/V01', 'read'],
    ['GET', '/v1/patterns/V01/diff', 'read'],
    ['GET', '/v1/patterns/diff', 'read'],
    ['GET', '/v1/patterns/log', 'read'],
    ['GET', '/v1/patterns/schema', 'read'],
    ['POST', '/v1/patterns', 'write'],
    ['POST', '/v1/patterns/V01/shadow', 'write'],
    ['POST', '/v1/patterns/V01/activate', 'write'],
    ['POST', '/v1/patterns/V01/retire', 'write'],
    ['POST', '/v1/patterns/V01/rollback', 'write'],
    ['POST', '/v1/patterns/rollback', 'write'],
    ['POST', '/v1/transactions', 'intake'],
    ['POST', '/v1/reference', 'intake'],
    ['POST', '/v1/warnings/w1/ack', 'write'],
    ['POST', '/v1/warnings/w1/disposition', 'write'],
    ['POST', '/v1/warnings/w1/appeal', 'write'],
    ['PUT', '/v1/recipients/r1', 'write'],
    ['GET', '/v1/recipients', 'write'],
    ['DELETE', '/v1/recipients/r1', 'write'],
  ];
  const allowed: Readonly<Record<string, readonly string[]>> = {
    nobody: ['open'],
    wrong: ['open'],
    bank: ['open', 'intake'],
    enterprise: ['open'],
    centre: ['open', 'read', 'intake', 'write'],
  };
  const keys: Readonly<Record<string, string | undefined>> = {
    wrong: 'x',
    bank: bankKey,
    enterprise: enterpriseKey,
    centre: centreKey,
  };

  const probe = async (base: string, method: string, path: string, headers: Record<string, string>) => {
    const stop = new AbortController();
    const response = await fetch(`${base}${path}`, { method, headers, signal: stop.signal });
    stop.abort();
    return response.status;
  };

  test.each(Object.keys(allowed))('what %s may do', async (who) => {
    const key = keys[who];
    for (const [method, path, access] of routes) {
      const status = await probe(url, method, path, key === undefined ? {} : bearer(key));
      const refused = who === 'nobody' || who === 'wrong' ? 401 : 403;
      if (allowed[who]?.includes(access)) expect([401, 403], `${method} ${path}`).not.toContain(status);
      else expect(status, `${method} ${path}`).toBe(refused);
    }
  });

  test('with open reading anyone on this machine reads, and nobody writes without a key', async () => {
    const open = await startServer(platform, { openReading: true });
    for (const [method, path, access] of routes) {
      const status = await probe(open.url, method, path, {});
      if (access === 'open' || access === 'read') expect(status, path).not.toBe(401);
      else expect(status, path).toBe(401);
    }
    await open.server.close();
  });

  test('open reading is not given to a page of another name (DNS rebinding)', async () => {
    const { request } = await import('node:http');
    const open = await startServer(platform, { openReading: true });
    const status = await new Promise((resolve, reject) => {
      request(`${open.url}/v1/warnings`, { headers: { host: 'evil.example:8080' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(401);
    await open.server.close();
  });
});

describe('warnings', () => {
  test('that nobody has acknowledged are listed whatever came after them, masked', async () => {
    for (let i = 1; i <= 5; i++) platform.raise(makeWarning(`w${i}`, i === 2 ? { status: 'acknowledged' } : {}));
    type Answer = { items: { id: string }[]; next: string | null };
    const first = (await (await get('/v1/warnings/open?limit=3')).json()) as Answer;
    const rest = (await (await get(`/v1/warnings/open?limit=3&after=${first.next}`)).json()) as Answer;
    expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(['w1', 'w3', 'w4', 'w5']);
    expect(rest.next).toBeNull();
    expect(JSON.stringify(first)).not.toContain(account);
  });

  test('are paged by cursor, with nothing whole that must be masked', async () => {
    for (let i = 1; i <= 5; i++) {
      platform.raise(makeWarning(`w${i}`, { note: `他的卡 ${counterpartyAccount}，电话13812345678` }));
    }
    const first = (await (await get('/v1/warnings?limit=3')).json()) as { items: { cursor: string }[]; next: string };
    const rest = (await (await get(`/v1/warnings?limit=3&after=${first.next}`)).json()) as typeof first;
    expect([...first.items, ...rest.items].map(({ cursor }) => cursor)).toEqual(['1', '2', '3', '4', '5']);
    const text = JSON.stringify(first);
    for (const secret of [account, counterpartyAccount, '三丰', '13812345678']) expect(text).not.toContain(secret);
    expect(text).toContain('4100***********2345');
    expect(first.items[0]).toMatchObject({ warning: { levelWord: { zh: '红色预警' } } });
  });

  test('tell who disposed of one, and every disposition before', async () => {
    const dispositions = [
      { verdict: 'false-alarm' as const, note: '正常货款', by: 'centre/李警官', at: '2026-07-01T10:00:00+08:00' },
      { verdict: 'fraud' as const, note: '已立案', by: 'centre/王警官', at: '2026-07-01T11:00:00+08:00' },
    ];
    const { by: disposedBy, at: disposedAt } = dispositions[1]!;
    platform.raise(makeWarning('w1', { status: 'disposed', disposedBy, disposedAt, dispositions }));
    expect(await (await get('/v1/warnings/w1')).json()).toMatchObject({ disposedBy, disposedAt, dispositions });
  });

  test('a command is done once for one Idempotency-Key, and answered the same again', async () => {
    platform.raise(makeWarning('w1'));
    const key = { 'idempotency-key': 'k-1' };
    const answers = await Promise.all([
      postJson('/v1/warnings/w1/ack', { by: '李警官' }, key),
      postJson('/v1/warnings/w1/ack', { by: '李警官' }, key),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const [a, b] = await Promise.all(answers.map((answer) => answer.json()));
    expect(a).toEqual(b);
    expect(platform.commands).toEqual([
      { id: 'w1', command: { kind: 'acknowledge' }, by: 'zhengzhou-centre/李警官', idempotencyKey: 'zhengzhou-centre:k-1' },
    ]);
    expect((await postJson('/v1/warnings/w1/ack', { by: '王警官' }, key)).status).toBe(422);
  });

  test('a disposed warning answers 409 to a further command', async () => {
    platform.raise(makeWarning('w1'));
    expect((await postJson('/v1/warnings/w1/disposition', { verdict: 'dissuaded', note: '已当面劝阻' })).status).toBe(200);
    expect((await postJson('/v1/warnings/w1/ack', {})).status).toBe(409);
  });
});

describe('what was refused', () => {
  test('is told to centres, of one bank where they ask, page by page', async () => {
    const page = await get('/v1/rejected?bank=103491002011&limit=1');
    expect(page.status).toBe(200);
    const { items, next } = (await page.json()) as { items: { bank: string; reason: string }[]; next: string };
    expect(items).toMatchObject([{ bank: '103491002011', line: 3, reason: 'invalid', field: 'time' }]);
    expect(await (await get(`/v1/rejected?after=${next}`)).json()).toEqual({ items: [], next });
    expect((await get('/v1/rejected?bank=x&limit=1')).status).toBe(400);
    for (const key of [bankKey, enterpriseKey]) expect((await get('/v1/rejected', bearer(key))).status).toBe(403);
  });
});

describe('recipients', () => {
  test('the secret is given once and never again, and the query of an address is not shown', async () => {
    const put = () =>
      fetch(`${url}/v1/recipients/huaxin`, {
        method: 'PUT',
        headers: { ...bearer(centreKey), 'content-type': 'application/json' },
        body: recipient('https://erp.example.com/hook?token=t0p'),
      });
    const made = await put();
    expect(made.status).toBe(201);
    const { secret } = (await made.json()) as { secret: string };
    expect(secret).toMatch(/^whsec_/);
    expect(await (await put()).json()).toEqual({ id: 'huaxin' });
    const list = await (await get('/v1/recipients')).text();
    expect(list).toContain('https://erp.example.com/hook');
    expect(list).not.toContain(secret);
    expect(list).not.toContain('t0p');
    const removal = { method: 'DELETE', headers: bearer(centreKey) };
    expect((await fetch(`${url}/v1/recipients/huaxin`, removal)).status).toBe(204);
    expect(await (await get('/v1/recipients')).json()).toEqual({ items: [] });
  });
});

describe('operation', () => {
  test('status, readiness and metrics tell how it is doing', async () => {
    expect(await (await get('/v1/status')).json()).toEqual(platform.status);
    expect((await get('/readyz')).status).toBe(200);
    expect(await (await get('/metrics')).text()).toContain('huqi_transactions_total');
    platform.failure = new Error('the log is behind');
    expect((await get('/readyz')).status).toBe(503);
    expect((await get('/healthz')).status).toBe(200);
  });

  test('the interface describes itself as OpenAPI 3.1, from the schemas in use', async () => {
    const document = (await (await get('/openapi.json')).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
      components: { schemas: Record<string, { properties: Record<string, unknown> }> };
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual(
      [
        '/metrics',
        '/readyz',
        '/v1/backtests',
        '/v1/backtests/{id}',
        '/v1/backtests/{id}/report.html',
        '/v1/patterns',
        '/v1/patterns/diff',
        '/v1/patterns/log',
        '/v1/patterns/rollback',
        '/v1/patterns/{id}',
        '/v1/patterns/{id}/activate',
        '/v1/patterns/{id}/diff',
        '/v1/patterns/{id}/retire',
        '/v1/patterns/{id}/rollback',
        '/v1/patterns/{id}/shadow',
        '/v1/recipients',
        '/v1/recipients/{id}',
        '/v1/reference',
        '/v1/rejected',
        '/v1/status',
        '/v1/stream',
        '/v1/transactions',
        '/v1/warnings',
        '/v1/warnings/open',
        '/v1/warnings/{id}',
        '/v1/warnings/{id}/ack',
        '/v1/warnings/{id}/appeal',
        '/v1/warnings/{id}/disposition',
      ].filter((path) => path !== '/metrics'),
    );
    expect(document.components.schemas['Warning']?.properties).toHaveProperty('levelWord');
    const { Transaction, ProfileRecord } = document.components.schemas;
    expect(Transaction).toMatchObject({
      required: ['id', 'time', 'amountFen', 'payer', 'payee'],
      properties: { remark: { maxLength: 200 }, amountFen: { type: 'integer', minimum: 1, maximum: 10_000_000_000_000 } },
    });
    expect(ProfileRecord).toMatchObject({
      required: ['id', 'time', 'type', 'account'],
      properties: { type: { const: 'profile' }, creditCode: { pattern: '^[0-9A-Z]{18}$' } },
    });
    const body = JSON.stringify(document.paths['/v1/transactions']?.['post']);
    const records = [...body.matchAll(/"#\/components\/schemas\/(Transaction|\w+Record)"/g)].map(([, name]) => name!);
    expect(new Set(records).size).toBe(8);
    for (const name of records) expect(document.components.schemas).toHaveProperty(name);
    expect(JSON.stringify(document.paths['/v1/reference']?.['post'])).not.toContain('schemas/Transaction"');
    expect(JSON.stringify(document.paths['/v1/warnings']?.['get']?.responses)).toContain('#/components/schemas/WarningsPage');
  });

  test('HEAD of the stream is answered at once, not when the stream ends', async () => {
    const response = await fetch(`${url}/v1/stream`, {
      method: 'HEAD',
      headers: bearer(centreKey),
      signal: AbortSignal.timeout(5_000),
    });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET');
    expect((await fetch(`${url}/healthz`, { method: 'HEAD' })).status).toBe(200);
  });

  test.each([
    [
      'headers that are too large',
      `GET /healthz HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
    ['what is no HTTP', 'what is this\r\n\r\n', 400, 'malformed'],
    [
      'a chunked body that is cut off',
      `POST /v1/transactions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${bankKey}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"id"\r\nzz\r\n`,
      400,
      'malformed',
    ],
  ])('%s is answered as a problem', async (_, text, status, kind) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    socket.write(text);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json');
    expect(JSON.parse(answer.slice(answer.lastIndexOf('\r\n\r\n')))).toMatchObject({ type: `/problems/${kind}`, status });
  });

  test('no more requests than allowed run at once', async () => {
    const small = await startServer(platform, { limits: { concurrentRequestsMax: 1 } });
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const hanging = { ...platform.dependencies, status: () => held.then(() => platform.status) };
    const { createHttpServer } = await import('../../src/http/server.js');
    const busy = await createHttpServer(hanging, {
      version: '0',
      openReading: false,
      now: Date.now,
      limits: { concurrentRequestsMax: 1 },
    });
    const { url: busyUrl } = await busy.listen({ host: '127.0.0.1', port: 0 });
    const first = fetch(`${busyUrl}/v1/status`, { headers: bearer(centreKey) });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await fetch(`${busyUrl}/healthz`)).status).toBe(503);
    release();
    expect((await first).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await fetch(`${busyUrl}/healthz`)).status).toBe(200);
    await busy.close();
    await small.server.close();
  });

  test('answers carry a strict content security policy', async () => {
    const policy = (await get('/healthz')).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
  });
});

function recipient(address: string): string {
  return JSON.stringify({ kind: 'enterprise', match: '91410100MA44X2Y35K', name: '华信商贸', webhook: { url: address } });
}
