import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, test } from 'vitest';
import { AddressRefused, createAddressGuard } from '../../../src/adapters/channel/address-guard.js';
import { createWebhookChannel, webhookBytesMax, type WebhookOptions } from '../../../src/adapters/channel/webhook.js';
import { presentWarning } from '../../../src/http/present.js';
import type { Warning } from '../../../src/domain/warning.js';
import type { Message } from '../../../src/ports/channel.js';
import { startReceiver } from '../../../src/simulate/receiver.js';
import { account, counterpartyAccount, makeWarning } from '../../http/support.js';

const secret = `whsec_${Buffer.from('a secret of twenty-four b').toString('base64')}`;
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function openChannel(change: Partial<WebhookOptions> = {}) {
  const channel = createWebhookChannel({
    fetchTimeoutMs: 500,
    allowPrivate: ['127.0.0.0/8'],
    userAgent: 'HuQi/0.1',
    now: () => Date.now(),
    present: presentWarning,
    ...change,
  });
  closers.push(() => channel.close());
  return channel;
}

function message(url: string, change: Partial<Message> = {}): Message {
  return {
    deliveryId: 'd-1',
    event: 'warning.raised',
    warning: makeWarning('w1'),
    target: { recipient: 'huaxin', url, secret },
    ...change,
  };
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const never = new AbortController().signal;

describe('a delivery', () => {
  test('reaches the enterprise signed, masked and named after CloudEvents; a repeat is dropped by its id', async () => {
    const events: unknown[] = [];
    const receiver = await startReceiver({
      secretFor: (name) => (name === 'huaxin' ? secret : undefined),
      onWarning: (e) => events.push(e),
    });
    closers.push(() => receiver.close());
    const channel = openChannel();
    const first = await channel.deliver(message(`${receiver.url}/huaxin`), never);
    const second = await channel.deliver(message(`${receiver.url}/huaxin`), never);
    expect(first).toEqual({ kind: 'delivered', status: 200, acknowledged: false });
    expect(second.kind).toBe('delivered');
    expect(receiver.counts).toEqual({ received: 1, repeats: 1, invalid: 0 });
    expect(events).toEqual([
      expect.objectContaining({ id: 'd-1', type: 'warning.raised', source: 'huqi/dispatch', subject: 'w1' }),
    ]);
    const text = JSON.stringify(events);
    for (const hidden of [account, counterpartyAccount, '三丰', secret]) expect(text).not.toContain(hidden);
  });

  test('does not carry what was found before: a firm that was tricked is not told that it was suspected', async () => {
    const events: unknown[] = [];
    const receiver = await startReceiver({ secretFor: () => secret, onWarning: (event) => events.push(event) });
    closers.push(() => receiver.close());
    const dispositions = Array.from({ length: 20 }, () => ({
      verdict: 'fraud' as const,
      note: '疑'.repeat(500),
      by: '李警官',
      at: '2026-07-01T10:00:00+08:00',
    }));
    const warning = makeWarning('w1', { verdict: 'tricked', disposedBy: '王警官', dispositions });
    await openChannel().deliver(message(`${receiver.url}/huaxin`, { warning }), never);
    expect(events).toEqual([expect.objectContaining({ data: expect.objectContaining({ id: 'w1' }) as unknown })]);
    expect(JSON.stringify(events)).not.toContain('疑');
    expect((events[0] as { data: Warning }).data.hits).toHaveLength(1);
  });

  test('signed with another secret is refused by the receiver and tried again later', async () => {
    const receiver = await startReceiver({ secretFor: () => `whsec_${Buffer.from('another').toString('base64')}` });
    closers.push(() => receiver.close());
    expect(await openChannel().deliver(message(`${receiver.url}/huaxin`), never)).toMatchObject({ kind: 'retry' });
    expect(receiver.counts).toEqual({ received: 0, repeats: 0, invalid: 1 });
  });

  test('answered with a disposition counts as acknowledged', async () => {
    const receiver = await startReceiver({ secretFor: () => secret, disposition: 'held' });
    closers.push(() => receiver.close());
    expect(await openChannel().deliver(message(`${receiver.url}/huaxin`), never)).toEqual({
      kind: 'delivered',
      status: 200,
      acknowledged: true,
    });
  });

  test('stays under 20 kB: the weakest hits are left out, their number is kept', async () => {
    let body = '';
    const url = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => response.end());
    });
    const [hit] = makeWarning('w1').hits;
    const hits = Array.from({ length: 50 }, (_, i) => ({ ...hit!, id: `h${i}` }));
    await openChannel().deliver(message(url, { warning: makeWarning('w1', { hits, hitCount: 180 }) }), never);
    expect(Buffer.byteLength(body)).toBeLessThan(webhookBytesMax);
    const { data } = JSON.parse(body) as { data: { hits: { id: string }[]; hitCount: number } };
    expect(data.hits.length).toBeGreaterThan(10);
    expect(data.hits[0]?.id).toBe('h0');
    expect(data.hitCount).toBe(180);
  });

  test('what further people noted on acknowledging is not sent: it could fill the body', async () => {
    let body = '';
    const url = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => response.end());
    });
    const note = '已'.repeat(500);
    const acknowledgedAgain = Array.from({ length: 20 }, () => ({ by: 'Li', at: '2026-07-01T09:31:00+08:00', note }));
    await openChannel().deliver(message(url, { warning: makeWarning('w1', { acknowledgedAgain }) }), never);
    expect(Buffer.byteLength(body)).toBeLessThan(webhookBytesMax);
    expect(body).not.toContain('已已');
  });

  test('carries a signature that another implementation computes alike', async () => {
    let headers: Record<string, string> = {};
    let body = '';
    const url = await serve((request, response) => {
      headers = request.headers as Record<string, string>;
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => response.end());
    });
    await openChannel().deliver(message(url), never);
    const { createHmac } = await import('node:crypto');
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
    const mac = createHmac('sha256', key).update(`d-1.${headers['webhook-timestamp']}.${body}`).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${mac}`);
    expect(headers['user-agent']).toBe('HuQi/0.1');
    expect(() => new Webhook(secret).verify(body, headers)).not.toThrow();
  });
});

describe('what a recipient answers', () => {
  const inAMinute = () => new Date(Date.now() + 60_000).toUTCString();
  test.each<[string, number, Record<string, string>, object]>([
    ['204 is delivered', 204, {}, { kind: 'delivered', status: 204, acknowledged: false }],
    ['410 ends deliveries', 410, {}, { kind: 'refused', reason: expect.stringContaining('410') as string }],
    ['404 is tried again', 404, {}, { kind: 'retry', reason: expect.stringContaining('404') as string }],
    ['500 is tried again', 500, {}, { kind: 'retry', reason: expect.stringContaining('500') as string }],
    ['429 says when', 429, { 'retry-after': '7' }, { kind: 'retry', afterMs: 7_000 }],
    [
      '503 says when, and is not believed beyond an hour',
      503,
      { 'retry-after': '999999' },
      { kind: 'retry', afterMs: 3_600_000 },
    ],
    ['503 with a time in the past', 503, { 'retry-after': 'Mon, 01 Jan 2024 00:00:00 GMT' }, { kind: 'retry', afterMs: 0 }],
    ['503 with nonsense', 503, { 'retry-after': 'soon' }, { kind: 'retry', reason: expect.stringContaining('503') as string }],
  ])('%s', async (_name, status, headers, outcome) => {
    const url = await serve((_request, response) => void response.writeHead(status, headers).end());
    expect(await openChannel().deliver(message(url), never)).toMatchObject(outcome);
  });

  test('a date in Retry-After is counted from now', async () => {
    const url = await serve((_request, response) => void response.writeHead(503, { 'retry-after': inAMinute() }).end());
    const outcome = await openChannel().deliver(message(url), never);
    expect(outcome.kind === 'retry' && outcome.afterMs).toBeGreaterThan(50_000);
  });

  test('a redirect is not followed', async () => {
    let followed = false;
    const url = await serve((request, response) => {
      if (request.url === '/inner') followed = true;
      response.writeHead(307, { location: '/inner' }).end();
    });
    expect(await openChannel().deliver(message(url), never)).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('redirects are not followed') as string,
    });
    expect(followed).toBe(false);
  });

  test('silence ends at the time-out', async () => {
    const url = await serve(() => {});
    const atMs = Date.now();
    expect(await openChannel({ fetchTimeoutMs: 200 }).deliver(message(url), never)).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('no answer within 200 ms') as string,
    });
    expect(Date.now() - atMs).toBeLessThan(1_000);
  });

  test('an answer that drips for ever or never stops growing is delivered and cut off', async () => {
    const drip = await serve((_request, response) => void response.writeHead(200).write('{'));
    const flood = await serve((_request, response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write(Buffer.alloc(16_384)));
      };
      response.on('drain', more);
      response.on('error', () => {});
      more();
    });
    for (const url of [drip, flood]) {
      expect(await openChannel({ fetchTimeoutMs: 300 }).deliver(message(url), never)).toEqual({
        kind: 'delivered',
        status: 200,
        acknowledged: false,
      });
    }
  });

  test('a closed port, a hang-up and an unknown name are tried again, and the reason holds no path or secret', async () => {
    const hangUp = await serve((request) => request.socket.destroy());
    const urls = ['http://127.0.0.1:1/hook?token=t0p', `${hangUp}/hook?token=t0p`, 'http://no-such-host.invalid/hook?token=t0p'];
    for (const url of urls) {
      const outcome = await openChannel().deliver(message(url), never);
      expect(outcome, url).toMatchObject({ kind: 'retry', reason: expect.stringContaining(new URL(url).host) as string });
      expect(JSON.stringify(outcome)).not.toMatch(/t0p|hook|whsec/);
    }
  });

  test('a stop in the middle ends the attempt at once', async () => {
    const url = await serve(() => {});
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 30);
    const atMs = Date.now();
    expect(await openChannel({ fetchTimeoutMs: 5_000 }).deliver(message(url), stop.signal)).toMatchObject({ kind: 'retry' });
    expect(Date.now() - atMs).toBeLessThan(1_000);
  });

  test('a stop before the attempt begins ends it without a request, and without a fault that nobody catches', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests++;
      response.end();
    });
    const uncaught: unknown[] = [];
    const note = (fault: unknown) => void uncaught.push(fault);
    process.on('uncaughtException', note);
    closers.push(() => void process.off('uncaughtException', note));
    expect(await openChannel().deliver(message(url), AbortSignal.abort())).toMatchObject({ kind: 'retry' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(uncaught).toEqual([]);
    expect(requests).toBe(0);
  });

  test('a secret that cannot be used is refused without being shown', async () => {
    const target = { recipient: 'r', url: 'http://127.0.0.1:1/', secret: 'whsec_%%%not-base64' };
    const outcome = await openChannel().deliver(message('', { target }), never);
    expect(outcome.kind).toBe('refused');
    expect(JSON.stringify(outcome)).not.toContain('not-base64');
  });
});

describe('where a delivery may not go', () => {
  test.each([
    'http://127.0.0.1/',
    'http://localhost/',
    'http://0.0.0.0/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.1.2.3/',
    'http://172.31.255.255/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
    'http://0177.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://127.1/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[fd00::1]/',
    'http://[fe80::1]/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'http://user:pass@example.com/',
    'not an address',
  ])('%s', async (url) => {
    const outcome = await openChannel({ allowPrivate: [] }).deliver(message(url), never);
    expect(outcome.kind).toBe('refused');
  });

  test('a name is judged by every address it resolves to, and the judged address is the one connected to', async () => {
    const resolve = (addresses: { address: string; family: number }[]) =>
      createAddressGuard([], (_name, callback) => callback(null, addresses));
    const look = (guard: ReturnType<typeof createAddressGuard>, all: boolean) =>
      new Promise((done) => guard.lookup('name.example', { all }, (error, address) => done(error ?? address)));
    const open = { address: '93.184.216.34', family: 4 };
    expect(await look(resolve([open]), true)).toEqual([open]);
    expect(await look(resolve([open]), false)).toBe(open.address);
    expect(await look(resolve([open, { address: '10.0.0.1', family: 4 }]), true)).toBeInstanceOf(AddressRefused);
    expect(await look(resolve([{ address: '::ffff:10.0.0.1', family: 6 }]), true)).toBeInstanceOf(AddressRefused);

    const guard = createAddressGuard([], (_name, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]));
    let reached = false;
    const url = await serve((_request, response) => {
      reached = true;
      response.end();
    });
    const outcome = await openChannel({ guard }).deliver(message(url.replace('127.0.0.1', 'rebind.example')), never);
    expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringContaining('rebind.example') as string });
    expect(reached).toBe(false);
  });

  test('is told before anybody registers it: a private address, and a name that leads to one; a name unknown yet may be', async () => {
    const channel = openChannel({
      allowPrivate: ['10.20.0.0/16'],
      guard: createAddressGuard(['10.20.0.0/16'], (name, callback) => {
        if (name === 'gone.example') return callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []);
        callback(null, [{ address: name === 'inner.example' ? '10.21.0.5' : '93.184.216.34', family: 4 }]);
      }),
    });
    const told = (url: string) => channel.whyNot!(url);
    expect(await told('http://10.21.0.5/huqi?token=t0p')).toMatch(
      /^10\.21\.0\.5 is on a private .* \(dispatch\.webhookAllowPrivate\)$/,
    );
    expect(await told('https://inner.example/hook')).toContain('inner.example');
    expect(await told('not an address')).toContain('not a URL');
    for (const url of ['http://10.20.0.5/huqi', 'https://outer.example/', 'https://gone.example/'])
      expect(await told(url)).toBeNull();
  });

  test('a receiver of this very process is reached by its origin alone', async () => {
    const channel = openChannel({ allowPrivate: [], mayReach: (origin) => origin === 'http://127.0.0.1:9000' });
    expect(await channel.whyNot!('http://127.0.0.1:9000/hooks/one')).toBeNull();
    for (const url of ['http://127.0.0.1:9001/hooks/one', 'https://127.0.0.1:9000/', 'http://127.0.0.2:9000/'])
      expect(await channel.whyNot!(url)).toContain('dispatch.webhookAllowPrivate');
  });

  test('a range that the installation allows is reached, its neighbour is not', () => {
    const guard = createAddressGuard(['10.20.0.0/16', 'fd00::/8']);
    expect(guard.checkHost('10.20.255.255')).toBe('allowed');
    expect(guard.checkHost('10.21.0.0')).toBe('refused');
    expect(guard.checkHost('[fd12::1]')).toBe('allowed');
    expect(guard.checkHost('[fe80::1]')).toBe('refused');
    expect(() => createAddressGuard(['10.20.0.0'])).toThrow(/10\.20\.0\.0\/16/);
  });
});
