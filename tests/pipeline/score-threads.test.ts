import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { calendarSchema } from '../../src/domain/calendar.js';
import type { Hit } from '../../src/domain/hit.js';
import { config, sample } from '../support/huqi.js';
import { shippedPatterns } from '../support/patterns.js';

type Threads = typeof import('../../src/pipeline/score-threads.js');

// A thread is started from the built program.
const built = new URL('../../dist/score-threads.js', import.meta.url).href;
const { createThreadedScorer } = (await import(built)) as Threads;

const calendar = calendarSchema.parse(parse(readFileSync(`${config}/catalogue/calendar.yaml`, 'utf8')));
const day = gunzipSync(readFileSync(sample.day));
/** Enough to find something, few enough to be quick. */
const some = shippedPatterns().filter(({ file }) => /^(M0[1-8]|M12|M16|V01|V11|V12)-/.test(file));
const quiet = { calendar, partitions: 1, nowMs: Infinity, onRejected: () => undefined };

async function pushAll(scorer: Awaited<ReturnType<Threads['createThreadedScorer']>>, between: () => void = () => undefined) {
  scorer.begin('day');
  for (let at = 0; at < day.length; at += 300_000) {
    await scorer.push(day.subarray(at, at + 300_000));
    between();
  }
  await scorer.finish();
  await scorer.end();
}

describe('scoring on several threads', () => {
  it('hands over the hits of two sets for the same records side by side', async () => {
    const few = some.filter(({ file }) => file.startsWith('M0'));
    const hits: Hit[][] = [[], []];
    const lines: number[] = [];
    const scorer = await createThreadedScorer({
      ...quiet,
      sets: [some, few],
      onSlot: (scored) => {
        lines.push(scored.lines);
        for (const [set, found] of scored.hits.entries()) hits[set]!.push(...found);
      },
    });
    try {
      await pushAll(scorer);
    } finally {
      await scorer.close();
    }
    expect(hits[1]!.length).toBeGreaterThan(50);
    // What a hit says beside depends on what else its set keeps.
    const idsOf = (of: readonly Hit[]) => of.map(({ id }) => id);
    expect(idsOf(hits[1]!)).toEqual(idsOf(hits[0]!.filter(({ pattern }) => pattern.startsWith('M0'))));
    expect(lines.length).toBeGreaterThan(5);
    expect(lines).toEqual(lines.toSorted((a, b) => a - b));
    expect(lines.at(-1)).toBe(scorer.totals.lines);
  });

  it('brings the state on without hits up to the line that it is told, and is then as if it had scored all', async () => {
    const run = async (warmLines: number) => {
      const hits: Hit[] = [];
      const scorer = await createThreadedScorer({
        ...quiet,
        sets: [some],
        warmLines,
        onSlot: (scored) => hits.push(...scored.hits[0]!),
      });
      try {
        await pushAll(scorer);
      } finally {
        await scorer.close();
      }
      return hits;
    };
    const all = await run(0);
    const rest = await run(20_000);
    expect(rest.length).toBeGreaterThan(20);
    expect(rest.length).toBeLessThan(all.length);
    expect(rest).toEqual(all.slice(-rest.length));
  });

  it('reads no further ahead than its slots hold', async () => {
    let read = 0;
    let scored = 0;
    let ahead = 0;
    const scorer = await createThreadedScorer({
      ...quiet,
      sets: [some],
      onSlot: ({ lines }) => (scored = lines),
    });
    try {
      await pushAll(scorer, () => {
        read = scorer.totals.lines;
        ahead = Math.max(ahead, read - scored);
      });
    } finally {
      await scorer.close();
    }
    // Five slots of 1 MiB, records of more than 400 bytes.
    expect(ahead).toBeLessThan((5 * 2 ** 20) / 400);
    expect(read).toBeGreaterThan(ahead);
  });

  it('ends with a sentence when the thread that scores fails', async () => {
    const broken = [{ file: 'X01.yaml', text: 'id: X01' }];
    await expect(createThreadedScorer({ ...quiet, sets: [broken], onSlot: () => undefined })).rejects.toThrow(
      /^the thread that scores failed: X01\.yaml:/,
    );
  });

  it('ends with the fault of whoever takes the hits', async () => {
    const scorer = await createThreadedScorer({
      ...quiet,
      sets: [some],
      onSlot: () => {
        throw new Error('the disk is full');
      },
    });
    try {
      await expect(pushAll(scorer)).rejects.toThrow('the disk is full');
    } finally {
      await scorer.close();
    }
  });
});
