import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HttpServer } from '../../src/http/server.js';
import { Unavailable } from '../../src/ports/unavailable.js';
import { bearer, bankKey, centreKey, createPlatform, startServer, type Platform } from './support.js';

let platform: Platform;
let servers: HttpServer[];

beforeEach(() => {
  platform = createPlatform();
  servers = [];
});
afterEach(() => Promise.all(servers.map((server) => server.close())));

async function start(options: Parameters<typeof startServer>[1] = {}): Promise<string> {
  const { server, url } = await startServer(platform, options);
  servers.push(server);
  return url;
}

test('a process with another role answers for its own health alone, and says who serves the rest', async () => {
  const url = await start({ operationsOnly: 'score, warn' });
  const open = await Promise.all(
    ['/healthz', '/readyz', '/metrics'].map((path) => fetch(`${url}${path}`, { headers: bearer(centreKey) })),
  );
  expect(open.map(({ status }) => status)).toEqual([200, 200, 200]);
  for (const [method, path] of [
    ['GET', '/'],
    ['GET', '/v1/warnings'],
    ['GET', '/v1/status'],
    ['POST', '/v1/transactions'],
    ['GET', '/v1/stream'],
    ['GET', '/openapi.json'],
  ] as const) {
    const response = await fetch(`${url}${path}`, { method, headers: bearer(centreKey) });
    expect([path, response.status, response.headers.get('content-type')]).toEqual([path, 404, 'application/problem+json']);
    const { type, detail } = (await response.json()) as { type: string; detail: string };
    expect(type).toBe('/problems/not-served-here');
    expect(detail).toContain('runs score, warn');
  }
  expect(platform.received).toEqual([]);
});

test('what is ridden out makes a process degraded, not dead', async () => {
  const url = await start();
  expect(await (await fetch(`${url}/healthz`)).text()).toBe('ok\n');
  platform.troubles.push('score: 1 of its 2 partitions are not open yet');
  const response = await fetch(`${url}/healthz`);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('degraded\nscore: 1 of its 2 partitions are not open yet\n');
});

test('a store that cannot be reached is answered to be tried again, without a word on where it is', async () => {
  const url = await start();
  platform.failure = new Unavailable('Kafka 10.0.0.7:9092 cannot be reached');
  const response = await fetch(`${url}/v1/transactions`, {
    method: 'POST',
    headers: { ...bearer(bankKey), 'content-type': 'application/x-ndjson' },
    body: '{"id":"1"}\n',
  });
  expect(response.status).toBe(503);
  expect(response.headers.get('retry-after')).toBe('2');
  const text = await response.text();
  expect(text).toContain('it counts once');
  expect(text).not.toContain('10.0.0.7');
});
