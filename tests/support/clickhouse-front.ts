import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { openEngine, type Asked } from './clickhouse-front-engine.js';

/** What goes wrong with a request. */
export type FrontFault =
  /** The request is read, and never answered. */
  | { readonly kind: 'stall' }
  /** The statement runs, and the connection is cut before the answer. */
  | { readonly kind: 'lostReply' }
  /** The statement runs, and the connection is cut in the middle of the answer. */
  | { readonly kind: 'cutReply' }
  /** The connection is cut after so many bytes of the body; nothing runs. */
  | { readonly kind: 'cutRequest'; readonly afterBytes: number }
  /** Refused with ClickHouse's code; where `afterwards` holds, the statement has run. */
  | {
      readonly kind: 'error';
      readonly code: number;
      readonly name: string;
      readonly text?: string;
      readonly afterwards?: boolean;
    }
  /** The answer begins with 200, and says in its end that it failed, as old servers do or with today's mark. */
  | { readonly kind: 'tail'; readonly code: number; readonly name: string; readonly marked: boolean }
  /** Somebody between answers, with a page. */
  | { readonly kind: 'gateway'; readonly status: number }
  /** The statement runs later. */
  | { readonly kind: 'slow'; readonly ms: number };

export interface FaultRule {
  /** Or what chooses one for each statement. */
  readonly fault: FrontFault | ((asked: Asked) => FrontFault | null);
  /** Statements that it strikes; all where absent. Of an insert it is known before its rows have come. */
  readonly when?: (asked: Asked) => boolean;
  /** How often; without end where absent. */
  readonly times?: number;
}

export interface ClickHouseFront {
  /** Without credentials. */
  readonly url: string;
  /** Statements that ran, in their order. */
  readonly ran: readonly Asked[];
  /** Rules are tried in the order in which they were made. The answer takes the rule back. */
  break(rule: FaultRule): () => void;
  mend(): void;
  /** Nobody listens on the port, and open connections are cut. */
  goDown(): Promise<void>;
  comeUp(): Promise<void>;
  /** Open ones. */
  connections(): number;
  /** Says something else where a statement has this text; null = as it was. */
  replace(text: string, other: string | null): void;
  /** The answer to `SELECT version()`; null = the engine's own. */
  pretendVersion(version: string | null): void;
  close(): Promise<void>;
}

export interface FrontOptions {
  /** The engine's data. One process has one. */
  readonly directory: string;
  readonly port?: number;
  /** Passwords by user; `default` without one where absent. */
  readonly users?: Readonly<Record<string, string>>;
}

/**
 * A ClickHouse server as a client sees it over HTTP, on the loopback, over the real engine: queries in the body or the URL, bound
 * parameters, settings, databases, compression, users, errors; with switches for what goes wrong between the two.
 */
export async function openClickHouseFront(options: FrontOptions): Promise<ClickHouseFront> {
  const { users = { default: '' } } = options;
  const engine = openEngine(options.directory);
  const ran: Asked[] = [];
  const underWay = new Set<Promise<unknown>>();
  let rules: { readonly rule: FaultRule; left: number }[] = [];
  const replaced = new Map<string, string>();
  let port = options.port ?? 0;
  let server: Server | null = null;
  const sockets = new Set<Socket>();

  function strike(asked: Asked): FrontFault | null {
    for (const made of rules) {
      const { fault, when } = made.rule;
      if (made.left <= 0 || when?.(asked) === false) continue;
      const chosen = typeof fault === 'function' ? fault(asked) : fault;
      if (!chosen) continue;
      made.left--;
      return chosen;
    }
    return null;
  }

  function replace(text: string, other: string | null): void {
    if (other === null) replaced.delete(text);
    else replaced.set(text, other);
  }

  async function execute(asked: Asked): Promise<Buffer> {
    let { query } = asked;
    for (const [text, other] of replaced) query = query.replace(text, other);
    const answer = await engine.run({ ...asked, query });
    ran.push(asked);
    return answer;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://front');
    if (url.pathname === '/ping') return void response.writeHead(200, { 'content-type': 'text/plain' }).end('Ok.\n');
    const refusal = refuseUser(request, url, users);
    if (refusal) {
      request.resume();
      return sendError(response, 403, 516, refusal);
    }
    const head = readHead(url);
    const early = head.query === '' ? null : strike(head);
    const body = await readBody(request, early?.kind === 'cutRequest' ? early.afterBytes : null);
    if (body === null) return undefined;
    const asked = withBody(head, body);
    const fault = head.query === '' ? strike(asked) : early;
    switch (fault?.kind) {
      case 'stall':
      case 'cutRequest':
        return undefined;
      case 'gateway':
        return void response.writeHead(fault.status, { 'content-type': 'text/html' }).end('<html><h1>Bad Gateway</h1></html>');
      case 'slow':
        await sleep(fault.ms);
        break;
      case 'error':
        if (fault.afterwards) await execute(asked);
        return sendError(response, 500, fault.code, exceptionText(fault.code, fault.text ?? 'it does not go', fault.name));
      default:
    }
    let answer: Buffer;
    try {
      answer = await execute(asked);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const code = Number(/Code: (\d+)/.exec(text)?.[1] ?? 1001);
      return sendError(response, statusOf(code), code, text);
    }
    if (fault?.kind === 'lostReply') return void request.socket.destroy();
    sendAnswer(request, response, { asked, answer, fault, url });
  }

  async function listen(): Promise<void> {
    const listening = createServer((request, response) => {
      const work: Promise<unknown> = handle(request, response)
        .catch(() => void request.socket.destroy())
        .finally(() => underWay.delete(work));
      underWay.add(work);
    });
    listening.keepAliveTimeout = 60_000;
    listening.requestTimeout = 0;
    listening.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      listening.once('error', reject);
      listening.listen(port, '127.0.0.1', () => resolve());
    });
    port = (listening.address() as AddressInfo).port;
    server = listening;
  }

  async function goDown(): Promise<void> {
    const closing = server;
    server = null;
    if (!closing) return;
    const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  await listen();
  return {
    url: `http://127.0.0.1:${port}`,
    ran,
    break(rule) {
      const made = { rule, left: rule.times ?? Number.POSITIVE_INFINITY };
      rules.push(made);
      return () => {
        rules = rules.filter((one) => one !== made);
      };
    },
    mend() {
      rules = [];
    },
    goDown,
    comeUp: listen,
    connections: () => sockets.size,
    replace,
    pretendVersion: (version) => replace('version()', version === null ? null : `'${version}'`),
    async close() {
      await goDown();
      await Promise.allSettled(underWay);
      await engine.close();
    },
  };
}

function refuseUser(request: IncomingMessage, url: URL, users: Readonly<Record<string, string>>): string | null {
  const [, basic] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  const [name = '', password = ''] = basic ? splitOnce(Buffer.from(basic, 'base64').toString('utf8')) : [];
  const user = header(request, 'x-clickhouse-user') ?? url.searchParams.get('user') ?? (name || 'default');
  const given = header(request, 'x-clickhouse-key') ?? url.searchParams.get('password') ?? password;
  if (users[user] === given) return null;
  const text = `${user}: Authentication failed: password is incorrect, or there is no user with such name.`;
  return exceptionText(516, text, 'AUTHENTICATION_FAILED');
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf(':');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** Parameters of the URL that are no settings. */
const notSettings = new Set(['query', 'database', 'query_id', 'session_id', 'default_format', 'user', 'password', 'role']);

function readHead(url: URL): Asked {
  const settings: Record<string, string> = {};
  const parameters: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) parameters[name.slice('param_'.length)] = value;
    else if (!notSettings.has(name)) settings[name] = value;
  }
  return {
    database: url.searchParams.get('database') || 'default',
    query: url.searchParams.get('query') ?? '',
    body: null,
    settings,
    parameters,
    format: url.searchParams.get('default_format') ?? 'TabSeparated',
  };
}

function withBody(head: Asked, body: Buffer): Asked {
  if (head.query === '') return { ...head, query: body.toString('utf8') };
  return body.length > 0 ? { ...head, body } : head;
}

/** Null where the request broke off, or was cut. */
async function readBody(request: IncomingMessage, cutAfterBytes: number | null): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      parts.push(part);
      size += part.length;
      if (cutAfterBytes === null || size < cutAfterBytes) continue;
      request.socket.destroy();
      return null;
    }
  } catch {
    return null;
  }
  const body = Buffer.concat(parts);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

function exceptionText(code: number, text: string, name: string): string {
  return `Code: ${code}. DB::Exception: ${text} (${name}) (version 26.7.2.1)`;
}

function statusOf(code: number): number {
  if (code === 60 || code === 81) return 404;
  return code === 62 || code === 47 || code === 27 || code === 117 ? 400 : 500;
}

function sendError(response: ServerResponse, status: number, code: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=UTF-8', 'x-clickhouse-exception-code': String(code) });
  response.end(`${text}\n`);
}

interface Reply {
  readonly asked: Asked;
  readonly answer: Buffer;
  readonly fault: FrontFault | null;
  readonly url: URL;
}

function sendAnswer(request: IncomingMessage, response: ServerResponse, { asked, answer, fault, url }: Reply): void {
  const tag = randomBytes(8).toString('hex');
  const whole = fault?.kind === 'tail' ? Buffer.concat([answer.subarray(0, answer.length / 2), tailOf(fault, tag)]) : answer;
  const packs = asked.settings['enable_http_compression'] === '1' && request.headers['accept-encoding'] === 'gzip';
  const bytes = packs ? gzipSync(whole) : whole;
  response.writeHead(200, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-query-id': url.searchParams.get('query_id') ?? randomUUID(),
    'x-clickhouse-format': asked.format,
    'x-clickhouse-timezone': 'Asia/Shanghai',
    'x-clickhouse-server-display-name': 'front',
    'x-clickhouse-exception-tag': tag,
    'x-clickhouse-summary': JSON.stringify({ read_rows: '0', written_rows: '0', result_rows: '0' }),
    ...(packs ? { 'content-encoding': 'gzip' } : {}),
  });
  if (fault?.kind !== 'cutReply') return void response.end(bytes);
  response.write(bytes.subarray(0, bytes.length / 2), () => request.socket.destroy());
  // An empty part is not written at all.
  if (bytes.length < 2) request.socket.destroy();
}

function tailOf({ code, name, marked }: FrontFault & { readonly kind: 'tail' }, tag: string): Buffer {
  const text = exceptionText(code, 'it broke off', name);
  if (!marked) return Buffer.from(`${text}\n`);
  return Buffer.from(`\r\n__exception__\r\n${tag}\r\n${text}\n${text.length + 1} ${tag}\r\n__exception__\r\n`);
}
