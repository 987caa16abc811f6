import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createWebhookChannel } from '../../src/adapters/channel/webhook.js';
import type { Delivery } from '../../src/domain/delivery.js';
import type { Routes } from '../../src/domain/dispatch-policy.js';
import { encodeEvents } from '../../src/domain/event.js';
import { partitionOf } from '../../src/domain/partition.js';
import type { Warning } from '../../src/domain/warning.js';
import { presentWarning } from '../../src/http/present.js';
import { createDispatch, type Dispatch } from '../../src/pipeline/dispatch.js';
import type { DispatchSettings } from '../../src/pipeline/dispatch-partition.js';
import { createRecipients } from '../../src/pipeline/recipients.js';
import { parseRoutes } from '../../src/pipeline/routes-file.js';
import type { Channel } from '../../src/ports/channel.js';
import type { Log } from '../../src/ports/log.js';
import { createTelemetry, type Telemetry } from '../../src/telemetry/telemetry.js';
import { eventsOn, type EmbeddedParts } from '../support/embedded.js';

const routesFile = fileURLToPath(new URL('../../config/routes.yaml', import.meta.url));
export const shippedRoutes = parseRoutes(readFileSync(routesFile, 'utf8'), 'config/routes.yaml');

/** The schedule of the shipped routes in milliseconds instead of seconds, roughly. */
export const quickRoutes: Routes = {
  ...shippedRoutes,
  retry: { atSeconds: [0, 0.3, 0.6, 0.9], everySeconds: 1, deadlineSeconds: 60, jitter: 0.2, retryAfterSecondsMax: 5 },
};

export const quickSettings: DispatchSettings = {
  concurrencyMax: 16,
  perEndpointMax: 4,
  pendingPerEndpointMax: 1000,
  breakAfterFailures: 1000,
  restMs: 500,
  batchRecordsMax: 16,
  batchBytesMax: 1_048_576,
  attemptTimeoutMs: 2000,
  toldKeepMs: 86_400_000,
};

export const quiet = () => createTelemetry({ level: 'silent', now: Date.now });

export const enterprise = { creditCode: '91410100MA00000001', account: '410012345678901234' };

/** A warning of a firm that pays a stranger: red, to itself, both banks and the centres. */
export function warningOf(id: string, changes: Partial<Warning> = {}): Warning {
  const at = '2026-07-01T09:30:00+08:00';
  const text = { zh: '说明', en: 'explanation' };
  return {
    id,
    revision: 1,
    family: 'impersonation',
    side: 'victim',
    day: '2026-07-01',
    subject: { key: enterprise.creditCode, name: '郑州样例有限公司', bank: '102491002011', region: '410102', ...enterprise },
    level: 'red',
    score: 0.95,
    audience: ['enterprise', 'own-bank', 'other-bank', 'city-centre'],
    status: 'open',
    amountFen: 98_000_000,
    currency: 'CNY',
    title: text,
    reason: text,
    advice: text,
    hits: [
      {
        id: `${id}-hit`,
        pattern: 'V01',
        version: 1,
        severity: 'critical',
        score: 1,
        transaction: `${id}-tx`,
        time: at,
        amountFen: 98_000_000,
        title: text,
        reason: text,
        counterparty: { account: '6222021234567890', name: '张三', bank: '103491002011' },
      },
    ],
    hitCount: 1,
    firstTime: at,
    lastTime: at,
    receivedAt: at,
    raisedAt: at,
    dueAt: '2026-07-01T09:35:00+08:00',
    ...changes,
  };
}

let sequence = 0;
export async function tell(log: Log, ...warnings: readonly Warning[]): Promise<void> {
  for (const warning of warnings) {
    const type = warning.revision === 1 ? 'warning.raised' : 'warning.updated';
    const event = {
      id: `${warning.id}#${warning.revision}`,
      type,
      source: 'huqi/warn/0',
      subject: warning.id,
      time: warning.raisedAt,
      data: warning,
    };
    const partition = partitionOf(warning.subject.key, log.partitions('warnings'));
    await log.append([
      { topic: 'warnings', partition, value: encodeEvents({ producer: 'warn/0', sequence: ++sequence, events: [event] }) },
    ]);
  }
}

export function recipientsIn({ state }: Pick<EmbeddedParts, 'state'>, channel?: Channel, clock: { now(): number } = Date) {
  return createRecipients({
    state,
    whyNot: channel?.whyNot?.bind(channel),
    clock,
    randomBytes,
    settings: { recipientsMax: 100, recipientsPollMs: 20 },
    telemetry: quiet(),
  });
}

/** The real webhook channel, with loopback allowed. */
export function loopbackWebhook() {
  return createWebhookChannel({
    fetchTimeoutMs: 1500,
    allowPrivate: ['127.0.0.0/8'],
    userAgent: 'huqi-test',
    now: Date.now,
    present: presentWarning,
  });
}

export interface StartOptions {
  readonly channels: readonly Channel[];
  readonly settings?: Partial<DispatchSettings>;
  readonly routes?: Routes;
  readonly random?: () => number;
  readonly telemetry?: Telemetry;
  readonly forgetEveryMs?: number;
}

export function startDispatch(parts: Pick<EmbeddedParts, 'log' | 'state'>, options: StartOptions): Promise<Dispatch> {
  return createDispatch({
    log: parts.log,
    state: parts.state,
    channels: options.channels,
    recipients: recipientsIn(parts),
    routes: options.routes ?? quickRoutes,
    settings: { ...quickSettings, ...options.settings },
    clock: Date,
    random: options.random ?? Math.random,
    newId: randomUUID,
    telemetry: options.telemetry ?? quiet(),
    ...(options.forgetEveryMs === undefined ? {} : { forgetEveryMs: options.forgetEveryMs }),
  });
}

export async function deliveriesOn(log: Log): Promise<Delivery[]> {
  return (await eventsOn(log, 'deliveries')).map(({ data }) => data as Delivery);
}

/** Waits for something to hold; says what was there instead when it does not. */
export async function until<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean, timeoutMs = 15_000): Promise<T> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > endMs) throw new Error(`waited ${timeoutMs} ms, last seen: ${JSON.stringify(seen).slice(0, 2000)}`);
    await sleep(10);
  }
}
