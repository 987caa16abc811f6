import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packView, unpackView, viewDoubles, viewWords } from '../../src/pipeline/view-codec.js';
import { readTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { handwriting, knownFields, unknownFields, write } from '../scoring/arbitrary-transaction.js';

/** Every field of a view: spans as what stands there, numbers as they are. */
function allOf(view: TransactionView) {
  const of = (object: object): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(object).flatMap(([name, value]: [string, unknown]) => {
        if (name === 'bytes') return [];
        if (name.endsWith('End') || name === 'start' || name === 'end') return [];
        if (name.endsWith('Start')) {
          const start = value as number;
          const end = (object as Record<string, number>)[name.replace(/Start$/, 'End')]!;
          return [[name, start < 0 ? null : view.text(start, end)]];
        }
        return [[name, typeof value === 'object' && value !== null ? of(value) : value]];
      }),
    );
  return { ...of(view), record: Buffer.from(view.bytes.subarray(view.start, view.end)).toString('latin1') };
}

describe("a view's numbers in shared memory", () => {
  it('give the same view to whoever takes them out, wherever its bytes lie now', () => {
    let compared = 0;
    fc.assert(
      fc.property(
        knownFields,
        unknownFields,
        handwriting,
        fc.integer({ min: 0, max: 5_000 }),
        fc.integer({ min: 0, max: 40 }),
        (known, unknown, hand, movedTo, record) => {
          const bytes = new TextEncoder().encode(write({ ...known, ...unknown }, { ...hand }));
          const view = new TransactionView();
          if (readTransaction(bytes, 0, bytes.length, view)) return;
          compared++;
          const words = new Int32Array(new SharedArrayBuffer(4 * viewWords * (record + 1)));
          const doubles = new Float64Array(new SharedArrayBuffer(8 * viewDoubles * (record + 1)));
          packView(view, movedTo - view.start, words, record * viewWords, doubles, record * viewDoubles);
          const taken = new TransactionView();
          taken.bytes = new Uint8Array(new SharedArrayBuffer(movedTo + view.end - view.start));
          taken.bytes.set(view.bytes.subarray(view.start, view.end), movedTo);
          unpackView(taken, 0, words, record * viewWords, doubles, record * viewDoubles);
          expect(allOf(taken)).toEqual(allOf(view));
        },
      ),
      { numRuns: 500 },
    );
    expect(compared).toBeGreaterThan(200);
  });

  it('lose no bit of what has more than 32', () => {
    const view = new TransactionView();
    Object.assign(view, { timeMs: 253_402_300_799_999, amountFen: Number.MAX_SAFE_INTEGER, isCny: false });
    Object.assign(view.payer, { balanceFen: -Number.MAX_SAFE_INTEGER, accountHash: -(2 ** 31) });
    const words = new Int32Array(viewWords);
    const doubles = new Float64Array(viewDoubles);
    packView(view, 7, words, 0, doubles, 0);
    const taken = new TransactionView();
    taken.bytes = view.bytes;
    unpackView(taken, 0, words, 0, doubles, 0);
    expect({ ...taken, start: 0, end: 0, idStart: 0, idEnd: 0, payer: 0, payee: 0 }).toEqual({ ...view, payer: 0, payee: 0 });
    expect(taken.payer).toMatchObject({ balanceFen: -Number.MAX_SAFE_INTEGER, accountHash: -(2 ** 31), nameStart: -1 });
    expect(taken.payee.balanceFen).toBeNaN();
  });
});
