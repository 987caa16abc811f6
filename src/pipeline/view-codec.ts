import { generate } from '../scoring/generated.js';
import { TransactionView } from '../scoring/transaction-view.js';

/**
 * A view's numbers laid into typed arrays and taken out again, so that another thread sees the transaction without reading it.
 * The layout follows from the view's own fields: what the reader learns to read is carried without a word here.
 */

const party = ['payer', 'payee'] as const;

interface Field {
  readonly path: string;
  readonly kind: 'span' | 'whole' | 'flag' | 'double';
}

/** Money and times need 53 bits; hashes, days, kinds and places in the bytes have 32. */
function kindOf(name: string, value: unknown, path: string): Field['kind'] {
  if (typeof value === 'boolean') return 'flag';
  if (typeof value !== 'number') throw new TypeError(`${path} of a transaction's view is no number and cannot be laid out`);
  if (name === 'start' || name === 'end' || /(?:Start|End)$/.test(name)) return 'span';
  return /(?:Ms|Fen)$/.test(name) || !Number.isInteger(value) ? 'double' : 'whole';
}

function fieldsOf(object: object, prefix: string): Field[] {
  return Object.entries(object)
    .filter(([name]) => name !== 'bytes' && !(party as readonly string[]).includes(name))
    .map(([name, value]) => ({ path: `${prefix}${name}`, kind: kindOf(name, value, `${prefix}${name}`) }));
}

const sample = new TransactionView();
const fields: readonly Field[] = [...fieldsOf(sample, ''), ...party.flatMap((name) => fieldsOf(sample[name], `${name}.`))];
const words = fields.filter(({ kind }) => kind !== 'double');
const doubles = fields.filter(({ kind }) => kind === 'double');

/** 32-bit words and doubles that one view takes. */
export const viewWords = words.length;
export const viewDoubles = doubles.length;

type Pack = (view: TransactionView, shift: number, ints: Int32Array, at: number, floats: Float64Array, atDouble: number) => void;
type Unpack = (
  view: TransactionView,
  shift: number,
  ints: Int32Array,
  at: number,
  floats: Float64Array,
  atDouble: number,
) => void;

/** Lays the view down at `at` and `atDouble`. Spans move by `shift`: where the bytes lie now, less where they lay. */
export const packView: Pack = generate<() => Pack>(
  [],
  `return (view, shift, ints, at, floats, atDouble) => {
${words.map(({ path, kind }, i) => `ints[at + ${i}] = ${packed(path, kind)};`).join('\n')}
${doubles.map(({ path }, i) => `floats[atDouble + ${i}] = view.${path};`).join('\n')}
};`,
)();

/** The reverse; `view.bytes` is the caller's to set, and spans move by `shift` again. */
export const unpackView: Unpack = generate<() => Unpack>(
  [],
  `return (view, shift, ints, at, floats, atDouble) => {
let word = 0;
${words.map(({ path, kind }, i) => `view.${path} = ${unpacked(kind, `ints[at + ${i}]`)};`).join('\n')}
${doubles.map(({ path }, i) => `view.${path} = floats[atDouble + ${i}];`).join('\n')}
};`,
)();

function unpacked(kind: Field['kind'], word: string): string {
  if (kind === 'flag') return `${word} !== 0`;
  return kind === 'span' ? `(word = ${word}) < 0 ? -1 : word + shift` : word;
}

function packed(path: string, kind: Field['kind']): string {
  if (kind === 'flag') return `view.${path} ? 1 : 0`;
  return kind === 'span' ? `view.${path} < 0 ? -1 : view.${path} + shift` : `view.${path}`;
}
