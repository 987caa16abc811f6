import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { checkCode, isConnectionFault, KafkaError } from './faults.js';
import {
  apiKeyOf,
  createConnection,
  missingApis,
  protocolOf,
  type ApiName,
  type ApiVersions,
  type Connection,
  type ConnectionOptions,
} from './kafkajs.js';
import type { KafkaConnection } from './options.js';

const connectMsMax = 4_000;
/** How long a broker may take for an answer beyond what the request itself makes it wait: half of the deadline, within these. */
const answerMs = { min: 2_000, max: 10_000 } as const;
const keepAliveMs = 10_000;

/** One connection to one broker. A fault of the connection closes it; whoever needs it opens another. */
export interface Link {
  readonly isOpen: boolean;
  /** Sends a request in kafkajs' encoding; the answer as decoded, error codes and all. `waitMs` is how long it may wait there. */
  ask<T>(name: ApiName, options: object, waitMs?: number): Promise<T>;
  /** Sends a body that is encoded already, in the version of `versionOf`; the answer as it came. */
  send(name: ApiName, version: number, body: readonly Uint8Array[], waitMs?: number): Promise<Buffer>;
  close(): void;
}

export interface LinkOptions extends KafkaConnection {
  readonly deadlineMs?: number;
}

/** Connects, checks what the broker is able to, logs in. */
export async function openLink(address: string, options: LinkOptions): Promise<Link> {
  const { host, port } = splitAddress(address);
  const clientId = options.clientId ?? 'huqi';
  const answerMsMax = Math.min(Math.max((options.deadlineMs ?? 20_000) / 2, answerMs.min), answerMs.max);
  const tls = options.tls === true ? {} : options.tls || null;
  const connection = createConnection({
    host,
    port,
    clientId,
    ssl: tls,
    // kafkajs keeps its login in the object that it is given.
    sasl: options.sasl ? { ...options.sasl } : null,
    connectionTimeout: connectMsMax,
    requestTimeout: answerMsMax,
    socketFactory: openSocket,
  });
  let versions: ApiVersions | null = null;

  async function send(name: ApiName, version: number, body: readonly Uint8Array[], waitMs = 0): Promise<Buffer> {
    if (!connection.isConnected()) throw lost(address);
    const correlationId = connection.nextCorrelationId();
    const header = requestHeader(apiKeyOf(name), version, correlationId, clientId, body);
    try {
      const { payload } = await new Promise<{ payload: Buffer }>((resolve, reject) => {
        connection.requestQueue.push({
          entry: { apiKey: apiKeyOf(name), apiName: name, apiVersion: version, correlationId, resolve, reject },
          expectResponse: true,
          requestTimeout: answerMsMax + waitMs,
          sendRequest: () => write(connection, [header, ...body], address),
        });
      });
      return payload;
    } catch (fault) {
      if (isConnectionFault(fault)) close();
      throw fault;
    }
  }

  async function ask<T>(name: ApiName, request: object, waitMs = 0): Promise<T> {
    const protocol = protocolOf(name, versions, request);
    const { buffer } = await protocol.request.encode();
    const payload = await send(name, protocol.request.apiVersion, [buffer], waitMs);
    return (await protocol.response.decode(payload)) as T;
  }

  /** At once: whoever waits for an answer learns that the connection is lost. */
  function close(): void {
    connection.rejectRequests(lost(address));
    void connection.disconnect().catch(() => undefined);
    connection.socket?.destroy();
  }

  try {
    await within(connectMsMax + 1_000, connection.connect(), address);
    const answer = await ask<{ errorCode: number; apiVersions: ({ apiKey: number } & ApiVersions[number])[] }>('ApiVersions', {});
    checkCode(answer.errorCode);
    versions = Object.fromEntries(answer.apiVersions.map((api) => [api.apiKey, api]));
    const missing = missingApis(versions);
    if (missing.length > 0) {
      throw new KafkaError(`the broker ${address} lacks what HuQi needs (${missing.join(', ')}): run Kafka 2.3 to 4.x`);
    }
    connection.setVersions(versions);
    connection.setSupportAuthenticationProtocol(true);
    await connection.authenticate();
  } catch (fault) {
    close();
    throw fault;
  }
  return {
    get isOpen() {
      // A login that is about to expire: another connection logs in anew, while this one still answers what it was asked.
      return connection.isConnected() && (!options.sasl || connection.isAuthenticated());
    },
    ask,
    send,
    close,
  };
}

function write(connection: Connection, parts: readonly Uint8Array[], address: string): void {
  const { socket } = connection;
  if (!socket || socket.destroyed) throw lost(address);
  socket.cork();
  for (const part of parts) socket.write(part);
  socket.uncork();
}

/** Length, API, version, correlation id and client id, before the body. */
function requestHeader(
  key: number,
  version: number,
  correlationId: number,
  clientId: string,
  body: readonly Uint8Array[],
): Buffer {
  const id = Buffer.from(clientId);
  const header = Buffer.allocUnsafe(14 + id.length);
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
  header.writeInt32BE(10 + id.length + bodyBytes, 0);
  header.writeInt16BE(key, 4);
  header.writeInt16BE(version, 6);
  header.writeInt32BE(correlationId, 8);
  header.writeInt16BE(id.length, 12);
  id.copy(header, 14);
  return header;
}

const openSocket: ConnectionOptions['socketFactory'] = ({ host, port, ssl, onConnect }) => {
  const named = isIP(host) ? {} : { servername: host };
  const socket = ssl ? connectTls({ host, port, ...named, ...ssl }, onConnect) : connectPlain({ host, port }, onConnect);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  return socket;
};

/** kafkajs forgets a connection that the broker ends before it stands. */
async function within<T>(ms: number, promise: Promise<T>, address: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(lost(address)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function lost(address: string): Error {
  const error = new Error(`the connection to ${address} is lost`);
  error.name = 'KafkaJSConnectionError';
  return error;
}

function splitAddress(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  if (at <= 0 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new KafkaError(`"${address}" is no address of a broker; write host:port into kafka.brokers`);
  // An IPv6 address stands in brackets.
  return { host: address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port };
}
