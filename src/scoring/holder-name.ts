import { jaroWinkler } from '@skyra/jaro-winkler';

/**
 * A holder's name made comparable: NFKC, lower case, without spaces, punctuation and brackets, and its legal form told from the
 * rest. Forms that the Company Law (2023) art. 7 lets a company use for one another are one: 有限责任公司 and 有限公司, 股份有限公司 and 股份公司.
 */
export interface HolderName {
  /** Equal for names that are the same. */
  readonly key: string;
  readonly stem: string;
  readonly form: string;
  /** Characters (code points) of the stem. */
  readonly length: number;
  /** 64 bits, one set for each of the stem's characters. */
  readonly low: number;
  readonly high: number;
}

/** Endings in the order in which they are looked for, the longer of two that end alike first. */
const forms: readonly (readonly [ending: string, form: string])[] = [
  ['股份有限公司', '股份'],
  ['有限责任公司', '有限'],
  ['股份公司', '股份'],
  ['有限公司', '有限'],
  ['分公司', '分公司'],
  ['公司', '公司'],
  ['合伙企业有限合伙', '有限合伙'],
  ['有限合伙企业', '有限合伙'],
  ['有限合伙', '有限合伙'],
  ['合伙企业普通合伙', '普通合伙'],
  ['普通合伙企业', '普通合伙'],
  ['普通合伙', '普通合伙'],
  ['特殊普通合伙', '普通合伙'],
  ['合伙企业', '合伙'],
  ['个人独资企业', '个人独资'],
  ['个体工商户', '个体'],
  ['农民专业合作社', '合作社'],
  ['专业合作社', '合作社'],
  ['合作社', '合作社'],
  ['companylimited', 'ltd'],
  ['colimited', 'ltd'],
  ['limited', 'ltd'],
  ['coltd', 'ltd'],
  ['ltd', 'ltd'],
];

const ignored = /[\p{P}\p{S}\p{Z}\p{Cc}\p{Cf}]/gu;

export function holderName(name: string): HolderName {
  const whole = name.normalize('NFKC').toLowerCase().replaceAll(ignored, '');
  const [ending, form] = forms.find(([ending]) => whole.length > ending.length && whole.endsWith(ending)) ?? ['', ''];
  const stem = whole.slice(0, whole.length - ending.length);
  let low = 0;
  let high = 0;
  let length = 0;
  for (const character of stem) {
    const bit = Math.imul(character.codePointAt(0)!, 0x9e3779b1 | 0) >>> 26;
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
    length++;
  }
  return { key: keyOf(stem, form), stem, form, length, low, high };
}

export const keyOf = (stem: string, form: string): string => `${stem}\n${form}`;

/** The same name, or one of the same legal form whose rest has a Jaro-Winkler similarity of at least `similarity`. */
export function resembles(a: HolderName, b: HolderName, similarity: number): boolean {
  if (a.form !== b.form || a.length === 0 || b.length === 0) return false;
  if (a.stem === b.stem) return true;
  if (similarityMost(a, b) < similarity) return false;
  // The measure is not quite symmetric: one order for both.
  return (a.stem < b.stem ? jaroWinkler(a.stem, b.stem) : jaroWinkler(b.stem, a.stem)) >= similarity;
}

/**
 * What the similarity cannot exceed, from the characters that one has and the other lacks: most names are told apart here. The
 * package weighs a common beginning of four characters by 0.5, where Winkler's paper has 0.4.
 */
function similarityMost(a: HolderName, b: HolderName): number {
  const common = Math.min(a.length - lacking(a, b), b.length - lacking(b, a));
  const jaro = (common / a.length + common / b.length + 1) / 3;
  return jaro + 0.5 * (1 - jaro) + 1e-9;
}

const lacking = (a: HolderName, b: HolderName): number => bits(a.low & ~b.low) + bits(a.high & ~b.high);

function bits(word: number): number {
  let rest = word - ((word >>> 1) & 0x55555555);
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333);
  return Math.imul((rest + (rest >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
