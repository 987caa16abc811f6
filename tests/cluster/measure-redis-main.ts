/**
 * Commits a second of the state on Redis: `npx tsx tests/cluster/measure-redis-main.ts [seconds]`.
 * Chains as the journal writes them (each commit expects the one before it), one for each of so many slots at once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRedisState } from '../../src/adapters/state/redis.js';
import type { State } from '../../src/ports/state.js';
import { startRedis, valkeyProgram, type RedisServerOptions } from './support/redis-server.js';

const secondsEach = Number(process.argv[2] ?? '3');
const say = (line: string) => void process.stdout.write(`${line}\n`);

const servers: [string, RedisServerOptions][] = [
  ['Redis, appendfsync always', {}],
  ...(existsSync(valkeyProgram)
    ? [['Valkey, appendfsync always and WAITAOF', { program: valkeyProgram }] satisfies [string, RedisServerOptions]]
    : []),
];
const loads = [
  { bytes: 200, chains: 1 },
  { bytes: 200, chains: 8 },
  { bytes: 200, chains: 64 },
  { bytes: 65_536, chains: 1 },
  { bytes: 65_536, chains: 8 },
];

for (const [name, options] of servers) {
  const server = await startRedis(options);
  say(name);
  for (const load of loads) {
    const state = await createRedisState({ url: server.url, prefix: `measure-${load.bytes}-${load.chains}` });
    const before = { client: process.cpuUsage(), server: cpuSeconds(server.pid) };
    const { commits, latencies } = await run(state, load);
    const { user, system } = process.cpuUsage(before.client);
    const cpu = [(user + system) / commits, ((cpuSeconds(server.pid) - before.server) / commits) * 1e6].map(Math.round);
    const at = (share: number) => latencies[Math.floor(latencies.length * share)]?.toFixed(2);
    say(
      `  ${load.bytes} bytes, ${load.chains} at once: ${Math.round(commits / secondsEach)} commits/s, ` +
        `${((commits * load.bytes) / secondsEach / 2 ** 20).toFixed(1)} MB/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ` +
        `CPU of a commit: client ${cpu[0]} µs, server ${cpu[1]} µs`,
    );
    await state.close();
  }
  await server.stop();
}

/** User and system time of a process, from Linux in hundredths of a second. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function run(state: State, { bytes, chains }: { bytes: number; chains: number }) {
  const latencies: number[] = [];
  const deadline = performance.now() + secondsEach * 1_000;
  const chain = async (slot: string) => {
    let head: Buffer | null = null;
    for (let i = 0; performance.now() < deadline; i++) {
      const next: Buffer = Buffer.alloc(32, `${i}`.padStart(32));
      const started = performance.now();
      const result = await state.commit(slot, {
        expect: [{ key: 'head', value: head }],
        put: [
          { key: 'head', value: next },
          { key: `entry/${i % 1_000}`, value: Buffer.alloc(bytes, i) },
        ],
      });
      if (result !== 'committed') throw new Error(`${slot}: ${result}`);
      latencies.push(performance.now() - started);
      head = next;
    }
  };
  await Promise.all(Array.from({ length: chains }, (_, i) => chain(`chain-${i}`)));
  return { commits: latencies.length, latencies: latencies.sort((a, b) => a - b) };
}
