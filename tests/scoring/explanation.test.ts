import { describe, expect, it } from 'vitest';
import { createEngine } from '../../src/scoring/engine.js';
import { compileOrThrow } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';
import { scoreOne } from '../support/score-one.js';

/** The reason of a payment that says one text in both languages. */
function saidOf(
  text: string,
  payment: { currency?: string; amountFen?: number } = {},
): { zh: string; en: string; condition: string } {
  const pattern = askingPattern({ when: 'tx.amountFen > 0 && !(gap() > 5)' })
    .replace("zh: '-'", `zh: '${text}'`)
    .replace("en: '-'", `en: '${text}'`);
  const [hit] = scoreOne(createEngine(compileOrThrow([{ file: 'T01.yaml', text: pattern }])), {
    id: 'p-1',
    time: '2026-07-01T10:00:00+08:00',
    amountFen: 20_000_000,
    payer: { account: '41001' },
    payee: { account: '41002' },
    ...payment,
  });
  return hit!.explanation;
}

describe('a reason', () => {
  it('says in its own language what is not known', () => {
    expect(saidOf('${gap()}')).toMatchObject({ zh: '未知', en: 'unknown' });
    expect(saidOf('${wan(other.balanceFen)} ${yuan(other.balanceFen)}')).toMatchObject({
      zh: '未知 未知',
      en: 'unknown unknown',
    });
    expect(saidOf('${percent(gap())}')).toMatchObject({ zh: '–', en: '–' });
    expect(saidOf('-').condition).toContain('gap()=unknown');
  });

  it.each([
    [{}, '20万元', 'CNY 200,000.00'],
    [{ currency: 'CNY' }, '20万元', 'CNY 200,000.00'],
    [{ currency: 'JPY' }, 'JPY 20万', 'JPY 200,000.00'],
    [{ currency: 'USD', amountFen: 12_345 }, 'USD 123.45', 'USD 123.45'],
    [{ currency: 'USD', amountFen: 12_345_000_000 }, 'USD 1.23亿', 'USD 123,450,000.00'],
  ] as const)('writes the amount of a payment of %j as %s and as %s', (payment, wan, yuan) => {
    expect(saidOf('${wan(tx.amountFen)}, ${yuan( tx.amountFen )}', payment).zh).toBe(`${wan}, ${yuan}`);
  });

  it('writes what an account has turned over as yuan', () => {
    expect(saidOf('${wan(sum(debit, "24h"))}', { currency: 'JPY' }).zh).toBe('20万元');
  });
});
