import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hit } from '../../src/domain/hit.js';
import { warningIdOf } from '../../src/domain/warning-facts.js';
import { temporaryDirectory } from '../support/embedded.js';
import { type Outcome, startHuqi } from '../support/huqi.js';
import { settledPatterns } from '../support/patterns.js';
import type { PlatformContents } from '../support/read-platform.js';

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const playSample = (data: string): string[] => [
  'up',
  '--port',
  '0',
  '--sample-rate',
  '6000',
  '--exit-after-sample',
  '--data',
  join(directory, data),
];
const reader = fileURLToPath(new URL('../support/read-platform.ts', import.meta.url));

async function contentsOf(data: string): Promise<PlatformContents> {
  const out = join(directory, `${data}.json`);
  await promisify(execFile)(process.execPath, ['--import', 'tsx', reader, join(directory, data), out]);
  return JSON.parse(readFileSync(out, 'utf8')) as PlatformContents;
}

/** What the others find depends on how partitions interleave: docs/reliability.md. */
const settled = new Set(settledPatterns().map(({ file }) => file.split('-')[0]));
const unsettledOf = (hits: PlatformContents['hits']): Hit[] => Object.values(hits).filter(({ pattern }) => !settled.has(pattern));

function pick<A>(all: Readonly<Record<string, A>>, isWanted: (id: string, value: A) => boolean): Record<string, A> {
  return Object.fromEntries(Object.entries(all).filter(([id, value]) => isWanted(id, value)));
}

/**
 * The day passes in five seconds here: what may be ahead of scoring for as long as it ships would be half an hour of that day, and
 * payments that follow in that time would be told of too late (docs/decisions/0017-partitions-are-scored-beside.md).
 */
const pace = { HUQI_INTAKE_AHEAD_MS_MAX: '50' };

/** Milliseconds after it said that it runs, early enough that the sample is still playing; other moments on every run. */
const kills = 6;
const moments = Array.from({ length: kills }, (_, i) => (i === 0 ? 0 : Math.round(50 + Math.random() * 2_000)));

/** Runs to its own end; a run that does not end is killed, and its code is then null. */
async function playToEnd(data: string, limitMs = 120_000): Promise<Outcome> {
  const running = startHuqi(playSample(data), pace);
  const timer = setTimeout(() => running.child.kill('SIGKILL'), limitMs);
  const outcome = await running.ended;
  clearTimeout(timer);
  return outcome;
}

async function killAt(data: string, delayMs: number): Promise<void> {
  const running = startHuqi(playSample(data), pace);
  await running.printed(/runs at http/);
  await sleep(delayMs);
  const { code, stdout, stderr } = await running.end('SIGKILL');
  if (code !== null) throw new Error(`it ended by itself with ${code} before the kill at ${delayMs} ms: ${stdout}${stderr}`);
}

describe(`a platform killed ${kills} times while the sample plays (${moments.join(', ')} ms after each start)`, () => {
  let undisturbed: PlatformContents;
  let killed: PlatformContents;
  beforeAll(async () => {
    const calm = await playToEnd('undisturbed');
    expect(calm, calm.stderr).toMatchObject({ code: 0 });
    undisturbed = await contentsOf('undisturbed');
    for (const moment of moments) await killAt('killed', moment);
    const last = await playToEnd('killed');
    expect(last, last.stderr).toMatchObject({ code: 0 });
    killed = await contentsOf('killed');
  }, 300_000);

  it('has every transaction of the sample', () => {
    expect(undisturbed.transactions).toBe(28_000);
    expect(killed.transactions).toBe(28_000);
  });

  it('has the hits of an undisturbed run, each with the same content', () => {
    const [was, is] = [undisturbed, killed].map(({ hits }) => pick(hits, (_, { pattern }) => settled.has(pattern)));
    expect(Object.keys(was!).length).toBeGreaterThan(1_000);
    expect(is).toEqual(was);
  });

  it('has the warnings of an undisturbed run, each with the same content', () => {
    const touched = new Set([undisturbed, killed].flatMap(({ hits }) => unsettledOf(hits).map((hit) => warningIdOf(hit))));
    const [was, is] = [undisturbed, killed].map(({ warnings }) => pick(warnings, (id) => !touched.has(id)));
    expect(Object.keys(was!).length).toBeGreaterThan(100);
    expect(is).toEqual(was);
  });

  it('has about as many hits as an undisturbed run by patterns that ask what partitions tell one another', () => {
    const [was, is] = [undisturbed, killed].map(({ hits }) => unsettledOf(hits).length);
    expect(was).toBeGreaterThan(100);
    expect(Math.abs(is! - was!) / was!).toBeLessThan(0.05);
  });

  it('holds every transaction, hit and warning of the log once in the warehouse, as the undisturbed one does', () => {
    for (const { transactions, hits, warnings, warehouse } of [undisturbed, killed]) {
      const same = { missing: [], unknown: [], twice: [] };
      expect(warehouse).toEqual({
        transactions: { rows: transactions, ...same },
        hits: { rows: Object.keys(hits).length, ...same },
        warnings: { rows: Object.keys(warnings).length, ...same },
      });
    }
  });

  it('ends by itself when it is started again and the sample is played already', async () => {
    expect(await playToEnd('killed', 40_000)).toMatchObject({ code: 0 });
    expect(await contentsOf('killed')).toEqual(killed);
  });
});
