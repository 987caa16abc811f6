import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStores } from '../app.js';
import { packed, unpacking } from '../pipeline/snapshot-packing.js';
import { openSnapshotStore } from '../pipeline/snapshot-store.js';
import { createEngine, type ScoringEngine } from '../scoring/engine.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { copyState, createStateReader } from '../scoring/snapshot-codec.js';
import { loadSettings } from '../settings.js';
import { feedEngine } from './engine.js';
import { createMaterial } from './material.js';
import { medianOf, type Measured } from './measure.js';

/** What a snapshot costs, and what a start from it, against scoring everything again. Of one partition, on the embedded store. */
export interface RecoveryFigures {
  /** Accounts seen on either side. */
  readonly accounts: number;
  readonly transactions: number;
  readonly bytes: number;
  readonly storedBytes: number;
  /** Seconds in which the partition is not scored. */
  readonly copySeconds: number;
  /** Seconds of compressing and storing, beside the scoring. */
  readonly storeSeconds: number;
  /** Seconds from the store to an engine that is ready. */
  readonly restoreSeconds: Measured;
  readonly scoreAgainSeconds: number;
}

export async function benchRecovery(
  set: PatternSet,
  options: { accounts: number; transactions: number; runs: number },
): Promise<RecoveryFigures> {
  const material = createMaterial(options.accounts, options.transactions);
  const engine = createEngine(set);
  const { milliseconds } = feedEngine(engine, material);
  const directory = await mkdtemp(join(tmpdir(), 'huqi-bench-'));
  const stores = await openStores(loadSettings({ env: {}, overrides: { dataDir: join(directory, 'data') } }), { makes: true });
  try {
    const store = await openSnapshotStore({ state: stores.state, partition: 0, newId: () => 'bench' });
    const copyFromMs = performance.now();
    const copy = copied(engine);
    const storeFromMs = performance.now();
    const facts = { format: 'bench', planId: set.planId, partitions: 1, position: material.count, batch: '', marks: [] };
    const manifest = await store.write({ ...facts, takenAtMs: Date.now() }, packed(copy.chunks()), () => false);
    if (!manifest) throw new Error('the snapshot was not stored');
    const doneMs = performance.now();
    const restoreSeconds = await medianOf(options.runs, async () => {
      const startedMs = performance.now();
      const reader = createStateReader();
      await store.read(unpacking((chunk) => reader.take(chunk)));
      createEngine(set).load(reader.end());
      return (performance.now() - startedMs) / 1000;
    });
    return {
      accounts: engine.stats().accounts,
      transactions: material.count,
      bytes: manifest.bytes,
      storedBytes: manifest.storedBytes,
      copySeconds: (storeFromMs - copyFromMs) / 1000,
      storeSeconds: (doneMs - storeFromMs) / 1000,
      restoreSeconds,
      scoreAgainSeconds: milliseconds / 1000,
    };
  } finally {
    await stores.close();
    await rm(directory, { recursive: true, force: true });
  }
}

function copied(engine: ScoringEngine) {
  const copying = copyState(engine.save());
  for (;;) {
    const next = copying.next();
    if (next.done) return next.value;
  }
}
