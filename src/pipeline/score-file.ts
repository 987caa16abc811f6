import { role } from '../domain/frame.js';
import type { Hit } from '../domain/hit.js';
import { batchMost, createBatch } from '../scoring/batch.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import type { TransactionView } from '../scoring/transaction-view.js';
import { createFileEngines, type FileEngineStats } from './file-engines.js';
import { createRecordReader, type FileRejection, type RecordTotals } from './file-records.js';

/** Scores files of transactions with the engine of the live platform, in one pass and on the caller's thread. */

export interface FileScorer {
  begin(file: string): void;
  /** Resolves when the scorer can take more. */
  push(chunk: Buffer): Promise<void>;
  /** The end of a file. */
  finish(): Promise<void>;
  /** Resolves when every hit was handed over. Nothing may be pushed after it. */
  end(): Promise<FileEngineStats>;
  /** Lets go of the threads, whatever they are at. */
  close(): Promise<void>;
  readonly totals: RecordTotals;
  /** Of what tells repetitions apart. */
  bytesUsed(): number;
}

export interface FileScorerOptions {
  /** Hits do not depend on it. */
  readonly partitions: number;
  readonly nowMs: number;
  /** Hits of the records read so far, in their order. The array is used again. */
  readonly onHits: (hits: readonly Hit[]) => void;
  readonly onRejected: (rejection: FileRejection) => void;
  /** Every transaction that is scored; the view is valid during the call only. */
  readonly onTransaction?: ((view: TransactionView) => void) | undefined;
}

export function createFileScorer(set: PatternSet, options: FileScorerOptions): FileScorer {
  const { partitions, nowMs, onHits, onRejected, onTransaction } = options;
  const engines = createFileEngines(set, partitions);
  const batch = createBatch();
  batch.roles.fill(role.debit | role.credit);
  const hits: Hit[] = [];
  const reader = createRecordReader({
    nowMs,
    onRejected,
    sink: {
      view: () => batch.views[batch.count]!,
      transaction(view, isLasting) {
        onTransaction?.(view);
        if (++batch.count === batchMost || !isLasting) scoreBatch();
      },
      reference(reference) {
        scoreBatch();
        engines.takeReference(reference, hits);
      },
    },
  });

  function scoreBatch(): void {
    if (batch.count === 0) return;
    engines.scoreBatch(batch, hits);
    batch.count = 0;
  }

  function flush(): Promise<void> {
    scoreBatch();
    if (hits.length > 0) onHits(hits);
    hits.length = 0;
    return Promise.resolve();
  }

  return {
    totals: reader.totals,
    begin: (file) => reader.begin(file),
    push(chunk) {
      reader.push(chunk);
      return flush();
    },
    finish() {
      reader.finish();
      return flush();
    },
    end: () => Promise.resolve(engines.stats()),
    close: () => Promise.resolve(),
    bytesUsed: () => reader.bytesUsed(),
  };
}
