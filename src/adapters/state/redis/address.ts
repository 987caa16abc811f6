import { RedisRefused } from './faults.js';

/** How the servers are reached. `servers` has one entry, or the nodes of a cluster, or a master and its replicas. */
export interface RedisAddress {
  readonly servers: readonly ServerAddress[];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

const example = 'redis://user:password@host:6379, with more host:port parted by commas';
const serversMax = 64;

/** Reads `redis://[user:password@]host[:port][,host[:port]…][/database]`. Throws one sentence that never holds the password. */
export function parseRedisUrl(url: string): RedisAddress {
  const [, scheme, credentials, servers, database] = /^(rediss?):\/\/(?:(.*)@)?([^@/?#]+)(?:\/(\d*))?$/.exec(url.trim()) ?? [];
  if (!scheme || !servers) throw new RedisRefused(`HUQI_REDIS_URL is not an address of Redis: write it as ${example}.`);
  const addresses = servers.split(',').map((server) => parseServer(withoutScheme(server.trim())));
  if (addresses.length > serversMax)
    throw new RedisRefused(
      `HUQI_REDIS_URL names ${addresses.length} servers, at most ${serversMax} are allowed: name some of them.`,
    );
  const [username, password] = parseCredentials(credentials);
  return { servers: addresses, tls: scheme === 'rediss', username, password, database: Number(database || '0') };
}

export const addressText = ({ host, port }: ServerAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

const withoutScheme = (server: string): string => server.replace(/^rediss?:\/\//, '');

function parseServer(server: string): ServerAddress {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(server) ?? [];
  const host = v6 ?? name;
  const number = Number(port ?? '6379');
  if (!host || number < 1 || number > 65_535)
    throw new RedisRefused(`HUQI_REDIS_URL: "${server.slice(0, 60)}" is not host:port: write it as ${example}.`);
  return { host, port: number };
}

function parseCredentials(text: string | undefined): [string | undefined, string | undefined] {
  if (text === undefined || text === '') return [undefined, undefined];
  const colon = text.indexOf(':');
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part) || undefined;
    } catch {
      throw new RedisRefused('HUQI_REDIS_URL: the user or password has a % that is no escape: write % as %25.');
    }
  };
  return colon < 0 ? [decode(text), undefined] : [decode(text.slice(0, colon)), decode(text.slice(colon + 1))];
}
