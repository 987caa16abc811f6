import { TransactionView } from './transaction-view.js';

/**
 * Some transactions that are scored one after the other. The engine first touches what all of them will need, so that the
 * waits for memory overlap; the hits are the same as without.
 */
export interface Batch {
  readonly views: readonly TransactionView[];
  /** Of each transaction: which legs (see `role`), flags of its frame entry, when intake took it. */
  readonly roles: Uint8Array;
  readonly flags: Uint8Array;
  readonly receivedAtMs: Float64Array;
  count: number;
}

export const batchMost = 32;

export function createBatch(): Batch {
  return {
    views: Array.from({ length: batchMost }, () => new TransactionView()),
    roles: new Uint8Array(batchMost),
    flags: new Uint8Array(batchMost),
    receivedAtMs: new Float64Array(batchMost),
    count: 0,
  };
}
