import type { Connection } from './connection.js';
import { ConnectionLost, RedisRefused, ReplyRefused } from './faults.js';

export interface RedisFinding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

/** What a server says of itself. */
export interface Inspection {
  readonly server: string;
  readonly cluster: boolean;
  readonly master: boolean;
  /** Of a replica: where its master is. */
  readonly masterAt: string | undefined;
  /** Has WAITAOF. */
  readonly waitsForAof: boolean;
  readonly findings: readonly RedisFinding[];
}

/**
 * Asks a server what it is and whether a commit that it acknowledges is on its disk. Throws `ReplyRefused` while it is loading,
 * `ConnectionLost`, and `RedisRefused` where it may not be asked.
 */
export async function inspect(connection: Connection, replicasMin: number): Promise<Inspection> {
  const { server } = connection;
  const [info, config] = await connection.send([['INFO'], ['CONFIG', 'GET', '*append*']]);
  for (const outcome of [info, config]) if (outcome?.error instanceof ConnectionLost) throw outcome.error;
  if (info?.error instanceof ReplyRefused)
    throw new RedisRefused(`Redis ${server} does not say what it is (${info.error.reply}): give the user the right +info.`);
  const facts = parseInfo(String(info?.reply));
  if (facts.get('loading') === '1') throw new ReplyRefused(server, 'LOADING it is loading its data');
  const settings = config?.error ? undefined : parseConfig(config?.reply);
  const version = versionOf(facts);
  return {
    server,
    cluster:
      facts.get('redis_mode') === 'cluster' || facts.get('server_mode') === 'cluster' || facts.get('cluster_enabled') === '1',
    master: facts.get('role') === 'master',
    masterAt: facts.has('master_host') ? `${facts.get('master_host')}:${facts.get('master_port')}` : undefined,
    waitsForAof: atLeast(version.number, 7, 2),
    findings: [
      versionFinding(version),
      aofFinding(facts),
      fsyncFinding(settings, version.number),
      diskFinding(facts),
      evictionFinding(facts),
      memoryFinding(facts),
      ...(facts.get('role') === 'master' ? [replicasFinding(facts, replicasMin)] : []),
    ],
  };
}

/** One sentence for all that forbids this server. */
export function assertSafe({ server, findings }: Inspection): void {
  const bad = findings.filter(({ verdict }) => verdict === 'bad').map(({ detail }) => detail);
  if (bad.length > 0) throw new RedisRefused(`Redis ${server} cannot keep HuQi's state: ${bad.join('; ')}.`);
}

interface Version {
  readonly text: string;
  readonly number: readonly [number, number];
  readonly sentinel: boolean;
}

const good = (check: string, detail: string): RedisFinding => ({ check, verdict: 'good', detail });
const doubtful = (check: string, detail: string): RedisFinding => ({ check, verdict: 'doubtful', detail });
const bad = (check: string, detail: string): RedisFinding => ({ check, verdict: 'bad', detail });

function versionFinding({ text, number, sentinel }: Version): RedisFinding {
  if (sentinel) return bad('version', 'it is a Sentinel, not a Redis: name the Redis servers themselves, parted by commas');
  if (!atLeast(number, 6, 2)) return bad('version', `it is ${text}, at least 6.2 is needed: upgrade it`);
  if (!atLeast(number, 7, 2)) return good('version', `${text} (no WAITAOF, so what counts is appendfsync always)`);
  return good('version', text);
}

function aofFinding(facts: ReadonlyMap<string, string>): RedisFinding {
  if (facts.get('aof_enabled') === '1') return good('append-only file', 'is written');
  return bad('append-only file', 'it keeps no append-only file, so a crash would lose what it acknowledged: set appendonly yes');
}

function fsyncFinding(settings: ReadonlyMap<string, string> | undefined, version: readonly [number, number]): RedisFinding {
  const check = 'flush to disk';
  if (!settings?.has('appendfsync')) {
    const instead = atLeast(version, 7, 2) ? 'WAITAOF is asked after every commit' : 'see to it that appendfsync is always';
    return doubtful(
      check,
      `CONFIG may not be read here, so appendfsync cannot be seen: ${instead}, or give the user the right +config|get`,
    );
  }
  const appendfsync = settings.get('appendfsync');
  if (appendfsync !== 'always')
    return bad(
      check,
      `appendfsync is ${appendfsync}, so a crash would lose the last seconds of what it acknowledged: set appendfsync always`,
    );
  if (settings.get('no-appendfsync-on-rewrite') === 'yes')
    return bad(check, 'no-appendfsync-on-rewrite is yes, so nothing is flushed during a rewrite: set it to no');
  return good(check, 'appendfsync always');
}

function diskFinding(facts: ReadonlyMap<string, string>): RedisFinding {
  const failed = ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'].filter(
    (name) => (facts.get(name) ?? 'ok') !== 'ok',
  );
  if (failed.length === 0) return good('disk', 'the latest writes succeeded');
  return doubtful('disk', `the latest write to disk failed (${failed.join(', ')}): make room there and look at its log`);
}

function evictionFinding(facts: ReadonlyMap<string, string>): RedisFinding {
  const policy = facts.get('maxmemory_policy') ?? 'noeviction';
  const limited = Number(facts.get('maxmemory') ?? '0') > 0;
  // Nothing of HuQi's has a time to live, so what evicts only such keys takes none of them.
  if (!policy.startsWith('allkeys')) return good('eviction', policy);
  const remedy = 'set maxmemory-policy noeviction';
  if (limited)
    return bad('eviction', `maxmemory-policy is ${policy}, so it would throw state away when memory is short: ${remedy}`);
  return doubtful(
    'eviction',
    `maxmemory-policy is ${policy}, which would throw state away as soon as maxmemory is set: ${remedy}`,
  );
}

function memoryFinding(facts: ReadonlyMap<string, string>): RedisFinding {
  const used = Number(facts.get('used_memory') ?? '0');
  const most = Number(facts.get('maxmemory') ?? '0') || Number(facts.get('total_system_memory') ?? '0');
  const detail = `${megabytes(used)} of ${megabytes(most)} are in use`;
  return most > 0 && used > most * 0.8
    ? doubtful('memory', `${detail}: raise maxmemory or the machine's memory`)
    : good('memory', detail);
}

function replicasFinding(facts: ReadonlyMap<string, string>, replicasMin: number): RedisFinding {
  const connected = Number(facts.get('connected_slaves') ?? '0');
  const detail = `${connected} connected, redis.replicasMin is ${replicasMin}`;
  if (connected < replicasMin) return doubtful('replicas', `${detail}: no commit counts until enough are connected`);
  if (connected === 0) return good('replicas', 'none: who loses this machine falls back to a backup');
  if (replicasMin === 0)
    return doubtful(
      'replicas',
      `${detail}: what is acknowledged may be missing on a replica that takes over; set redis.replicasMin to 1`,
    );
  return good('replicas', detail);
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`;

function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function parseConfig(reply: unknown): Map<string, string> {
  const texts = (reply as readonly Buffer[]).map(String);
  return new Map(texts.flatMap((name, i) => (i % 2 === 0 ? [[name, texts[i + 1] ?? ''] as const] : [])));
}

/** Valkey says as `redis_version` which Redis it is like. */
function versionOf(facts: ReadonlyMap<string, string>): Version {
  const like = facts.get('redis_version') ?? '0.0';
  const [major = 0, minor = 0] = like.split('.').map(Number);
  const valkey = facts.get('valkey_version');
  const mode = facts.get('redis_mode') ?? facts.get('server_mode');
  return { text: valkey ? `Valkey ${valkey}` : `Redis ${like}`, number: [major, minor], sentinel: mode === 'sentinel' };
}

const atLeast = ([major, minor]: readonly [number, number], wantedMajor: number, wantedMinor: number): boolean =>
  major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
