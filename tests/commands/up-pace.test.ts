import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { temporaryDirectory } from '../support/embedded.js';
import { huqi, sample, startHuqi } from '../support/huqi.js';
import { metricTotal } from '../support/metrics.js';

const directory = temporaryDirectory();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const sentShape = z.object({ sent: z.int(), accepted: z.int() });

/** Sends the sample day as fast as it is taken; what the platform says of it afterwards. */
async function sendDay(name: string, aheadMsMax: number) {
  const data = join(directory, name);
  const up = startHuqi(['up', '--port', '0', '--data', data, '--no-sample'], { HUQI_INTAKE_AHEAD_MS_MAX: String(aheadMsMax) });
  onTestFinished(async () => void (await up.end('SIGKILL')));
  const url = (await up.printed(/(http:\/\/\S+)[\s\S]*keys\.json/))[1]!;
  const { bank } = z.looseObject({ bank: z.string() }).parse(JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')));
  const startedMs = performance.now();
  const { stdout } = await huqi(['send', sample.day, '--to', url, '--key', bank, '--json']);
  return {
    answer: sentShape.parse(JSON.parse(stdout)),
    seconds: (performance.now() - startedMs) / 1_000,
    waitedSeconds: await metricTotal(url, 'huqi_intake_waited_seconds_total'),
  };
}

test(
  'a bank that sends faster than is scored waits for its answers, as long as the settings say',
  { timeout: 240_000 },
  async () => {
    const held = await sendDay('held', 100);
    expect(held.waitedSeconds).toBeGreaterThan(0.5);
    // Scoring sets the pace: had nobody told intake of it, each body would wait for twenty times the bound.
    expect(held.seconds).toBeLessThan(40);
    const free = await sendDay('free', 0);
    expect(free.waitedSeconds).toBe(0);
    expect(free.answer).toEqual(held.answer);
  },
);
