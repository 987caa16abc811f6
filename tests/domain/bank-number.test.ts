import { describe, expect, it } from 'vitest';
import { bankNameOf, bankNumberCheckDigit, checkBankNumber } from '../../src/domain/bank-number.js';

const realNumbers = [
  '313491099996',
  '313491000232',
  '313492070005',
  '313493080539',
  '313504000010',
  '313506082510',
  '313513080408',
];

describe('a bank number', () => {
  it.each(realNumbers)('%s of a Henan bank is valid', (number) => {
    expect(checkBankNumber(number)).toEqual({ kind: 'valid' });
    expect(bankNumberCheckDigit(number.slice(0, 11))).toBe(number[11]);
  });

  it('with any single digit mistyped is recognised, and the check digit that would fit is named', () => {
    for (const number of realNumbers) {
      for (let place = 0; place < 12; place++) {
        const digit = (Number(number[place]) + 3) % 10;
        const mistyped = `${number.slice(0, place)}${digit}${number.slice(place + 1)}`;
        const check = checkBankNumber(mistyped);
        expect(check.kind).toBe('wrong-check-digit');
        if (check.kind === 'wrong-check-digit') {
          expect(checkBankNumber(`${mistyped.slice(0, 11)}${check.expected}`)).toEqual({ kind: 'valid' });
        }
      }
    }
  });

  it.each(['', '31349109999', '3134910999960', '31349109999X', 'ICBKCNBJ', ' 313491099996', '３１３４９１０９９９９６'])(
    'is not what %j is',
    (text) => {
      expect(checkBankNumber(text)).toEqual({ kind: 'not-cnaps' });
    },
  );

  it('gets no check digit from ten or twelve digits', () => {
    expect(() => bankNumberCheckDigit('3134910999')).toThrow(/first 11 digits/);
    expect(() => bankNumberCheckDigit('313491099996')).toThrow(/first 11 digits/);
  });

  it('begins with the bank', () => {
    expect(bankNameOf('102')?.zh).toBe('中国工商银行');
    expect(bankNameOf('402491000001')?.zh).toBe('农村信用社');
    expect(bankNameOf('999')).toBeUndefined();
  });
});
