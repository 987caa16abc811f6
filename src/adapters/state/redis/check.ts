import { addressText, type ServerAddress } from './address.js';
import type { RedisFinding } from './inspection.js';
import { resolveOptions, type RedisStateOptions, type ResolvedOptions } from './options.js';
import { openServer } from './server.js';
import { createRedisState } from './state.js';
import { trialSlot } from './store.js';

const trialDeadlineMs = 5_000;

/** What `huqi doctor` says of Redis: each server by itself, then one commit for trial. Never throws. */
export async function checkRedis(given: RedisStateOptions): Promise<RedisFinding[]> {
  let options: ResolvedOptions;
  try {
    options = resolveOptions(given);
  } catch (error) {
    return [bad('address', error)];
  }
  const { servers } = options;
  const found = await Promise.all(servers.addresses.map((address) => lookAt(address, options)));
  const findings = found.flat();
  if (findings.some(({ verdict }) => verdict === 'bad')) return findings;
  return [...findings, await tryCommit({ ...given, deadlineMs: trialDeadlineMs })];
}

async function lookAt(address: ServerAddress, { servers }: ResolvedOptions): Promise<RedisFinding[]> {
  const name = addressText(address);
  try {
    const server = await openServer(address, { ...servers, unsafeToo: true });
    server.end();
    const { master, masterAt, cluster, findings } = server.inspection;
    const role = master ? 'master' : `replica of ${masterAt}`;
    const reached: RedisFinding = {
      check: `${name} role`,
      verdict: 'good',
      detail: cluster ? `${role} in a cluster` : role,
    };
    return [reached, ...findings.map((finding) => ({ ...finding, check: `${name} ${finding.check}` }))];
  } catch (error) {
    return [bad(name, error)];
  }
}

async function tryCommit(options: RedisStateOptions): Promise<RedisFinding> {
  try {
    const state = await createRedisState(options);
    try {
      const started = performance.now();
      await state.commit(trialSlot, { put: [{ key: 'tried', value: Buffer.from(new Date().toISOString()) }] });
      const [value] = await state.get(trialSlot, ['tried']);
      const ms = performance.now() - started;
      if (!value) return bad('commit', new Error('a commit for trial was acknowledged and cannot be read'));
      const detail = `one for trial took ${ms.toFixed(1)} ms`;
      if (ms < slowMs) return { check: 'commit', verdict: 'good', detail };
      return { check: 'commit', verdict: 'doubtful', detail: `${detail}: give Redis a faster disk, or a nearer machine` };
    } finally {
      await state.close();
    }
  } catch (error) {
    return bad('commit', error);
  }
}

const slowMs = 100;

const bad = (check: string, error: unknown): RedisFinding => ({
  check,
  verdict: 'bad',
  detail: error instanceof Error ? error.message : String(error),
});
