import { parseRedisUrl } from './address.js';
import type { TlsFiles } from './connection.js';
import { RedisRefused } from './faults.js';
import type { ServerOptions } from './server.js';
import type { ServersOptions } from './servers.js';

export interface RedisStateOptions {
  /**
   * `redis://[user:password@]host:port[/database]`, `rediss://` for TLS. Several `host:port` parted by commas are the nodes of a Redis
   * Cluster, or a master and its replicas; which of both is found out by asking.
   */
  readonly url: string;
  /** These two win over the URL's. */
  readonly username?: string;
  readonly password?: string;
  readonly tls?: TlsFiles;
  /** The first part of every key; two platforms on one Redis need two. Default `huqi`. */
  readonly prefix?: string;
  /** Replicas that must have received a commit before it counts. Default 0. */
  readonly replicasMin?: number;
  /** How long a lost connection is ridden out before `Unavailable`. Default 20,000. */
  readonly deadlineMs?: number;
  /** A connection that gives no reply for so long is given up. Default 8,000. */
  readonly replyMsMax?: number;
  /** Told what a person should see. Never holds credentials or values. */
  readonly onTrouble?: (trouble: RedisTrouble) => void;
}

/**
 * `lost`: a connection ended or cannot be made. `refused`: a server cannot serve just now. `recovered`: a connection is there again.
 * `doubtful`: a finding at the start. `fatal`: the store is gone, every call rejects from now on.
 */
export interface RedisTrouble {
  readonly kind: 'lost' | 'refused' | 'recovered' | 'doubtful' | 'fatal';
  readonly server: string;
  readonly error?: Error;
}

export interface ResolvedOptions {
  readonly servers: Omit<ServersOptions, 'admit'>;
  readonly prefix: string;
  readonly deadlineMs: number;
}

const connectMsMax = 5_000;
const startMsMax = 10_000;

/** How long the first connection is tried for. */
export const startDeadline = ({ deadlineMs }: ResolvedOptions): number => Math.min(deadlineMs, startMsMax);

export function resolveOptions(options: RedisStateOptions): ResolvedOptions {
  const { prefix = 'huqi', replicasMin = 0, deadlineMs = 20_000, replyMsMax = 8_000 } = options;
  if (!/^[\w.:-]{1,64}$/.test(prefix))
    throw new RedisRefused(`redis.prefix "${prefix.slice(0, 70)}" must be 1 to 64 letters, digits, or any of _ . : -`);
  if (!Number.isInteger(replicasMin) || replicasMin < 0 || replicasMin > 16)
    throw new RedisRefused(`redis.replicasMin is ${replicasMin}: it must be a number from 0 to 16.`);
  const { servers, tls, username, password, database } = parseRedisUrl(options.url);
  const server: ServerOptions = {
    tls,
    tlsFiles: options.tls ?? {},
    username: options.username ?? username,
    password: options.password ?? password,
    database,
    replicasMin,
    connectMsMax: Math.min(connectMsMax, replyMsMax),
    replyMsMax,
  };
  return { servers: { ...server, addresses: servers }, prefix, deadlineMs };
}
