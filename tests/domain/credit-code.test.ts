import { describe, expect, it } from 'vitest';
import { checkCreditCode, creditCodeCheckCharacter, organisationCheckCharacter } from '../../src/domain/credit-code.js';

const realCodes = ['91350100M000100Y43', '9144030071526726XG', '9141000031741675X6', '91410100MA3X6AA49P'];

describe('a unified social credit code', () => {
  it.each(realCodes)('%s passes both checks', (code) => {
    expect(checkCreditCode(code)).toEqual({ kind: 'valid' });
    expect(creditCodeCheckCharacter(code.slice(0, 17))).toBe(code[17]);
    expect(organisationCheckCharacter(code.slice(8, 16))).toBe(code[16]);
  });

  it('of an early issue that is legal but fails is a doubt, not an error', () => {
    expect(checkCreditCode('91350100M0001TGQXM').kind).toBe('doubtful');
  });

  it('names the check that failed', () => {
    expect(checkCreditCode('91410100MA3X6AA49Q')).toEqual({ kind: 'doubtful', doubts: ['wrong-check-character'] });
    const otherOrganisation = '91410100MA3X6AA48';
    const code = `${otherOrganisation}${creditCodeCheckCharacter(otherOrganisation)}`;
    expect(checkCreditCode(code)).toEqual({ kind: 'doubtful', doubts: ['wrong-organisation-check'] });
  });

  it.each([
    ['91410100MA3X6AA49', 'wrong-length'],
    ['91410100MA3X6AA49PP', 'wrong-length'],
    ['', 'wrong-length'],
    ['91410100MA3X6AA4OP', 'wrong-alphabet'],
    ['91410100ma3x6aa49p', 'wrong-alphabet'],
    ['91410100MA3X6AAI9P', 'wrong-alphabet'],
  ])('%j is doubtful: %s', (code, doubt) => {
    expect(checkCreditCode(code)).toEqual({ kind: 'doubtful', doubts: [doubt] });
  });

  it('gets no check character from a part of the wrong length or alphabet', () => {
    expect(() => creditCodeCheckCharacter('91410100MA3X6AA4')).toThrow(/first 17/);
    expect(() => creditCodeCheckCharacter('91410100MA3X6AA4O')).toThrow(/without I O S V Z/);
    expect(() => organisationCheckCharacter('MA3X6AA')).toThrow(/first 8/);
  });
});
