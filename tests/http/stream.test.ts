import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HttpServer } from '../../src/http/server.js';
import { bearer, centreKey, createPlatform, makeWarning, openStream, startServer, until, type Platform } from './support.js';

let platform: Platform;
let server: HttpServer;
let url: string;
let port: number;

beforeEach(async () => {
  platform = createPlatform();
  ({ server, url, port } = await startServer(platform, {
    limits: { streamHeartbeatMs: 50, streamClientsMax: 3, streamStalledMsMax: 400 },
  }));
});
afterEach(() => server.close());

const raise = (from: number, to: number) => {
  for (let i = from; i <= to; i++) platform.raise(makeWarning(`w${i}`));
};

test('a client sees everything kept, then what is new within a moment', async () => {
  raise(1, 120);
  const stream = await openStream(url);
  await until(() => stream.events.length === 120);
  const atMs = Date.now();
  raise(121, 121);
  await until(() => stream.events.length === 121);
  expect(Date.now() - atMs).toBeLessThan(500);
  expect(stream.events.map(({ id }) => id)).toEqual(Array.from({ length: 121 }, (_, i) => String(i + 1)));
  expect(stream.events[0]?.event).toBe('warning.raised');
  await stream.close();
});

test('a client that comes back goes on after its last event, no gap and no repeat', async () => {
  raise(1, 10);
  const first = await openStream(url);
  await until(() => first.events.length === 10);
  await first.close();
  raise(11, 70);
  const second = await openStream(url, { 'last-event-id': '10' });
  await until(() => second.events.length === 60);
  expect([...first.events, ...second.events].map(({ id }) => Number(id))).toEqual(Array.from({ length: 70 }, (_, i) => i + 1));
  await second.close();
});

test('a client may ask for what is new only, or for the recent ones', async () => {
  raise(1, 600);
  const now = await openStream(url, {}, '?from=now');
  const recent = await openStream(url, {}, '?from=recent');
  const after = await openStream(url, {}, '?after=598');
  await until(() => recent.events.length === 500 && after.events.length === 2);
  expect(recent.events[0]?.id).toBe('101');
  expect(now.events).toEqual([]);
  raise(601, 601);
  await until(() => now.events.length === 1);
  await Promise.all([now.close(), recent.close(), after.close()]);
});

test('a quiet stream is kept alive by comments', async () => {
  const stream = await openStream(url);
  await until(() => stream.state.comments >= 3);
  await stream.close();
});

test('a stream whose key is removed ends with the next comment, and nothing more is told on it', async () => {
  raise(1, 3);
  const quiet = await openStream(url, {}, '?from=now');
  const told = await openStream(url);
  await until(() => told.events.length === 3 && quiet.state.comments > 0);
  platform.removedKeys.add(centreKey);
  raise(4, 4);
  await until(() => quiet.state.ended && told.state.ended);
  expect(told.events).toHaveLength(3);
  expect(quiet.events).toEqual([]);
  expect(server.streamClients()).toBe(0);
  expect((await openStream(url)).response.status).toBe(401);
});

test('with open reading a stream without a key goes on when a key is removed', async () => {
  const open = await startServer(platform, { openReading: true, limits: { streamHeartbeatMs: 20 } });
  const response = await fetch(`${open.url}/v1/stream`);
  platform.removedKeys.add(centreKey);
  raise(1, 1);
  const reader = response.body!.getReader();
  let text = '';
  while (!text.includes('id: 1')) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  await open.server.close();
});

test('the number of clients is bounded, and a place is free again when one leaves', async () => {
  const streams = await Promise.all([openStream(url), openStream(url), openStream(url)]);
  const refused = await openStream(url);
  expect(refused.response.status).toBe(503);
  await streams[0].close();
  await until(() => server.streamClients() === 2);
  const next = await openStream(url);
  expect(next.response.status).toBe(200);
  await Promise.all([streams[1].close(), streams[2].close(), next.close(), refused.close()]);
});

test('who does not accept events is told so', async () => {
  const ask = (accept: string) => fetch(`${url}/v1/stream`, { headers: { ...bearer(centreKey), accept } });
  expect((await ask('application/json')).status).toBe(406);
  expect((await ask('text/event-stream;q=0')).status).toBe(406);
});

test('a client that reads nothing holds no more than a page or two in memory, and is cut off', async () => {
  raise(1, 20_000);
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  socket.write(`GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${centreKey}\r\n\r\n`);
  await until(() => server.streamClients() === 1);
  await until(() => server.streamClients() === 0);
  // The socket's own buffers take some pages; 400 pages would be all of it.
  expect(platform.reads).toBeLessThan(200);
  socket.resume();
  await closed;
});

test('closing the server ends the streams, and the client resumes at the next one', async () => {
  raise(1, 5);
  const stream = await openStream(url);
  await until(() => stream.events.length === 5);
  const atMs = Date.now();
  await server.close();
  expect(Date.now() - atMs).toBeLessThan(1_000);
  await until(() => stream.state.ended);
  raise(6, 8);
  const again = await startServer(platform);
  const resumed = await openStream(again.url, { 'last-event-id': stream.events.at(-1)?.id ?? '' });
  await until(() => resumed.events.length === 3);
  await resumed.close();
  await again.server.close();
});
