import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { partitionOf, partitionOfHash } from '../domain/partition.js';
import { routesOf } from '../domain/reference-record.js';
import type { Reference } from '../domain/reference.js';
import type { Batch } from '../scoring/batch.js';
import { createEngine } from '../scoring/engine.js';
import type { OutgoingForward } from '../scoring/knowledge.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import { readTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';

/** The production engine over all partitions in one thread: what one tells another is delivered at once, breadth first. */
export interface FileEngines {
  /** `hits` null only brings the state on. */
  scoreBatch(batch: Batch, hits: Hit[] | null): void;
  takeReference(reference: Reference, hits: Hit[] | null): void;
  stats(): FileEngineStats;
}

export interface FileEngineStats {
  readonly subjects: number;
  readonly bytes: number;
}

type Owns = (key: string) => boolean;

/** A file's records were never received by anyone. */
const receivedAtMs = 0;
/** A payment's news travels six hops; more rounds than this for one payment are a fault of the engine, not of the file. */
const roundsMax = 1_000;

/** Hits do not depend on `partitions`. */
export function createFileEngines(set: PatternSet, partitions: number): FileEngines {
  const ownsOf = Array.from({ length: partitions }, (_, partition): Owns =>
    partitions === 1 ? () => true : (key) => partitionOf(key, partitions) === partition,
  );
  const engines = ownsOf.map((owns) => createEngine(set, { owns }));
  const [only] = engines;
  const told = new TransactionView();

  function deliver(hits: Hit[] | null): void {
    let pending = drain();
    for (let round = 0; pending.length > 0; round++) {
      if (round === roundsMax) throw new Error('what partitions tell each other never ends');
      for (const { forward, transaction, receivedAtMs: receivedMs } of pending) {
        const engine = engines[partitionOf(forward.to, partitions)]!;
        const rejection = transaction && readTransaction(transaction, 0, transaction.length, told);
        if (rejection) throw new Error(`a payment that a partition told of cannot be read: ${rejection.message}`);
        engine.takeForward(forward, transaction && told, receivedMs, hits);
      }
      pending = drain();
    }
  }

  function drain(): OutgoingForward[] {
    return engines.flatMap((engine) => [...engine.drainForwards()]);
  }

  return {
    scoreBatch(batch, hits) {
      if (partitions === 1) {
        only!.scoreBatch(batch, hits);
        return;
      }
      for (let i = 0; i < batch.count; i++) {
        const view = batch.views[i]!;
        engines[partitionOfHash(view.payer.accountHash, partitions)]!.score(view, role.debit, 0, receivedAtMs, hits);
        engines[partitionOfHash(view.payee.accountHash, partitions)]!.score(view, role.credit, 0, receivedAtMs, hits);
        deliver(hits);
      }
    },
    takeReference(reference, hits) {
      const routes = routesOf(reference);
      const partitionsOf =
        routes === 'all' ? engines.keys() : new Set(routes.map((key) => partitionOf(key, partitions))).values();
      for (const partition of partitionsOf)
        engines[partition]!.takeReference(reference, ownsOf[partition]!, receivedAtMs, hits);
      if (partitions > 1) deliver(hits);
    },
    stats() {
      const all = engines.map((engine) => engine.stats());
      return {
        subjects: all.reduce((sum, { subjects }) => sum + subjects, 0),
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    },
  };
}
