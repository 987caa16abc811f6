import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuUsage } from 'node:process';
import { randomUUID } from 'node:crypto';
import { createLmdbLog } from '../src/adapters/log/lmdb.js';
import { openEnvironment } from '../src/adapters/lmdb-environment.js';
import { createLmdbState } from '../src/adapters/state/lmdb.js';
import { createIntake } from '../src/pipeline/intake.js';
import { makeStream } from '../tests/support/stream.js';

/** Lines a second through `accept`, answered after the durable append on LMDB. `npx tsx bench/intake.ts [lines] [lines per body]` */
const total = Number(process.argv[2] ?? 200_000);
const perBody = Number(process.argv[3] ?? 2_000);
const atOnce = 4;

const bodies: Uint8Array[] = [];
for (let at = 0; at < total; at += perBody) {
  const startMs = Date.parse('2026-06-01T09:00:00+08:00') + at * 100;
  const lines = makeStream({ transactions: perBody, seed: 1, startMs, stepMs: 100 });
  // About as long as a bank's record is, and numbered through.
  const trimmed = lines.map((line, i) =>
    line
      .replace(/T\d+/, `T${at + i}`)
      .replace(/"device":\{.*\},/, '')
      .replaceAll(/"openedOn":"[^"]*",/g, ''),
  );
  bodies.push(new TextEncoder().encode(trimmed.join('\n')));
}
const bytes = bodies.reduce((sum, body) => sum + body.length, 0);

for (const slots of [8]) {
  const directory = mkdtempSync(join(tmpdir(), 'huqi-bench-'));
  const environment = openEnvironment({ directory });
  const one = { rejected: 1, legs: 1, hits: 4, warnings: 1, deliveries: 1, commands: 4, events: 1, controls: 1, incoming: 1 };
  const log = createLmdbLog(environment, { partitions: { transactions: 4, ...one } });
  const intake = createIntake({
    log,
    state: createLmdbState(environment),
    clock: Date,
    newId: randomUUID,
    settings: { claimSlots: slots },
  });
  for (const round of ['new', 'resent']) {
    const cpuBefore = cpuUsage();
    const startedAt = performance.now();
    const waiting = [...bodies];
    await Promise.all(Array.from({ length: atOnce }, () => drain(waiting)));
    await intake.settled();
    const seconds = (performance.now() - startedAt) / 1000;
    const cpu = cpuUsage(cpuBefore);
    console.log(
      `${slots} slots, ${round}: ${Math.round(total / seconds).toLocaleString('en')} lines/s of ${Math.round(bytes / total)} bytes; CPU ${((cpu.user + cpu.system) / total).toFixed(1)} µs a line`,
    );
  }
  await log.close();
  await environment.close();
  rmSync(directory, { recursive: true });

  async function drain(waiting: Uint8Array[]): Promise<void> {
    for (let body = waiting.shift(); body; body = waiting.shift()) await intake.accept(body);
  }
}
