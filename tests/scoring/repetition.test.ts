import { describe, expect, test } from 'vitest';
import { frameFlag, role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { createEngine } from '../../src/scoring/engine.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';
import { makeStream } from '../support/stream.js';

const set = compileOrThrow(shippedPatterns().filter(({ file }) => /^(M01|M03|M05|V01)-/.test(file)));
const lines = makeStream({ transactions: 120, seed: 3 });
const seenAgain = [0, 17, 18, 60, 118];

/** Hits by what they say, each time they are found. */
function hitsOf(order: readonly { readonly line: string; readonly flags: number }[]): string[] {
  const engine = createEngine(set);
  const hits: Hit[] = [];
  const view = new TransactionView();
  for (const { line, flags } of order) {
    const bytes = Buffer.from(line);
    expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
    engine.score(view, role.debit | role.credit, flags, 0, hits);
  }
  return hits.map((hit) => JSON.stringify(hit));
}

describe('a payment that is on the log twice', () => {
  const once = hitsOf(lines.map((line) => ({ line, flags: 0 })));

  test('the day has hits', () => expect(once.length).toBeGreaterThan(20));

  test.each([
    ['flagged', frameFlag.maybeResent],
    ['not flagged: what was sent first came last', 0],
  ])('counts once, %s', (_, flags) => {
    const order = lines.flatMap((line, n) => [
      { line, flags: 0 },
      ...(seenAgain.includes(n) ? [{ line, flags }] : []),
      // Much later, behind payments that came after it.
      ...(n === 100 ? seenAgain.slice(0, 3).map((earlier) => ({ line: lines[earlier]!, flags })) : []),
    ]);
    expect(hitsOf(order)).toEqual(once);
  });
});

describe('two payments of one id at the same instant', () => {
  const [known] = lines.map(
    (line) => JSON.parse(line) as { payer: { account: string; bank?: string }; payee: { account: string } },
  );
  const from = (n: number, about: { bank?: string; payerBank?: string }) => {
    const payer = { account: `6222000000000${n}`, ...(about.payerBank ? { bank: about.payerBank } : {}) };
    return JSON.stringify({ ...known, bank: about.bank, id: 'TX-1', payer, payee: { account: '41001000000001' } });
  };
  const legsOf = (...records: string[]): number => {
    const engine = createEngine(set);
    const view = new TransactionView();
    for (const record of records) {
      const bytes = Buffer.from(record);
      expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
      engine.score(view, role.credit, 0, 0, null);
    }
    return engine.stats().legs;
  };

  test.each([
    ['named by the record', from(1, { bank: '102491000012' }), from(2, { bank: '103491000020' })],
    ['the payer’s where it names none', from(1, { payerBank: '102491000012' }), from(2, { payerBank: '103491000020' })],
    ['one of them unknown', from(1, {}), from(2, { bank: '103491000020' })],
  ])('are two where two banks report them: %s', (_, one, other) => {
    expect(legsOf(one, other)).toBe(2);
    expect(legsOf(one, other, one, other)).toBe(2);
  });

  test('are one where the bank is the same', () => {
    expect(legsOf(from(1, { bank: '102491000012' }), from(1, { bank: '102491000012' }))).toBe(1);
    expect(legsOf(from(1, {}), from(1, {}))).toBe(1);
  });
});
