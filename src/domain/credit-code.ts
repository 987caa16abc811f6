/**
 * Unified social credit code (统一社会信用代码, GB 32100-2015), 18 characters: registering department 1 + kind 1 +
 * division 6 (GB/T 2260) + organisation code 9 (GB 11714-1997, with a check character of its own) + check character 1.
 * Some codes handed out early fail the checks and are legal all the same: a doubt is shown, a record is never refused for it.
 */

export type CreditCodeDoubt = 'wrong-length' | 'wrong-alphabet' | 'wrong-check-character' | 'wrong-organisation-check';

export type CreditCodeCheck =
  | { readonly kind: 'valid' }
  | { readonly kind: 'doubtful'; readonly doubts: readonly CreditCodeDoubt[] };

export function checkCreditCode(code: string): CreditCodeCheck {
  if (code.length !== 18) return { kind: 'doubtful', doubts: ['wrong-length'] };
  if (!isCreditCodeText(code)) return { kind: 'doubtful', doubts: ['wrong-alphabet'] };
  const doubts: CreditCodeDoubt[] = [];
  if (creditCodeCheckCharacter(code.slice(0, 17)) !== code[17]) doubts.push('wrong-check-character');
  if (organisationCheckCharacter(code.slice(8, 16)) !== code[16]) doubts.push('wrong-organisation-check');
  return doubts.length === 0 ? { kind: 'valid' } : { kind: 'doubtful', doubts };
}

/** The eighteenth character for the first seventeen. Throws `RangeError` for a wrong length or a letter outside the alphabet. */
export function creditCodeCheckCharacter(first17: string): string {
  if (first17.length !== 17 || !isCreditCodeText(first17)) {
    throw new RangeError(`credit code: expected the first 17 characters of 0-9 A-Z without I O S V Z, found ${first17.length}`);
  }
  let sum = 0;
  let weight = 1;
  for (const character of first17) {
    sum += alphabet.indexOf(character) * weight;
    weight = (weight * 3) % 31;
  }
  return alphabet.charAt((31 - (sum % 31)) % 31);
}

/** The ninth character of an organisation code for its first eight. Throws `RangeError` for anything but eight of 0-9 A-Z. */
export function organisationCheckCharacter(first8: string): string {
  if (!/^[0-9A-Z]{8}$/.test(first8)) {
    throw new RangeError(`organisation code: expected the first 8 characters of 0-9 A-Z, found ${first8.length}`);
  }
  let sum = 0;
  organisationWeights.forEach((weight, i) => (sum += Number.parseInt(first8.charAt(i), 36) * weight));
  const check = 11 - (sum % 11);
  return check === 10 ? 'X' : check === 11 ? '0' : String(check);
}

const alphabet = '0123456789ABCDEFGHJKLMNPQRTUWXY';
const organisationWeights = [3, 7, 9, 10, 5, 8, 4, 2];

function isCreditCodeText(text: string): boolean {
  return /^[0-9A-HJ-NPQRTUWXY]+$/.test(text);
}
