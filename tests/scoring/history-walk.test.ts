import { expect, test } from 'vitest';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import { createEngine } from '../../src/scoring/engine.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { compileOrThrow } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';

/** What the expressions come to after the last of these payments between two accounts. */
function saidAfter(payments: readonly { readonly time: string; readonly amountFen: number }[], ...said: string[]): string {
  const extra = "streams: { large: { of: debit, when: 'tx.amountFen >= 100' } }";
  const engine = createEngine(compileOrThrow([{ file: 'T01.yaml', text: askingPattern({ said, extra }) }]));
  const view = new TransactionView();
  let hits: Hit[] = [];
  for (const [i, { time, amountFen }] of payments.entries()) {
    const bytes = encodeTransaction({
      id: `t-${i}`,
      time: `2026-${time}+08:00`,
      amountFen,
      currency: 'CNY',
      status: 'settled',
      payer: { account: '1000', kind: 'corporate' },
      payee: { account: '2000', kind: 'corporate' },
    });
    expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
    hits = [];
    engine.score(view, role.debit, 0, 0, hits);
  }
  return hits[0]!.explanation.en;
}

test('legs of one instant rise in the order in which they came', () => {
  const at = (amountFen: number) => ({ time: '07-01T09:00:00', amountFen });
  const asked = ['rising(debit, "14d", 1.5)', 'rising(large, "14d", 1.5)', 'rising(large, "40d", 1.5)'];
  expect(saidAfter([at(100), at(200), at(400)], ...asked)).toBe('3 3 3');
  expect(saidAfter([at(400), at(200), at(100)], ...asked)).toBe('1 1 1');
});

test('hours are those of the calendar', () => {
  const nine = ['01', '02', '03', '03'].map((day, i) => ({ time: `07-${day}T09:0${i}:00`, amountFen: 100 }));
  expect(saidAfter(nine, 'distinctOf(debit, "hour", "7d")', 'distinctOf(large, "hour", "60d")')).toBe('3 3');
});

test('beyond 31 days, base streams are counted by whole days and named ones to the leg', () => {
  const payments = ['07-01T09:00:00', '07-01T18:00:00', '08-10T12:00:00'].map((time) => ({ time, amountFen: 100 }));
  expect(saidAfter(payments, 'count(debit, "40d")', 'count(large, "40d")', 'sum(debit, "41d")')).toBe('1 2 300');
});
