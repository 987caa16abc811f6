import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpServer } from '../../src/http/server.js';
import { bankKey, bearer, createPlatform, otherBankKey, startServer, until, type Platform } from './support.js';

let platform: Platform;
let server: HttpServer;
let url: string;
let port: number;
let sockets: Socket[];

beforeEach(() => {
  platform = createPlatform();
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.close();
});

async function start(options: Parameters<typeof startServer>[1]) {
  ({ server, url, port } = await startServer(platform, options));
}

const send = (key: string, body: string | Buffer = '{"id":"a"}', headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/transactions`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-ndjson', ...bearer(key), ...headers },
  });

/** A request whose body stops after its first byte; what it is answered. */
/** A request that says how long its body is, of which only the first character has come. */
function hang(key: string, headers = '', length = 1_000_000): { answer: string; isClosed: boolean; socket: Socket } {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  const hanging = { answer: '', isClosed: false, socket };
  socket.on('data', (chunk) => (hanging.answer += chunk.toString()));
  socket.on('error', () => {});
  socket.on('close', () => (hanging.isClosed = true));
  socket.write(
    `POST /v1/transactions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: application/x-ndjson\r\ncontent-length: ${length}\r\n${headers}\r\n{`,
  );
  return hanging;
}

describe('places for bodies', () => {
  test('a bank that fills its own leaves some to the others, and has them again when they are free', async () => {
    await start({ limits: { concurrentIntakesMax: 4, concurrentIntakesPerKeyMax: 2, slowBodyMs: 60_000 } });
    const hanging = Array.from({ length: 5 }, () => hang(bankKey));
    await until(() => hanging.filter(({ answer }) => answer.startsWith('HTTP/1.1 503')).length === 3);
    expect((await send(otherBankKey)).status).toBe(200);
    const refused = await send(bankKey);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('of this key') as string });
    for (const socket of sockets) socket.destroy();
    let { status } = refused;
    for (let i = 0; i < 100 && status === 503; i++) ({ status } = await send(bankKey));
    expect(status).toBe(200);
  });

  test('all keys together have no more than there are', async () => {
    await start({ limits: { concurrentIntakesMax: 1, concurrentIntakesPerKeyMax: 1 } });
    hang(bankKey);
    await until(() => sockets[0]?.bytesWritten !== 0);
    let status = 200;
    for (let i = 0; i < 100 && status === 200; i++) ({ status } = await send(otherBankKey));
    expect(status).toBe(503);
  });
});

describe('a body that comes too slowly', () => {
  test.each(['', 'content-encoding: gzip\r\n'])('is given up with 408 and its connection closed (%j)', async (headers) => {
    await start({ limits: { slowBodyMs: 100 } });
    const hanging = hang(bankKey, headers);
    await until(() => hanging.isClosed);
    expect(hanging.answer).toMatch(/^HTTP\/1.1 408 /);
    expect(hanging.answer).toContain('/problems/body-too-slow');
    expect(platform.received).toEqual([]);
    expect(platform.faults).toEqual([]);
  });

  test('is given up as well where a byte comes now and then', async () => {
    await start({ limits: { slowBodyMs: 200 } });
    const hanging = hang(bankKey);
    const drip = setInterval(() => hanging.socket.write(' '), 20);
    await until(() => hanging.answer !== '');
    clearInterval(drip);
    expect(hanging.answer).toMatch(/^HTTP\/1.1 408 /);
  });

  test('one that takes long but keeps coming is taken whole', async () => {
    await start({ limits: { slowBodyMs: 200, bodyBytesPerSecondMin: 1000 } });
    const body = `{"id":"a","remark":"${'x'.repeat(6_000)}"}`;
    const begun = hang(bankKey, '', body.length);
    for (let at = 1; at < body.length; at += 500) {
      begun.socket.write(body.slice(at, at + 500));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await until(() => begun.answer !== '');
    expect(begun.answer).toMatch(/^HTTP\/1.1 200 /);
    expect(platform.received[0]?.body.toString()).toBe(body);
  });

  test('is not what the server itself was slow to read', async () => {
    await start({ limits: { slowBodyMs: 100 } });
    const body = '{"id":"a"}';
    const begun = hang(bankKey, '', body.length);
    await new Promise((resolve) => setTimeout(resolve, 50));
    begun.socket.write(body.slice(1));
    const busyUntilMs = Date.now() + 300;
    while (Date.now() < busyUntilMs);
    await until(() => begun.answer !== '');
    expect(begun.answer).toMatch(/^HTTP\/1.1 200 /);
  });
});
