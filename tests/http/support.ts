import type { StatusSummary } from '../../src/domain/status.js';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PatternDetail } from '../../src/domain/pattern-views.js';
import type { Recipient } from '../../src/domain/recipient.js';
import type { Warning } from '../../src/domain/warning.js';
import type {
  Caller,
  CommandResult,
  FeedItem,
  HttpDependencies,
  LineResult,
  RequestFault,
  WarningCommand,
} from '../../src/http/dependencies.js';
import { createHttpServer, type HttpOptions, type HttpServer } from '../../src/http/server.js';

/** Small in-memory parts behind a real listening server. */

export const centreKey = 'centre-key';
export const bankKey = 'bank-key';
export const otherBankKey = 'other-bank-key';
export const enterpriseKey = 'enterprise-key';

const callers: Readonly<Record<string, Caller>> = {
  [centreKey]: { id: 'c1', role: 'centre', name: 'zhengzhou-centre' },
  [bankKey]: { id: 'b1', role: 'bank', bank: '102491002011', name: 'icbc-zhengzhou' },
  [otherBankKey]: { id: 'b2', role: 'bank', bank: '103491002011', name: 'abc-zhengzhou' },
  [enterpriseKey]: { id: 'e1', role: 'enterprise', name: 'huaxin' },
};

export const account = '4100123456789012345';
export const counterpartyAccount = '6222000011112222333';

export function makeWarning(id: string, change: Partial<Warning> = {}): Warning {
  const nowMs = Date.now();
  return {
    id,
    revision: 1,
    family: 'impersonation',
    side: 'victim',
    day: '2026-07-01',
    subject: {
      key: '91410100MA44X2Y35K',
      name: '郑州华信商贸有限公司',
      creditCode: '91410100MA44X2Y35K',
      account,
      bank: '102491002011',
      region: '410105',
    },
    level: 'red',
    score: 0.93,
    audience: ['enterprise', 'own-bank', 'city-centre'],
    status: 'open',
    amountFen: 98_000_000,
    currency: 'CNY',
    title: { zh: '冒充领导诈骗财务', en: 'Boss impersonation of finance staff' },
    reason: {
      zh: '20分钟内向2个从未往来的个人账户付款98万元，是本企业平时单笔的12倍，付后余额只剩4%。',
      en: '980,000 yuan to 2 personal payees never paid before within 20 minutes, 12 times the usual payment; 4% of the balance is left.',
    },
    advice: {
      zh: '暂停付款！请立即电话或当面向企业负责人本人核实，不要在QQ、微信、邮件内核实。如已转账，立即拨打110或96110并联系开户行申请紧急止付。',
      en: 'Stop paying. Check with the head of the firm in person or by phone, never by chat or mail. If money has left, call 110 or 96110 and ask the bank to stop the payment.',
    },
    hits: [
      {
        id: `${id}-h1`,
        pattern: 'V01',
        version: 3,
        severity: 'critical',
        score: 0.93,
        transaction: '20260701-000001',
        time: '2026-07-01T09:30:00+08:00',
        amountFen: 50_000_000,
        title: { zh: '冒充领导诈骗财务', en: 'Boss impersonation of finance staff' },
        reason: { zh: '首次向个人账户付款50万元', en: 'First payment of 500,000 yuan to a person' },
        counterparty: { account: counterpartyAccount, name: '张三丰', bank: '103491002011' },
        bankCode: '3006',
      },
    ],
    hitCount: 1,
    firstTime: '2026-07-01T09:30:00+08:00',
    lastTime: '2026-07-01T09:42:10+08:00',
    receivedAt: new Date(nowMs).toISOString(),
    raisedAt: new Date(nowMs).toISOString(),
    dueAt: new Date(nowMs + 15 * 60_000).toISOString(),
    ...change,
  };
}

export interface Platform {
  readonly dependencies: HttpDependencies;
  readonly items: FeedItem[];
  readonly received: ({ body: Buffer } & Parameters<HttpDependencies['intake']['accept']>[1])[];
  readonly commands: { id: string; command: WarningCommand; by: string; idempotencyKey: string | undefined }[];
  readonly faults: RequestFault[];
  readonly status: StatusSummary;
  /** Called by `feed.read`, to see who pulls. */
  reads: number;
  failure: Error | null;
  /** Keys that are not known any more. */
  readonly removedKeys: Set<string>;
  /** What is being ridden out. */
  troubles: string[];
  /** Bodies answered 503 before they were read. */
  turnedAway: number;
  raise(warning: Warning): void;
}

export function createPlatform(): Platform {
  const items: FeedItem[] = [];
  const warnings = new Map<string, Warning>();
  const recipients = new Map<string, Recipient & { secret: string }>();
  const position = (cursor: string | undefined) => (cursor === undefined ? 0 : Number(cursor));

  const platform: Platform = {
    items,
    received: [],
    commands: [],
    removedKeys: new Set(),
    faults: [],
    reads: 0,
    failure: null,
    troubles: [],
    turnedAway: 0,
    status: {
      countedAt: '2026-07-01T01:00:00.000Z',
      startedAt: '2026-07-01T08:00:00+08:00',
      patternSet: 'a1b2c3d4',
      transactions: { accepted: 31_284, duplicates: 12, conflicts: 1, scored: 31_284 },
      references: { accepted: 5_210 },
      rejected: { total: 37, byReason: { malformed: 20, invalid: 17 } },
      hits: { total: 1_208, byPattern: { V01: 108, M01: 1100 }, shadows: { total: 42, byPattern: { N01: 42 } } },
      warnings: { total: 214, open: 40, byLevel: { red: 12, orange: 41, yellow: 93, blue: 68 } },
      deliveries: { delivered: 200, acknowledged: 3, pending: 2, refused: 1, exhausted: 0, cancelled: 4, retries: 5 },
      latencyMs: { p50: 18, p99: 64 },
      archiveLag: 0,
    },
    raise(warning) {
      warnings.set(warning.id, warning);
      items.push({
        cursor: String(items.length + 1),
        event: warning.revision === 1 ? 'warning.raised' : 'warning.updated',
        warning,
      });
    },
    dependencies: {
      intake: {
        async accept(body, options) {
          if (platform.failure) throw platform.failure;
          const copy = Buffer.from(body);
          platform.received.push({ body: copy, ...options });
          return judgeLines(copy);
        },
      },
      feed: {
        async read(cursor, limit) {
          platform.reads++;
          if (platform.failure) throw platform.failure;
          const from = position(cursor);
          const page = items.slice(from, from + limit);
          return { items: page, cursor: String(from + page.length) };
        },
        async wait(cursor, timeoutMs, signal) {
          const untilMs = Date.now() + timeoutMs;
          while (Date.now() < untilMs && !signal.aborted) {
            if (items.length > position(cursor)) return true;
            await sleep(5);
          }
          return items.length > position(cursor);
        },
        tail: async (count) => String(Math.max(items.length - count, 0)),
      },
      refusals: {
        page: ({ after, bank = '102491002011', limit }) => {
          const refused = { time: '2026-07-01T09:30:00+08:00', bank, line: 3, reason: 'invalid', field: 'time', message: 'late' };
          const count = after === undefined ? Math.min(limit, 2) : 0;
          return Promise.resolve({ items: Array.from({ length: count }, () => refused), next: after ?? '2.0' });
        },
      },
      warnings: {
        async page({ after, limit }) {
          if (platform.failure) throw platform.failure;
          const from = position(after);
          const page = items.slice(from, from + limit);
          return { items: page, next: String(from + page.length) };
        },
        get: async (id) => warnings.get(id) ?? null,
        async open({ after, limit }) {
          if (platform.failure) throw platform.failure;
          const from = position(after);
          const all = [...warnings.values()];
          const items = all.slice(from, from + limit).filter(({ status }) => status === 'open');
          return { items, next: from + limit < all.length ? String(from + limit) : null };
        },
        async command(id, command, by, idempotencyKey): Promise<CommandResult> {
          platform.commands.push({ id, command, by, idempotencyKey });
          const warning = warnings.get(id);
          if (!warning) return { kind: 'not-found' };
          if (warning.status === 'disposed') return { kind: 'conflict' };
          const changed = applyCommand(warning, command, by);
          platform.raise(changed);
          return { kind: 'accepted', warning: changed };
        },
      },
      recipients: {
        async put(id, recipient) {
          const kept = recipients.get(id);
          const secret = kept?.secret ?? `whsec_${randomBytes(24).toString('base64')}`;
          recipients.set(id, { id, ...recipient, secret });
          return kept ? { created: false } : { created: true, secret };
        },
        list: async () => [...recipients.values()],
        remove: async (id) => recipients.delete(id),
      },
      patterns: {
        list: async () => ({ patternSet: 'a1b2c3d4', items: [pattern] }),
        get: async (id) => (id === pattern.id ? pattern : null),
        diff: async () => null,
        diffSets: async () => null,
        log: async () => ({ entries: [], next: null }),
        propose: async () => ({ kind: 'refused', reason: 'nothing is proposed here' }),
        command: async () => ({ kind: 'refused', reason: 'nothing is decided here' }),
        schema: () => ({}),
      },
      backtests: {
        start: async () => ({ kind: 'busy', id: 'another' }),
        get: () => null,
        html: async () => null,
        cancel: () => false,
      },
      authenticate: (key) => (platform.removedKeys.has(key) ? null : (callers[key] ?? null)),
      status: async () => platform.status,
      health: () => platform.troubles,
      readiness: async () =>
        platform.failure ? { ready: false, problems: [platform.failure.message] } : { ready: true, problems: [] },
      metrics: async () => 'huqi_transactions_total 31284\n',
      onTurnedAway: () => void platform.turnedAway++,
      onFault: (fault) => void platform.faults.push(fault),
    },
  };
  return platform;
}

const pattern: PatternDetail = {
  id: 'V01',
  version: 3,
  state: 'active',
  side: 'victim',
  severity: 'critical',
  family: 'impersonation',
  title: { zh: '冒充领导诈骗财务', en: 'Boss impersonation of finance staff' },
  condition: 'newPayee("180d") && tx.amount >= 100000.0 && (payee.kind == "personal" || payee.ageDays <= 90)',
  advice: { zh: '暂停付款', en: 'Stop paying' },
  audience: ['enterprise', 'own-bank'],
  bankCode: '3006',
  text: 'id: V01\n',
  versions: [{ version: 3, state: 'active', proposed: { by: 'seed', at: '2026-07-01T00:00:00.000Z' } }],
};

function judgeLines(body: Buffer): LineResult[] {
  return body
    .toString('utf8')
    .split('\n')
    .flatMap((text, index): LineResult[] => {
      if (text.trim() === '') return [];
      try {
        const { id } = JSON.parse(text) as { id?: unknown };
        if (typeof id === 'string') return [{ line: index + 1, id, status: 'accepted' }];
        return [{ line: index + 1, status: 'rejected', reason: 'invalid', field: 'id', message: 'expected a text' }];
      } catch {
        return [{ line: index + 1, status: 'rejected', reason: 'malformed', message: 'not JSON' }];
      }
    });
}

function applyCommand(warning: Warning, command: WarningCommand, by: string): Warning {
  const revision = warning.revision + 1;
  switch (command.kind) {
    case 'acknowledge':
      return { ...warning, revision, status: 'acknowledged', acknowledgedAt: new Date().toISOString(), acknowledgedBy: by };
    case 'dispose':
      return { ...warning, revision, status: 'disposed', verdict: command.verdict, note: command.note };
    case 'appeal':
      return { ...warning, revision, appeal: { by, text: command.text, at: new Date().toISOString() } };
  }
}

export async function startServer(
  platform: Platform,
  options: Partial<HttpOptions> & { port?: number } = {},
): Promise<{ server: HttpServer; url: string; port: number }> {
  const { port = 0, ...rest } = options;
  const server = await createHttpServer(platform.dependencies, {
    version: '0.1.0',
    openReading: false,
    now: () => Date.now(),
    ...rest,
  });
  const address = await server.listen({ host: '127.0.0.1', port });
  return { server, ...address };
}

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

export interface ServerSentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** Opens the stream and yields events; comments are counted in `comments`. */
export async function openStream(url: string, headers: Record<string, string> = {}, query = '') {
  const stop = new AbortController();
  const response = await fetch(`${url}/v1/stream${query}`, {
    headers: { accept: 'text/event-stream', ...bearer(centreKey), ...headers },
    signal: stop.signal,
  });
  const events: ServerSentEvent[] = [];
  const state = { comments: 0, ended: false };
  const reading = (async () => {
    if (!response.body || response.status !== 200) return;
    let text = '';
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
          if (fields['data'] !== undefined) {
            events.push({ id: fields['id'] ?? '', event: fields['event'] ?? '', data: fields['data'] });
          } else if (block.startsWith(':')) state.comments++;
        }
      }
    } catch {
      // The reader stopped, or the server cut the connection.
    }
    state.ended = true;
  })();
  return {
    response,
    events,
    state,
    async close() {
      stop.abort();
      await reading;
    },
  };
}

export async function until(condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`);
    await sleep(5);
  }
}
