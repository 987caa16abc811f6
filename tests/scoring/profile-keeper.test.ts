import { describe, expect, it } from 'vitest';
import { role } from '../../src/domain/frame.js';
import type { Hit } from '../../src/domain/hit.js';
import { encodeTransaction } from '../../src/domain/transaction-record.js';
import { createEngine } from '../../src/scoring/engine.js';
import { storedProfile } from '../../src/scoring/known-profile.js';
import { scanTransaction } from '../../src/scoring/reader.js';
import { TransactionView } from '../../src/scoring/transaction-view.js';
import { askingPattern } from '../support/pattern-text.js';
import { compileOrThrow } from '../support/patterns.js';

const icbc = '102491002011';

/** Whether a payment to 张三 is found strange after `reporter` said that he belongs to the firm's circle. */
function isFound({ reporter, keeper }: { reporter?: string; keeper?: string }, asked = '!related(other)'): boolean {
  const engine = createEngine(compileOrThrow([{ file: 'T01.yaml', text: askingPattern({ when: asked }) }]));
  engine.takeReference(
    {
      type: 'profile',
      id: 'p-1',
      time: '2026-07-01T08:00:00+08:00',
      account: '4100001',
      related: ['张三'],
      employees: ['张三'],
      capitalFen: 100,
      ...(reporter === undefined ? {} : { bank: reporter }),
    },
    () => true,
    0,
    null,
  );
  const bytes = encodeTransaction({
    id: 't-1',
    time: '2026-07-01T10:00:00+08:00',
    amountFen: 100,
    currency: 'CNY',
    status: 'settled',
    payer: { account: '4100001', kind: 'corporate', ...(keeper === undefined ? {} : { bank: keeper }) },
    payee: { account: '6222001', kind: 'personal', name: '张三' },
  });
  const view = new TransactionView();
  expect(scanTransaction(bytes, 0, bytes.length, view)).toBe(true);
  const hits: Hit[] = [];
  engine.score(view, role.debit, 0, 0, hits);
  return hits.length > 0;
}

describe('a profile', () => {
  it('of the bank that keeps the account silences, one that another bank has sent does not', () => {
    expect(isFound({ reporter: icbc, keeper: icbc })).toBe(false);
    expect(isFound({ reporter: '103491002011', keeper: icbc })).toBe(true);
  });

  it.each(['!related(other)', '!employee(other)', '!(profile(self).capitalFen > 0)'])(
    'of another bank answers nothing to %s',
    (asked) => {
      expect(isFound({ reporter: icbc, keeper: icbc }, asked)).toBe(false);
      expect(isFound({ reporter: '103491002011', keeper: icbc }, asked)).toBe(true);
    },
  );

  it('counts where the number of the bank is written shorter, or where one of the two does not say it', () => {
    expect(isFound({ reporter: '102', keeper: icbc })).toBe(false);
    expect(isFound({ reporter: icbc, keeper: '102' })).toBe(false);
    expect(isFound({ reporter: icbc })).toBe(false);
    expect(isFound({ keeper: icbc })).toBe(false);
  });

  it('that an earlier release stored without its bank counts', () => {
    const { bank: _, ...stored } = { bank: icbc, related: new Set(['张三']), employees: new Set<string>() };
    expect(storedProfile(stored as unknown as Parameters<typeof storedProfile>[0])).toMatchObject({ bank: '' });
  });
});
