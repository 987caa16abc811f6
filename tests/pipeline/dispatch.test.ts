import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { deliveryId } from '../../src/domain/delivery.js';
import type { WarningCommandEvent } from '../../src/domain/warning-command.js';
import { openOwnedSlot } from '../../src/pipeline/owned-slot.js';
import type { Channel, Message, Outcome } from '../../src/ports/channel.js';
import { startReceiver } from '../../src/simulate/receiver.js';
import { createTelemetry } from '../../src/telemetry/telemetry.js';
import { eventsOn, temporaryEmbedded, type EmbeddedParts } from '../support/embedded.js';
import {
  deliveriesOn,
  enterprise,
  loopbackWebhook,
  quickRoutes,
  recipientsIn,
  startDispatch,
  tell,
  until,
  warningOf,
} from './dispatch-support.js';

/** Answers as it is told, and keeps what it was sent. */
function scriptedChannel(answer: (message: Message, times: number) => Outcome | Promise<Outcome>) {
  const sent: { id: string; recipient: string; level: string; event: string; revision: number; atMs: number }[] = [];
  const channel: Channel = {
    name: 'webhook',
    async deliver(message) {
      const { deliveryId: id, event, warning, target } = message;
      sent.push({ id, recipient: target.recipient, level: warning.level, event, revision: warning.revision, atMs: Date.now() });
      return answer(message, sent.filter((one) => one.id === id).length);
    },
  };
  return { channel, sent };
}
const accept: Outcome = { kind: 'delivered', status: 200, acknowledged: false };

let parts: EmbeddedParts & { remove(): Promise<void> };
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

async function register(ids: readonly string[], url = 'https://receiver.example/hook') {
  const recipients = recipientsIn(parts);
  const secrets = new Map<string, string>();
  for (const id of ids) {
    const { secret = '' } = await recipients.put(id, {
      kind: 'centre',
      match: '*',
      name: `centre ${id}`,
      webhook: { url: url.replace('{id}', id) },
    });
    secrets.set(id, secret);
  }
  return secrets;
}

describe('dispatch', () => {
  test('a warning reaches a real receiver, signed, and the outcome stands on the log', async () => {
    const secrets = new Map<string, string>();
    const events: unknown[] = [];
    const receiver = await startReceiver({ secretFor: (id) => secrets.get(id), onWarning: (event) => events.push(event) });
    for (const [id, secret] of await register(['zhengzhou'], `${receiver.url}/{id}`)) secrets.set(id, secret);
    const channel = loopbackWebhook();
    const dispatch = await startDispatch(parts, { channels: [channel] });
    await tell(parts.log, warningOf('w1'));
    const [delivery] = await until(
      () => deliveriesOn(parts.log),
      (found) => found.length > 0,
    );
    await dispatch.leave();
    channel.close();
    await receiver.close();
    expect(delivery).toMatchObject({
      warningId: 'w1',
      recipient: 'zhengzhou',
      outcome: 'delivered',
      attempt: 1,
      status: 200,
      reason: 'accepted',
    });
    expect(receiver.counts).toEqual({ received: 1, repeats: 0, invalid: 0 });
    expect(JSON.stringify(events)).not.toContain(enterprise.account);
  });

  test('each recipient is told once when a warning is raised and once more for each rise in level', async () => {
    await register(['a', 'b']);
    const { channel, sent } = scriptedChannel(() => accept);
    const dispatch = await startDispatch(parts, { channels: [channel] });
    await tell(
      parts.log,
      warningOf('w1', { level: 'yellow' }),
      warningOf('w1', { level: 'yellow', revision: 2, hitCount: 2 }),
      warningOf('w1', { level: 'red', revision: 3 }),
      warningOf('w1', { level: 'red', revision: 3 }),
      warningOf('w1', { level: 'orange', revision: 4 }),
    );
    await until(
      () => deliveriesOn(parts.log),
      (found) => found.length === 4,
    );
    await dispatch.leave();
    const ids = ['a', 'b'].flatMap((id) => [deliveryId('w1', 'yellow', id, 'webhook'), deliveryId('w1', 'red', id, 'webhook')]);
    expect(sent.map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(sent.map(({ event }) => event).sort()).toEqual([
      'warning.raised',
      'warning.raised',
      'warning.updated',
      'warning.updated',
    ]);
  });

  test('an enterprise is sent nothing more once it is suspected, not even what waits for another attempt', async () => {
    await register(['a']);
    await recipientsIn(parts).put('firm', {
      kind: 'enterprise',
      match: enterprise.creditCode,
      name: 'firm',
      webhook: { url: 'https://receiver.example/hook' },
    });
    const { channel, sent } = scriptedChannel(({ target }) =>
      target.recipient === 'firm' ? { kind: 'retry', reason: 'answered 500' } : accept,
    );
    const routes = { ...quickRoutes, retry: { ...quickRoutes.retry, atSeconds: [0, 1] } };
    const dispatch = await startDispatch(parts, { channels: [channel], routes });
    await tell(parts.log, warningOf('w1', { level: 'yellow' }));
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.some(({ recipient }) => recipient === 'firm'),
    );
    const audience = ['own-bank', 'city-centre'] as const;
    await tell(parts.log, warningOf('w1', { level: 'red', revision: 2, suspected: true, audience: [...audience] }));
    const found = await until(
      () => deliveriesOn(parts.log),
      (all) =>
        all.some(({ outcome }) => outcome === 'cancelled') && all.filter(({ recipient }) => recipient === 'a').length === 2,
    );
    await dispatch.leave();
    expect(found.filter(({ recipient }) => recipient === 'firm').map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['retried', 'answered 500'],
      ['cancelled', 'the enterprise is not told of this warning any more'],
    ]);
    expect(sent.filter(({ recipient }) => recipient === 'firm').map(({ revision }) => revision)).toEqual([1]);
  });

  test('a failed attempt is made again under the same id until it is delivered, each with its reason on the log', async () => {
    await register(['a']);
    const { channel, sent } = scriptedChannel((_, times) => (times < 3 ? { kind: 'retry', reason: 'answered 500' } : accept));
    const dispatch = await startDispatch(parts, { channels: [channel] });
    await tell(parts.log, warningOf('w1'));
    const found = await until(
      () => deliveriesOn(parts.log),
      (all) => all.some(({ outcome }) => outcome === 'delivered'),
    );
    await dispatch.leave();
    expect(found.map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
      ['retried', 1],
      ['retried', 2],
      ['delivered', 3],
    ]);
    expect(found[0]).toMatchObject({ reason: 'answered 500', nextAt: expect.stringMatching(/\+08:00$/) });
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
  });

  test('an attempt that jitter made early is not made again for the same time', async () => {
    await register(['a']);
    const { channel } = scriptedChannel(() => ({ kind: 'retry', reason: 'answered 500' }));
    const routes = { ...quickRoutes, retry: { ...quickRoutes.retry, atSeconds: [0, 2, 9], jitter: 0.9, everySeconds: 60 } };
    const dispatch = await startDispatch(parts, { channels: [channel], routes, random: () => 0 });
    const atMs = Date.now();
    await tell(parts.log, warningOf('w1'));
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.length === 2,
    );
    await dispatch.leave();
    expect(Date.now() - atMs).toBeLessThan(1500);
    const [entry] = await parts.state.scan('dispatch/0', { prefix: 'pending/', limit: 10 });
    expect(JSON.parse(Buffer.from(entry!.value).toString())).toMatchObject({ attempts: 2, slotMs: 9000 });
  });

  test('after the deadline a delivery is given up as exhausted, and one that is refused is not tried again', async () => {
    await register(['a', 'b']);
    const { channel } = scriptedChannel(({ target }) =>
      target.recipient === 'a' ? { kind: 'retry', reason: 'timed out' } : { kind: 'refused', reason: 'answered 410' },
    );
    const routes = { ...quickRoutes, retry: { ...quickRoutes.retry, deadlineSeconds: 0.7 } };
    const dispatch = await startDispatch(parts, { channels: [channel], routes });
    await tell(parts.log, warningOf('w1'));
    const found = await until(
      () => deliveriesOn(parts.log),
      (all) => all.some(({ outcome }) => outcome === 'exhausted'),
    );
    expect(dispatch.pending()).toBe(0);
    await dispatch.leave();
    expect(found.filter(({ recipient }) => recipient === 'b').map(({ outcome }) => outcome)).toEqual(['refused']);
    expect(found.find(({ outcome }) => outcome === 'exhausted')?.reason).toContain('timed out');
  });

  test("an answer that acknowledges becomes a command in the partition of the warning's subject", async () => {
    await register(['a']);
    const { channel } = scriptedChannel(() => ({ kind: 'delivered', status: 200, acknowledged: true }));
    const dispatch = await startDispatch(parts, { channels: [channel] });
    await tell(parts.log, warningOf('w1'));
    const commands = await until(
      () => eventsOn(parts.log, 'commands'),
      (all) => all.length > 0,
    );
    await dispatch.leave();
    const [command] = commands as WarningCommandEvent[];
    expect(command).toMatchObject({ type: 'warning.acknowledge', subject: 'w1' });
    expect(command?.data).toEqual({ warningId: 'w1', subjectKey: enterprise.creditCode, by: 'centre a' });
  });

  test("one recipient's acknowledgement ends nobody else's deliveries", async () => {
    await register(['firm', 'bank', 'centre']);
    const { channel, sent } = scriptedChannel(({ target }, times) => {
      if (target.recipient === 'firm') return { kind: 'delivered', status: 200, acknowledged: true };
      return times < 3 ? { kind: 'retry', reason: 'answered 503' } : accept;
    });
    const dispatch = await startDispatch(parts, { channels: [channel] });
    await tell(parts.log, warningOf('w1'));
    await until(
      () => eventsOn(parts.log, 'commands'),
      (all) => all.length > 0,
    );
    await tell(
      parts.log,
      warningOf('w1', { revision: 2, status: 'acknowledged', acknowledgedAt: '2026-07-01T09:31:00+08:00', acknowledgedBy: 'x' }),
    );
    const found = await until(
      () => deliveriesOn(parts.log),
      (all) => all.filter(({ outcome }) => outcome === 'delivered').length === 3,
    );
    expect(dispatch.pending()).toBe(0);
    await dispatch.leave();
    expect(found.filter(({ outcome }) => outcome === 'cancelled')).toEqual([]);
    expect(sent.filter(({ recipient }) => recipient !== 'firm')).toHaveLength(6);
  });

  test('who acknowledged a warning is not sent an older delivery of it any more', async () => {
    await register(['a', 'b']);
    const { channel, sent } = scriptedChannel(({ deliveryId: id, target }) => {
      if (id === deliveryId('w1', 'yellow', target.recipient, 'webhook')) return { kind: 'retry', reason: 'answered 503' };
      return { kind: 'delivered', status: 200, acknowledged: target.recipient === 'a' };
    });
    const routes = { ...quickRoutes, retry: { ...quickRoutes.retry, atSeconds: [0, 30] } };
    const dispatch = await startDispatch(parts, { channels: [channel], routes });
    await tell(parts.log, warningOf('w1', { level: 'yellow' }));
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.length === 2,
    );
    await tell(parts.log, warningOf('w1', { level: 'red', revision: 2 }));
    const found = await until(
      () => deliveriesOn(parts.log),
      (all) => all.some(({ outcome }) => outcome === 'cancelled') && all.length === 5,
    );
    expect(dispatch.pending()).toBe(1);
    await dispatch.leave();
    const cancelled = found.filter(({ outcome }) => outcome === 'cancelled');
    expect(cancelled).toMatchObject([{ recipient: 'a', level: 'yellow', reason: 'the warning was acknowledged' }]);
    expect(sent).toHaveLength(4);
  });

  test('a withdrawn warning is not sent any more, not even by an attempt that was under way', async () => {
    await register(['waits', 'slow']);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { channel, sent } = scriptedChannel(async ({ target }) => {
      if (target.recipient === 'slow') await held;
      return { kind: 'retry', reason: 'answered 503' };
    });
    const dispatch = await startDispatch(parts, {
      channels: [channel],
      routes: { ...quickRoutes, retry: { ...quickRoutes.retry, atSeconds: [0, 5] } },
    });
    await tell(parts.log, warningOf('w1'));
    await until(
      () => sent.length,
      (count) => count === 2,
    );
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.length === 1,
    );
    await tell(parts.log, warningOf('w1', { revision: 2, status: 'disposed', verdict: 'false-alarm' }));
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.some(({ recipient, outcome }) => recipient === 'waits' && outcome === 'cancelled'),
    );
    release();
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.filter(({ outcome }) => outcome === 'cancelled').length === 2,
    );
    expect(dispatch.pending()).toBe(0);
    await dispatch.leave();
    expect(sent).toHaveLength(2);
  });

  test('a dead endpoint delays nobody: others are told at once, red before blue', async () => {
    await register(['dead', 'alive']);
    const { channel, sent } = scriptedChannel(async ({ target }) => {
      if (target.recipient === 'alive') return accept;
      await new Promise((resolve) => setTimeout(resolve, 600));
      return { kind: 'retry', reason: 'timed out' };
    });
    const settings = { concurrencyMax: 4, perEndpointMax: 2, breakAfterFailures: 2, restMs: 30_000 };
    await tell(parts.log, ...Array.from({ length: 30 }, (_, i) => warningOf(`w${i}`, { level: i % 2 ? 'red' : 'blue' })));
    const startedMs = Date.now();
    const dispatch = await startDispatch(parts, { channels: [channel], settings });
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.filter(({ outcome }) => outcome === 'delivered').length === 30,
    );
    expect(Date.now() - startedMs).toBeLessThan(5000);
    // After two failures the dead one rests: its deliveries wait, and are not counted as attempts.
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.filter(({ outcome }) => outcome === 'retried').length === 2,
    );
    expect(dispatch.pending()).toBe(30);
    await dispatch.leave();
    // One more may have been under way when the second failure came.
    expect(sent.filter(({ recipient }) => recipient === 'dead').length).toBeLessThanOrEqual(3);
    const order = sent.filter(({ recipient }) => recipient === 'alive').map(({ level }) => level);
    expect(order.slice(0, 10)).not.toContain('blue');
  });

  test('an endpoint whose recipient was removed rests no longer, and is not said to answer', async () => {
    await register(['dead']);
    const lines: { msg: string }[] = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line) as { msg: string }) };
    const telemetry = createTelemetry({ level: 'info', destination, now: Date.now });
    const resting = async () => /^huqi_delivery_endpoints_resting (\d+)$/m.exec(await telemetry.metrics())?.[1];
    // The only attempt that its level is given fails, so that nothing waits for the endpoint afterwards.
    const { channel } = scriptedChannel(() => ({ kind: 'retry', reason: 'answered 500' }));
    const routes = { ...quickRoutes, retry: { ...quickRoutes.retry, atSeconds: [0], everySeconds: 60, deadlineSeconds: 1 } };
    const settings = { breakAfterFailures: 1, restMs: 60_000 };
    const dispatch = await startDispatch(parts, { channels: [channel], routes, settings, telemetry, forgetEveryMs: 30 });
    await tell(parts.log, warningOf('w1'));
    await until(
      () => deliveriesOn(parts.log),
      (all) => all.some(({ outcome }) => outcome === 'exhausted'),
    );
    await until(resting, (count) => count === '1');
    await recipientsIn(parts).remove('dead');
    await until(resting, (count) => count === '0');
    await dispatch.leave();
    const said = lines.map(({ msg }) => msg);
    expect(said).toContain('an endpoint fails again and again, it rests before the next try');
    expect(said).not.toContain('an endpoint answers again');
  });

  test("more deliveries than an endpoint's queue holds are given up visibly, not silently", async () => {
    await register(['a']);
    const { channel } = scriptedChannel(() => ({ kind: 'retry', reason: 'answered 500', afterMs: 5000 }));
    const dispatch = await startDispatch(parts, { channels: [channel], settings: { pendingPerEndpointMax: 3 } });
    await tell(parts.log, ...Array.from({ length: 5 }, (_, i) => warningOf(`w${i}`)));
    const found = await until(
      () => deliveriesOn(parts.log),
      (all) => all.filter(({ outcome }) => outcome === 'exhausted').length === 2,
    );
    await dispatch.leave();
    expect(found.find(({ outcome }) => outcome === 'exhausted')?.reason).toContain('read the feed');
  });

  test('what waits survives a restart with its due time, and a removed recipient is not told', async () => {
    await register(['a', 'b']);
    const failing = scriptedChannel(() => ({ kind: 'retry', reason: 'answered 500', afterMs: 700 }));
    const first = await startDispatch(parts, { channels: [failing.channel] });
    await tell(parts.log, warningOf('w1'));
    const before = await until(
      () => deliveriesOn(parts.log),
      (all) => all.length === 2,
    );
    await first.leave();
    await recipientsIn(parts).remove('b');
    const healthy = scriptedChannel(() => accept);
    const second = await startDispatch(parts, { channels: [healthy.channel] });
    const after = await until(
      () => deliveriesOn(parts.log),
      (all) => all.length === 4,
    );
    await second.leave();
    expect(
      after
        .slice(2)
        .map(({ recipient, outcome, attempt }) => `${recipient} ${outcome} ${attempt}`)
        .sort(),
    ).toEqual(['a delivered 2', 'b cancelled 1']);
    const dueMs = Math.min(...before.map(({ nextAt }) => Date.parse(nextAt ?? '')));
    expect(healthy.sent[0]?.atMs).toBeGreaterThanOrEqual(dueMs - 5);
  });

  test('when another owner takes over, the first one sends nothing more before it has looked again', async () => {
    await register(['a']);
    const { channel } = scriptedChannel(() => accept);
    const first = await startDispatch(parts, { channels: [channel] });
    const head = z.object({ next: z.int().nullable() });
    await until(
      () => parts.state.get('dispatch/0', ['head']),
      ([value]) => value !== null,
    );
    await openOwnedSlot({ ...parts, slot: 'dispatch/0', newId: randomUUID, head, initial: { next: null } });
    await tell(parts.log, warningOf('w1'));
    const all = await until(
      () => deliveriesOn(parts.log),
      (made) => made.length > 0,
    );
    expect(parts.troubles.map(({ error }) => String(error))).toEqual([expect.stringMatching(/another owner has taken over/)]);
    expect(all.map(({ outcome, attempt }) => `${outcome} ${attempt}`)).toEqual(['delivered 1']);
    await first.leave();
  });
});

describe('dispatch killed between sending and recording', () => {
  let server: Server;
  let received: string[];
  let onRequest: (id: string) => Promise<void> | void;

  beforeEach(async () => {
    received = [];
    onRequest = () => undefined;
    server = createServer((request, response) => {
      const id = String(request.headers['webhook-id']);
      received.push(id);
      request.resume();
      void (async () => {
        await onRequest(id);
        response.writeHead(200).end('{}');
      })();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test(
    'the same delivery id is sent again after SIGKILL, and every delivery is recorded once',
    { timeout: 180_000 },
    async () => {
      const { port } = server.address() as AddressInfo;
      await register(['a', 'b'], `http://127.0.0.1:${port}/{id}`);
      const warnings = Array.from({ length: 20 }, (_, i) => warningOf(`w${i}`));
      await tell(parts.log, ...warnings);

      const killedAt = new Set([3, 9, 20]);
      const inFlight = new Set<string>();
      let child: ChildProcess = startChild(parts.directory);
      onRequest = async (id) => {
        if (!killedAt.delete(received.length)) return;
        inFlight.add(id);
        const exit = once(child, 'exit');
        child.kill('SIGKILL');
        await exit;
        child = startChild(parts.directory);
      };
      await until(
        () => child.exitCode,
        (code) => code === 0,
        150_000,
      );

      const expected = warnings.flatMap(({ id }) => ['a', 'b'].map((recipient) => deliveryId(id, 'red', recipient, 'webhook')));
      expect([...new Set(received)].sort()).toEqual(expected.sort());
      for (const id of inFlight) expect(received.filter((one) => one === id).length).toBeGreaterThanOrEqual(2);
      const delivered = (await eventsOn(parts.log, 'deliveries')).filter(({ type }) => type === 'delivery.delivered');
      expect([...new Set(delivered.map(({ id }) => id))]).toHaveLength(expected.length);
      expect([...new Set(delivered.map(({ data }) => (data as { deliveryId: string }).deliveryId))].sort()).toEqual(expected);
      expect(await parts.state.scan('dispatch/0', { prefix: 'pending/', limit: 10 })).toEqual([]);
      expect(await parts.state.scan('dispatch/0', { prefix: 'warning/', limit: 10 })).toEqual([]);
    },
  );
});

function startChild(directory: string): ChildProcess {
  const file = fileURLToPath(new URL('dispatch-child.ts', import.meta.url));
  return spawn(process.execPath, ['--import', 'tsx', file, directory], { stdio: ['ignore', 'ignore', 'inherit'] });
}
