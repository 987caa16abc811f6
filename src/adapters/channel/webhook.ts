import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Warning } from '../../domain/warning.js';
import type { Channel, Message, Outcome } from '../../ports/channel.js';
import { AddressRefused, createAddressGuard, type AddressGuard } from './address-guard.js';

export interface WebhookOptions {
  /** From connecting to the end of the answer. */
  readonly fetchTimeoutMs: number;
  /** CIDR ranges of private networks that may be reached, e.g. `10.20.0.0/16`. */
  readonly allowPrivate: readonly string[];
  /** Origins (`http://127.0.0.1:9000`) that may be reached whatever network they are on: receivers of this very process. */
  readonly mayReach?: ((origin: string) => boolean) | undefined;
  readonly userAgent: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** The warning as outsiders may see it (masked). */
  readonly present: (warning: Warning) => Warning;
  /** For tests of names; the system's resolver otherwise. */
  readonly guard?: AddressGuard;
}

/** A body is smaller than this (Standard Webhooks 1.0.0: under 20 kB); hits are left out, weakest first, until it is. */
export const webhookBytesMax = 20_000;
const answerBytesMax = 64 * 1024;
const retryAfterMsMax = 3_600_000;
const socketsPerHostMax = 8;
/** How long a registration waits for the name of its address. */
const resolveMsMax = 2_000;

/**
 * Delivers a warning to a recipient's address, signed after Standard Webhooks 1.0.0.
 *
 * 2xx delivered (a body with a `disposition` acknowledges) · 410 and an address that may not be reached: refused ·
 * everything else, redirects included: retry, with a reason that holds neither the address's path nor the secret.
 */
export function createWebhookChannel(options: WebhookOptions): Channel & { close(): void } {
  const guard = options.guard ?? createAddressGuard(options.allowPrivate);
  const { mayReach = () => false } = options;
  const agentOptions = { keepAlive: true, maxSockets: socketsPerHostMax, maxTotalSockets: 256, timeout: 30_000 };
  const agents = { http: new http.Agent(agentOptions), https: new https.Agent(agentOptions) };

  return {
    name: 'webhook',
    async deliver(message, signal) {
      const { url, refusal } = readUrl(message.target.url, guard, mayReach);
      if (url === null) return { kind: 'refused', reason: refusal };
      const body = renderBody(message, options.present);
      const headers = signedHeaders(message, body, options);
      if (headers === null)
        return { kind: 'refused', reason: 'the signing secret of the recipient is not usable; make a new one' };
      const secure = url.protocol === 'https:';
      const send = () =>
        post({
          url,
          body,
          headers,
          signal,
          timeoutMs: options.fetchTimeoutMs,
          lookup: guard.lookup,
          agent: secure ? agents.https : agents.http,
        });
      const first = await send();
      // A kept connection that the other side had closed meanwhile says nothing about the recipient.
      const answer = first.kind === 'failed' && first.stale ? await send() : first;
      return toOutcome(answer, url.host, options.now());
    },
    async whyNot(address) {
      const { url, refusal } = readUrl(address, guard, mayReach);
      if (url === null) return refusal;
      return (await leadsAstray(url.hostname, guard)) ? refusedNetwork(url.host) : null;
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

type MayReach = (origin: string) => boolean;

function readUrl(
  address: string,
  guard: AddressGuard,
  mayReach: MayReach,
): { url: URL; refusal: null } | { url: null; refusal: string } {
  if (!URL.canParse(address)) return { url: null, refusal: 'the address is not a URL' };
  const url = new URL(address);
  const refusal = refuseUrl(url, guard, mayReach);
  return refusal === null ? { url, refusal } : { url: null, refusal };
}

/** Whether the name leads to a network that may not be reached; false where it does not resolve, or not in time. */
function leadsAstray(hostname: string, guard: AddressGuard): Promise<boolean> {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), resolveMsMax);
    guard.lookup(hostname, { all: true }, (error) => {
      clearTimeout(timer);
      resolve(error instanceof AddressRefused);
    });
  });
}

function refuseUrl(url: URL, guard: AddressGuard, mayReach: MayReach): string | null {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `${url.protocol} is not http or https`;
  if (url.username !== '' || url.password !== '') return 'the address holds a user name or password';
  if (guard.checkHost(url.hostname) === 'refused' && !mayReach(url.origin)) return refusedNetwork(url.host);
  return null;
}

function refusedNetwork(host: string): string {
  return `${host} is on a private or special network that is not allowed (dispatch.webhookAllowPrivate)`;
}

/** CloudEvents-named JSON. */
function renderBody(message: Message, present: WebhookOptions['present']): string {
  // What was found before is for those who look into it: it may have been a suspicion of the very firm that is told now. What further
  // people noted stays in the house as well, and could fill the body.
  const { dispositions: _found, acknowledgedAgain: _noted, ...data } = present(message.warning);
  let hits = data.hits;
  for (;;) {
    const body = JSON.stringify({
      id: message.deliveryId,
      type: message.event,
      source: 'huqi/dispatch',
      subject: data.id,
      time: data.raisedAt,
      data: { ...data, hits },
    });
    if (hits.length === 0 || Buffer.byteLength(body) < webhookBytesMax) return body;
    hits = hits.slice(0, Math.floor(hits.length / 2));
  }
}

function signedHeaders(message: Message, body: string, options: WebhookOptions): http.OutgoingHttpHeaders | null {
  const at = new Date(options.now());
  try {
    return {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': options.userAgent,
      'webhook-id': message.deliveryId,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(message.target.secret).sign(message.deliveryId, at, body),
    };
  } catch {
    // What the library throws may quote the secret.
    return null;
  }
}

type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfter: string | undefined; readonly body: string }
  | { readonly kind: 'refused-address' }
  | { readonly kind: 'failed'; readonly reason: string; readonly stale: boolean };

const stoppedReason = 'stopped before it was answered';

interface PostOptions {
  readonly url: URL;
  readonly body: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly lookup: AddressGuard['lookup'];
  readonly agent: http.Agent;
}

/** One POST, no redirect followed; never rejects. A body that does not end in time counts as empty once the status is known. */
function post({ url, body, headers, signal, timeoutMs, lookup, agent }: PostOptions): Promise<Answer> {
  // Before there is a request: one that is destroyed with nobody listening to its errors ends the process.
  if (signal.aborted) return Promise.resolve({ kind: 'failed', reason: stoppedReason, stale: false });
  return new Promise((resolve) => {
    let status = 0;
    let retryAfter: string | undefined;
    const chunks: Buffer[] = [];
    const request = (url.protocol === 'https:' ? https : http).request(url, { method: 'POST', headers, agent, lookup });
    const settle = (answer: Answer) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(answer);
    };
    const answered = () => settle({ kind: 'answered', status, retryAfter, body: Buffer.concat(chunks).toString('utf8') });
    const giveUp = (reason: string) => {
      if (status === 0) settle({ kind: 'failed', reason, stale: false });
      else answered();
      request.destroy();
    };
    const onAbort = () => giveUp(stoppedReason);
    const timer = setTimeout(() => giveUp(`no answer within ${timeoutMs} ms`), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRREFUSED') settle({ kind: 'refused-address' });
      else if (status === 0)
        settle({ kind: 'failed', reason: describe(error), stale: request.reusedSocket && error.code === 'ECONNRESET' });
      else answered();
    });
    request.on('response', (response) => {
      status = response.statusCode ?? 0;
      retryAfter = response.headers['retry-after'];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= answerBytesMax) return void chunks.push(chunk);
        chunks.length = 0;
        answered();
        request.destroy();
      });
      response.on('end', answered);
      response.on('error', answered);
    });
    request.end(body);
  });
}

/** The error's code, not its message: messages may quote the address. */
function describe(error: NodeJS.ErrnoException): string {
  return `connection failed (${error.code ?? error.name})`;
}

function toOutcome(answer: Answer, host: string, nowMs: number): Outcome {
  switch (answer.kind) {
    case 'refused-address':
      return { kind: 'refused', reason: refusedNetwork(host) };
    case 'failed':
      return { kind: 'retry', reason: `${host}: ${answer.reason}` };
    case 'answered':
      return judgeStatus(answer.status, answer.retryAfter, answer.body, host, nowMs);
  }
}

function judgeStatus(status: number, retryAfter: string | undefined, body: string, host: string, nowMs: number): Outcome {
  if (status >= 200 && status < 300) return { kind: 'delivered', status, acknowledged: holdsDisposition(body) };
  if (status === 410) return { kind: 'refused', reason: `${host} answered 410: the recipient does not want deliveries any more` };
  if (status >= 300 && status < 400) {
    return { kind: 'retry', reason: `${host} answered ${status}: redirects are not followed, register the final address` };
  }
  const afterMs = status === 429 || status === 503 ? readRetryAfter(retryAfter, nowMs) : undefined;
  return { kind: 'retry', reason: `${host} answered ${status}`, ...(afterMs === undefined ? {} : { afterMs }) };
}

/** Retry-After (RFC 9110 10.2.3) in seconds or as a date, as milliseconds from now, at most an hour. */
function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), retryAfterMsMax);
}

function holdsDisposition(body: string): boolean {
  try {
    const answer: unknown = JSON.parse(body);
    if (typeof answer !== 'object' || answer === null || !('disposition' in answer)) return false;
    return typeof answer.disposition === 'string' && answer.disposition !== '';
  } catch {
    return false;
  }
}
