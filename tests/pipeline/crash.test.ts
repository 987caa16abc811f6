import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { openEmbedded, temporaryDirectory } from '../support/embedded.js';
import { resultOf, type RunResult } from '../support/pipeline.js';
import { createRandom } from '../support/stream.js';

const script = fileURLToPath(new URL('../support/pipeline-child.ts', import.meta.url));
const transactions = 4_000;
const perBody = 50;
const kills = 8;
const directories: string[] = [];

afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

test('killed again and again in the middle of the day, the platform ends with exactly the hits and warnings of a quiet day', async () => {
  const quiet = await run([]);
  const random = createRandom(2_026);
  // From the opening of the store on, so that some kills fall into the recovery.
  const troubled = await run(Array.from({ length: kills }, () => Math.floor(30 + random() * 500)));

  expect(quiet.result.hits.size).toBeGreaterThan(200);
  expect(quiet.result.warnings.size).toBeGreaterThan(20);
  expect(quiet.result.transactions.length).toBe(2 * transactions);
  expect(troubled.killed).toBeGreaterThanOrEqual(6);
  expect(troubled.result.transactions).toEqual(quiet.result.transactions);
  expect(troubled.result.hits).toEqual(quiet.result.hits);
  expect(troubled.result.warnings).toEqual(quiet.result.warnings);
}, 180_000);

/** Runs the child until it finishes; the first runs are killed this long after they opened the store. */
async function run(killAfterMs: readonly number[]): Promise<{ result: RunResult; killed: number }> {
  const directory = temporaryDirectory();
  directories.push(directory);
  let killed = 0;
  for (let attempt = 0; ; attempt++) {
    const outcome = await runOnce(directory, killAfterMs[attempt]);
    if (outcome === 'finished') break;
    killed++;
  }
  const parts = openEmbedded(directory);
  try {
    return { result: await resultOf(parts.log, parts.state), killed };
  } finally {
    await parts.close();
  }
}

async function runOnce(directory: string, killAfterMs: number | undefined): Promise<'finished' | 'killed'> {
  const pauseMs = '30';
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, String(transactions), String(perBody), pauseMs], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const closed = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  const opened = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line === 'opened') resolve();
    });
  });
  if (killAfterMs !== undefined) {
    await Promise.race([opened, closed]);
    await wait(killAfterMs);
    child.kill('SIGKILL');
  }
  await closed;
  if (child.signalCode === 'SIGKILL') return 'killed';
  if (child.exitCode !== 0) throw new Error(`the child ended with ${child.exitCode}: ${complaints}`);
  return 'finished';
}
