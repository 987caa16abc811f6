import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Hit } from '../../src/domain/hit.js';
import { createIntake } from '../../src/pipeline/intake.js';
import { memoriesHere } from '../../src/pipeline/score-memory.js';
import { createScore, type PatternSetIdentity, type Score } from '../../src/pipeline/score.js';
import { eventsOn, temporaryEmbedded, testPartitions, type EmbeddedParts } from '../support/embedded.js';
import { Crash, withFault, type CrashPoint, type Fault } from '../support/faults.js';
import { createForwardingEngine } from '../support/forwarding-engine.js';
import { exampleRecords } from '../support/references.js';
import { body, makeStream } from '../support/stream.js';
import { drain } from '../support/pipeline.js';

/**
 * The crash-point table for what partitions tell one another: a process that dies at any one of its writes, before it, after it,
 * or with half of it done, and a new one on the same store. Each hit says how often its pair was told of.
 */
const payments = 17;
const records = Object.values(exampleRecords).map((record) => JSON.stringify(record));
const lines = makeStream({ transactions: payments, seed: 4 }).toSpliced(8, 0, ...records);
const bodies = [0, 8, 16].map((at) => body(lines.slice(at, at + 8)));
const partitions = { ...testPartitions, transactions: 3, hits: 1 };
const points = ['append of transactions', 'journal', 'append of hits'] as const satisfies CrashPoint[];
/** A commit of the journal is one write: there is no half of it. */
const cases = points.flatMap((point) =>
  (['before', 'halfway', 'after'] as const)
    .filter((mode) => point !== 'journal' || mode !== 'halfway')
    .map((mode) => [mode, point] as const),
);
const incarnationsMax = 4;

const stores = [
  { name: 'on two stores', isOneStore: false, ways: cases },
  // There the journal and what a batch led to are one write, and so are claims and transactions: there is no half of them.
  { name: 'on one store', isOneStore: true, ways: cases.filter(([mode]) => mode !== 'halfway') },
];

describe.each(stores)('$name', ({ isOneStore, ways }) => {
  let quiet: Map<string, string>;
  let writes: ReadonlyMap<CrashPoint, number>;
  const crashed = new Set<string>();

  beforeAll(async () => {
    ({ hits: quiet, writes } = await run(null, isOneStore));
  }, 60_000);

  describe('whatever write a crash cuts off, each forward is taken once', () => {
    test('the quiet run has forwards over several hops, and every kind of write several times', () => {
      expect(quiet.size).toBe(payments * 4 + 5);
      for (const point of points) expect(writes.get(point) ?? 0, point).toBeGreaterThanOrEqual(2);
    });

    test.each(ways)('%s the %s', async (mode, point) => {
      for (let number = 0; number < (writes.get(point) ?? 0); number++) {
        const { hits, hasCrashed } = await run({ point, number, mode }, isOneStore);
        if (hasCrashed) crashed.add(`${point}/${mode}`);
        expect(hits).toEqual(quiet);
      }
    });
  });

  afterAll(() => {
    // A crash that was never reached proves nothing.
    expect(crashed.size).toBe(ways.length);
  });
});

/** A bank sends its bodies, and sends again what was not answered and the one before it; the platform dies once. */
async function run(fault: Fault | null, isOneStore: boolean) {
  const parts = temporaryEmbedded(partitions);
  try {
    let answered = 0;
    let hasCrashed = false;
    let counts: ReadonlyMap<CrashPoint, number> = new Map();
    for (let incarnation = 0; incarnation < incarnationsMax; incarnation++) {
      const faulty = withFault(parts.log, isOneStore ? parts.oneStore : parts.state, incarnation === 0 ? fault : null);
      if (incarnation === 0) counts = faulty.counts;
      let score: Score | undefined;
      const intake = createIntake({ ...faulty, clock: Date, newId: randomUUID, settings: { claimSlots: 2 } });
      try {
        score = await openScore(faulty);
        for (let number = Math.max(0, answered - 1); number < bodies.length; number++) {
          await intake.accept(bodies[number]!);
          answered = number + 1;
        }
        await drain(score);
        return { hits: await hitsOn(parts.log), writes: counts, hasCrashed };
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        hasCrashed = true;
      } finally {
        await Promise.allSettled([intake.settled(), score?.leave()]);
      }
    }
    throw new Error('the platform did not get through');
  } finally {
    await parts.remove();
  }
}

function openScore({ log, state }: Pick<EmbeddedParts, 'log' | 'state'>): Promise<Score> {
  const set = { id: 'set-1', planId: 'plan-1' };
  return createScore<PatternSetIdentity>({
    log,
    state,
    patternStore: { currentId: () => Promise.resolve(set.id), load: () => Promise.resolve(set) },
    openMemory: memoriesHere({ createEngine: createForwardingEngine, clock: Date }),
    clock: Date,
    newId: randomUUID,
    settings: { pollMs: 0, limit: { recordsMax: 2, bytesMax: 2 ** 20 } },
  });
}

/** By id, without what depends on the clock. A hit that came twice must say the same. */
async function hitsOn(log: EmbeddedParts['log']): Promise<Map<string, string>> {
  const byId = new Map<string, string>();
  for (const { data } of await eventsOn(log, 'hits')) {
    const { receivedAtMs: _, ...hit } = data as Hit;
    const text = JSON.stringify(hit);
    if ((byId.get(hit.id) ?? text) !== text) throw new Error(`hit ${hit.id} has two contents`);
    byId.set(hit.id, text);
  }
  return new Map([...byId].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
