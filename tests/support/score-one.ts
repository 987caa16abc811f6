import { expect } from 'vitest';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import type { ScoringEngine } from '../../src/scoring/engine.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';

type Payment = Parameters<typeof encodeTransaction>[0];
/** A settled payment in yuan unless something else is said. */
export type GivenPayment = Omit<Payment, 'currency' | 'status'> & Partial<Pick<Payment, 'currency' | 'status'>>;

/** What one payment hits, both of its legs in this engine. */
export function scoreOne(engine: Pick<ScoringEngine, 'score'>, payment: GivenPayment): Hit[] {
  const bytes = encodeTransaction({ currency: 'CNY', status: 'settled', ...payment });
  const view = new TransactionView();
  expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
  const hits: Hit[] = [];
  engine.score(view, role.debit | role.credit, 0, 0, hits);
  return hits;
}
