import { isIP } from 'node:net';
import { Redis, type RedisOptions } from 'ioredis';
import { addressText, type RedisAddress, type ServerAddress } from './address.js';
import { ConnectionLost, RedisRefused, ReplyRefused } from './faults.js';

export type Argument = string | Buffer | number;
export type Command = readonly [name: string, ...args: Argument[]];

/** What came of one command: its reply (texts as buffers), or why there is none. */
export type Outcome =
  | { readonly reply: unknown; readonly error?: undefined }
  | { readonly error: ReplyRefused | ConnectionLost; readonly reply?: undefined };

/** A text, a number or null that a server replied. */
export const textOf = (reply: unknown): string =>
  Buffer.isBuffer(reply) ? reply.toString() : typeof reply === 'number' || typeof reply === 'string' ? `${reply}` : '';

/** One connection to one server. It never comes back to life and never sends anything twice: who needs another opens one. */
export interface Connection {
  readonly server: string;
  alive(): boolean;
  /** Sends the commands in one write and gives an outcome for each, in order. Never rejects. */
  send(commands: readonly Command[]): Promise<Outcome[]>;
  /** Called once, when the connection has ended, with the reason. */
  onEnd(listener: (why: string) => void): void;
  end(): void;
}

export interface ConnectionOptions extends Omit<RedisAddress, 'servers' | 'tls'> {
  readonly server: ServerAddress;
  readonly tls: TlsFiles | undefined;
  readonly connectMsMax: number;
  readonly replyMsMax: number;
}

/** PEM texts. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

const keepAliveMs = 10_000;

/**
 * Connects, names itself, selects the database. The library's own reconnecting, resending and queueing are all off, because it
 * would carry out a commit twice. Throws `ConnectionLost` or `RedisRefused`; the library's errors hold the arguments of the
 * command, so none of them gets out of here.
 */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  const server = addressText(options.server);
  const client = new Redis(clientOptions(options));
  let why = 'the connection was closed';
  let ended = false;
  let ending = false;
  const listeners: ((why: string) => void)[] = [];
  client.on('error', (error: Error) => (why = explain(error, options)));
  client.on('end', () => {
    ended = true;
    for (const listener of listeners.splice(0)) listener(why);
  });
  const connection: Connection = {
    server,
    alive: () => !ended && client.status === 'ready',
    async send(commands) {
      const pipeline = client.pipeline();
      for (const [name, ...args] of commands) pipeline.callBuffer(name, args);
      const results = (await pipeline.exec()) ?? [];
      return results.map(([error, reply]) => {
        if (!error) return { reply };
        if (error.name === 'ReplyError') return { error: new ReplyRefused(server, plainReply(error.message)) };
        return { error: new ConnectionLost(server, why) };
      });
    },
    onEnd: (listener) => void listeners.push(listener),
    end() {
      if (ending) return;
      ending = true;
      client.disconnect();
      // Half-open sockets are not waited for.
      (client.stream as typeof client.stream | undefined)?.destroy();
    },
  };
  try {
    await client.connect();
  } catch {
    connection.end();
    throw new ConnectionLost(server, why);
  }
  try {
    await introduce(connection, options);
    return connection;
  } catch (error) {
    connection.end();
    throw error;
  }
}

function clientOptions({ server, tls, connectMsMax, replyMsMax }: ConnectionOptions) {
  return {
    host: server.host,
    port: server.port,
    ...(tls ? { tls: { ...(isIP(server.host) ? {} : { servername: server.host }), ...tls } } : {}),
    protocol: 2 as const,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: null,
    disableClientInfo: true,
    connectTimeout: connectMsMax,
    socketTimeout: replyMsMax,
    keepAlive: keepAliveMs,
  } satisfies RedisOptions;
}

/** Done here and not by the library, which would print warnings and go on. */
async function introduce(connection: Connection, { username, password, database }: ConnectionOptions): Promise<void> {
  const auth: Command[] =
    password === undefined ? [] : [username === undefined ? ['AUTH', password] : ['AUTH', username, password]];
  const select: Command[] = database === 0 ? [] : [['SELECT', database]];
  const outcomes = await connection.send([...auth, ['CLIENT', 'SETNAME', 'huqi'], ...select, ['PING']]);
  for (const [i, { error }] of outcomes.entries()) {
    if (error instanceof ConnectionLost) throw error;
    if (!error || i === auth.length) continue; // a server may forbid the name
    throw refusal(connection.server, error);
  }
}

function refusal(server: string, error: ReplyRefused): Error {
  if (error.code === 'LOADING' || error.code === 'MASTERDOWN' || error.reply.includes('max number of clients'))
    return error.code === 'ERR' ? new ConnectionLost(server, 'it has no connection left to give; raise maxclients') : error;
  if (error.code === 'WRONGPASS' || /invalid password|invalid username-password/i.test(error.reply))
    return new RedisRefused(`Redis ${server} refuses the password: correct the user and the password in HUQI_REDIS_URL.`);
  if (/without any password configured|no password is set/.test(error.reply))
    return new RedisRefused(
      `Redis ${server} has no password, but one was given: set requirepass there, or leave it out of HUQI_REDIS_URL.`,
    );
  if (error.code === 'NOAUTH')
    return new RedisRefused(
      `Redis ${server} asks for a password: write it into HUQI_REDIS_URL as redis://user:password@host:port.`,
    );
  if (error.code === 'NOPERM')
    return new RedisRefused(
      `Redis ${server} lets this user do too little (${error.reply}): give it the rights of docs/cluster.md.`,
    );
  if (/DB index|SELECT is not allowed/.test(error.reply))
    return new RedisRefused(
      `Redis ${server} has no such database (${error.reply}): correct the number at the end of HUQI_REDIS_URL.`,
    );
  return new RedisRefused(`Redis ${server} refuses the connection: ${error.reply}.`);
}

/** An unknown command is quoted back with its arguments; before 7.0 an error in a script is wrapped. */
const plainReply = (message: string): string =>
  message
    .replace(/^ERR Error running script [^]*?: -(?=[A-Z]+ )/, '')
    .replace(/,? with args beginning with:[^]*$/, '')
    .slice(0, 300);

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there (connection refused)',
  ENOTFOUND: 'no such host is known',
  EAI_AGAIN: 'the host name cannot be looked up just now',
  ETIMEDOUT: 'it does not answer (timed out)',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
};

function explain(error: Error & { code?: string }, { replyMsMax, tls }: ConnectionOptions): string {
  if (error.message.startsWith('Socket timeout')) return `it has given no reply for ${replyMsMax} ms`;
  const known = reasons[error.code ?? ''];
  if (known) return tls && error.code !== 'ECONNREFUSED' ? `${known}; look whether it speaks TLS there` : known;
  if (/wrong version number|EPROTO|packet length/i.test(error.message))
    return 'it does not speak TLS; write redis:// instead of rediss://';
  if (/certificate|CERT_|altname/i.test(`${error.code ?? ''} ${error.message}`))
    return `its certificate is not accepted (${error.code ?? error.message.slice(0, 80)})`;
  return `the connection failed (${error.code ?? error.name})`;
}
