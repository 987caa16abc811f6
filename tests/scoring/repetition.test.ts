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
