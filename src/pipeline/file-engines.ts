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
  const engines = ownsOf.map((owns) => createEngine(set, { owns: partitions === 1 ? undefined : owns }));
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

  /** Both legs first, then what they have to tell: as one engine does. */
  function scoreOne(view: TransactionView, hits: Hit[] | null): void {
    const payer = partitionOfHash(view.payer.accountHash, partitions);
    const payee = partitionOfHash(view.payee.accountHash, partitions);
    if (payer === payee) engines[payer]!.score(view, role.debit | role.credit, 0, receivedAtMs, hits);
    else {
      engines[payer]!.score(view, role.debit, 0, receivedAtMs, hits);
      engines[payee]!.score(view, role.credit, 0, receivedAtMs, hits);
    }
    deliver(hits);
  }

  return {
    scoreBatch(batch, hits) {
      const before = hits?.length ?? 0;
      if (partitions === 1) only!.scoreBatch(batch, hits);
      else for (let i = 0; i < batch.count; i++) scoreOne(batch.views[i]!, hits);
      if (hits) putInOrder(hits, before);
    },
    takeReference(reference, hits) {
      const before = hits?.length ?? 0;
      const routes = routesOf(reference);
      const partitionsOf =
        routes === 'all' ? engines.keys() : new Set(routes.map((key) => partitionOf(key, partitions))).values();
      for (const partition of partitionsOf) engines[partition]!.takeReference(reference, ownsOf[partition]!, receivedAtMs, hits);
      if (partitions > 1) deliver(hits);
      if (hits) putInOrder(hits, before);
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

/** Hits of one transaction come from several partitions: they get an order that does not depend on how many there are. */
function putInOrder(hits: Hit[], from: number): void {
  for (let start = from; start < hits.length;) {
    const { transaction, bank } = hits[start]!;
    let end = start + 1;
    while (end < hits.length && hits[end]!.transaction === transaction && hits[end]!.bank === bank) end++;
    if (end - start > 1) hits.splice(start, end - start, ...hits.slice(start, end).toSorted(byPattern));
    start = end;
  }
}

function byPattern(a: Hit, b: Hit): number {
  if (a.pattern !== b.pattern) return a.pattern < b.pattern ? -1 : 1;
  return a.id < b.id ? -1 : a.id === b.id ? 0 : 1;
}
