import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparableText, isComparable } from '../../src/scoring/comparable-text.js';
import { createEngine } from '../../src/scoring/engine.js';
import { compilePatternSet } from '../../src/scoring/pattern-set.js';
import { compileOrThrow, workingDays } from '../support/patterns.js';
import { askingPattern } from '../support/pattern-text.js';
import { scoreOne } from '../support/score-one.js';

const encoder = new TextEncoder();
const isPlain = (text: string): boolean => {
  // Amid other bytes, as it lies in a record.
  const bytes = encoder.encode(`款A ${text}A 款`);
  return isComparable(bytes, 5, bytes.length - 5);
};

describe('a text made comparable', () => {
  it.each([
    ['USDT', 'usdt'],
    ['ＵＳＤＴ', 'usdt'],
    ['usdＴ', 'usdt'],
    ['U S D T', 'usdt'],
    ['U\u{3000}S\u{a0}D\tT', 'usdt'],
    ['Ⓤⓢⓓⓣ', 'usdt'],
    ['投標保證金', '投标保证金'],
    ['保证\u{200b}金', '保证金'],
    ['保\u{2060}证\u{feff}\u{ad}金', '保证金'],
    ['保\u{fe00}证\u{e0101}\u{34f}金', '保证金'],
    ['退 款', '退款'],
    ['退還款', '退还款'],
    ['貨款（７月）', '货款(7月)'],
    ['帳戶', '账户'],
    ['金', '金'],
    ['', ''],
  ])('%j is %j', (written, comparable) => {
    expect(comparableText(written)).toBe(comparable);
    expect(comparableText(comparable)).toBe(comparable);
  });

  it.each(['货款', 'usdt', '2026-07/no.15', '著名乾隆徵於', '', '一龥', '工资(7月)'])(
    '%j is known to be comparable as it lies',
    (text) => {
      expect(isPlain(text)).toBe(true);
      expect(comparableText(text)).toBe(text);
    },
  );

  it.each(['a b', 'A', '\t', '證', '，', '\u{3000}', '\u{200b}', 'é', '😀', '㎡', '\u{7f}'])('%j is looked at closer', (text) => {
    expect(isPlain(text)).toBe(false);
  });

  it('says of no text that it is comparable which would be changed', () => {
    const piece = fc.oneof(
      fc.constantFrom('货', '款', '證', '还', 'a', 'Z', '0', ' ', '，', '\u{200b}', '\u{3000}', 'ｕ'),
      fc.string({ unit: 'binary', maxLength: 2 }),
      fc.integer({ min: 0x3000, max: 0xa000 }).map((code) => String.fromCodePoint(code)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = Buffer.from(pieces.join('')).toString();
        if (isPlain(text)) expect(comparableText(text)).toBe(text);
      }),
      { numRuns: 5_000 },
    );
    for (let code = 0; code < 0x3_0000; code++) {
      if (code >= 0xd800 && code < 0xe000) continue;
      const text = String.fromCodePoint(code);
      if (isPlain(text) && comparableText(text) !== text) throw new Error(`U+${code.toString(16)}`);
    }
  });
});

describe('conditions about texts', () => {
  const set = compileOrThrow([
    { file: 'T01.yaml', text: askingPattern({ id: 'T01', when: 'mentions(tx.remark, ["USDT", "保证金", "退還"])' }) },
    {
      file: 'T02.yaml',
      text: askingPattern({ id: 'T02', when: 'tx.remark in ["Tether Limited", "保证金"]', said: ['tx.remark'] }),
    },
    { file: 'T03.yaml', text: askingPattern({ id: 'T03', when: 'tx.remark == "usdt"' }) },
    { file: 'T04.yaml', text: askingPattern({ id: 'T04', when: 'mentions(other.name, ["有限公司"])' }) },
    { file: 'T05.yaml', text: askingPattern({ id: 'T05', when: 'tx.remark == ""' }) },
  ]);

  function foundFor(remark: string | undefined, name = '某'): string[] {
    const hits = scoreOne(createEngine(set), {
      id: 'p-1',
      time: '2026-07-01T10:00:00+08:00',
      amountFen: 100,
      payer: { account: '41001' },
      payee: { account: '41002', name },
      ...(remark === undefined ? {} : { remark }),
    });
    return hits.map(({ pattern }) => pattern);
  }

  it.each([
    ['usdt', ['T01', 'T03']],
    ['ＵＳＤＴ', ['T01', 'T03']],
    ['uSDT', ['T01', 'T03']],
    ['U S D T', ['T01', 'T03']],
    ['购uSdT一批', ['T01']],
    ['保证金', ['T01', 'T02']],
    ['保證金', ['T01', 'T02']],
    ['保证\u{200b}金', ['T01', 'T02']],
    ['投标保 證 金"\\', ['T01']],
    ['tether limited', ['T02']],
    ['TETHER\u{a0}LIMITED', ['T02']],
    ['退 还款', ['T01']],
    ['货款', []],
    ['us-dt', []],
    ['保正金', []],
    [undefined, ['T05']],
    [' ', ['T05']],
  ] as const)('of the remark %j hold %j', (remark, patterns) => {
    expect(foundFor(remark)).toEqual(patterns);
  });

  it('hold of names alike', () => {
    expect(foundFor('货款', '某某貿易 有限公司')).toEqual(['T04']);
    expect(foundFor('货款', '某某合作社')).toEqual([]);
  });

  it('leave what a hit shows as it was written', () => {
    const payee = { account: '41002' };
    const hits = scoreOne(createEngine(set), {
      id: 'p-1',
      time: '2026-07-01T10:00:00+08:00',
      amountFen: 100,
      payer: { account: '41001' },
      payee,
      remark: '保 證金',
    });
    expect(hits.find(({ pattern }) => pattern === 'T02')?.explanation.en).toBe('保 證金');
  });

  it('refuse a word of nothing but spaces', () => {
    const text = askingPattern({ when: 'mentions(tx.remark, ["退款", "\u{3000}"])' });
    expect(compilePatternSet([{ file: 'T01.yaml', text }], workingDays)).toMatchObject({
      kind: 'broken',
      problems: [{ message: expect.stringContaining('holds nothing that can be looked for') as unknown }],
    });
  });
});
