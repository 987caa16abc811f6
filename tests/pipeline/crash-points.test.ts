import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryEmbedded, testPartitions } from '../support/embedded.js';
import { Crash, crashPoints, withFault, type CrashPoint, type Fault } from '../support/faults.js';
import { resultOf, startPipeline, type Pipeline, type RunResult } from '../support/pipeline.js';
import { body, makeStream } from '../support/stream.js';

/**
 * The crash-point table, exhaustively over a short history: a process that dies at any one of its writes, before or after it
 * took effect, and a new one on the same store.
 */
const lines = makeStream({ transactions: 360, seed: 3 });
const bodies = [0, 120, 240].map((at) => body(lines.slice(at, at + 120)));
const partitions = { ...testPartitions, transactions: 2, hits: 1, commands: 1 };
const incarnationsMax = 4;

const stores = [
  { name: 'on two stores', isOneStore: false, points: crashPoints },
  // Claims, journal and warnings are written with what they bring to the log; a batch without hits leaves a journal entry alone.
  {
    name: 'on one store',
    isOneStore: true,
    points: ['append of transactions', 'journal', 'append of hits', 'append of warnings'],
  },
] as const satisfies { name: string; isOneStore: boolean; points: readonly CrashPoint[] }[];

describe.each(stores)('$name', ({ isOneStore, points }) => {
  let quiet: RunResult;
  let writes: ReadonlyMap<CrashPoint, number>;
  const crashed = new Set<string>();

  beforeAll(async () => {
    ({ result: quiet, writes } = await run(null, isOneStore));
  }, 60_000);

  describe('whatever write a crash cuts off, the hits and warnings are those of a quiet run', () => {
    test('the quiet run has hits, warnings and every kind of write several times', () => {
      expect(quiet.hits.size).toBeGreaterThan(20);
      expect(quiet.warnings.size).toBeGreaterThan(3);
      for (const point of points) expect(writes.get(point) ?? 0, point).toBeGreaterThanOrEqual(3);
      expect(writes.has('claims')).toBe(!isOneStore);
    });

    for (const point of points) {
      for (const mode of ['before', 'after'] as const) {
        test(`${mode} the ${point}`, async () => {
          for (let number = 0; number < (writes.get(point) ?? 0); number++) {
            const { result, hasCrashed } = await run({ point, number, mode }, isOneStore);
            if (hasCrashed) crashed.add(`${point}/${mode}`);
            expect(result.transactions).toEqual(quiet.transactions);
            expect(result.hits).toEqual(quiet.hits);
            expect(result.warnings).toEqual(quiet.warnings);
          }
        });
      }
    }
  });

  afterAll(() => {
    // A crash that was never reached proves nothing.
    expect(crashed.size).toBe(2 * points.length);
  });
});

/** A bank sends three bodies, and sends again what was not answered and the one before it; the platform dies once. */
async function run(fault: Fault | null, isOneStore: boolean) {
  const parts = temporaryEmbedded(partitions);
  try {
    let answered = 0;
    let hasCrashed = false;
    let writes: ReadonlyMap<CrashPoint, number> = new Map();
    for (let incarnation = 0; incarnation < incarnationsMax; incarnation++) {
      const faulty = withFault(parts.log, isOneStore ? parts.oneStore : parts.state, incarnation === 0 ? fault : null);
      if (incarnation === 0) writes = faulty.counts;
      let pipeline: Pipeline | undefined;
      try {
        pipeline = await startPipeline({
          ...faulty,
          intake: { claimSlots: 2 },
          score: { limit: { recordsMax: 1, bytesMax: 2 ** 20 } },
        });
        for (let number = Math.max(0, answered - 1); number < bodies.length; number++) {
          await pipeline.intake.accept(bodies[number]!);
          answered = number + 1;
        }
        await pipeline.drained();
        await pipeline.stop();
        hasCrashed ||= faulty.hasCrashed();
        return { result: await resultOf(parts.log, parts.state), writes, hasCrashed };
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        hasCrashed = true;
        await pipeline?.stop();
      }
    }
    throw new Error('the platform did not get through');
  } finally {
    await parts.remove();
  }
}
