import * as fc from 'fast-check';
import { amountFenMax } from '../../src/domain/money.js';
import { accountKinds, transactionStatuses } from '../../src/domain/transaction.js';

/** Random records: valid values of every field, and ways of writing them down that mean the same. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

const characters = (alphabet: string, minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...Array.from(alphabet)), minLength, maxLength });
const digits = '0123456789';
const capitals = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const letters = `${digits}${capitals}${capitals.toLowerCase()}`;
const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i))
  .join('')
  .replaceAll(/["\\]/g, '');

const text = (charactersMax: number) =>
  fc
    .oneof(
      fc.string({
        unit: fc.constantFrom(...Array.from('郑州华信商贸有限公司货款ab 1"\\/\n\u007f\u0080é😀𠮷')),
        maxLength: charactersMax,
      }),
      fc.string({ unit: 'binary', maxLength: charactersMax }),
      fc.string({ unit: 'grapheme-ascii', minLength: Math.max(charactersMax - 1, 0), maxLength: charactersMax }),
    )
    .filter((value) => Array.from(value).length <= charactersMax);

const dateIn = (...years: readonly fc.Arbitrary<number>[]) =>
  fc.record({ year: fc.oneof(...years), day: fc.integer({ min: 0, max: 365 }) }).map(({ year, day }) => {
    const instant = new Date(0);
    instant.setUTCFullYear(year, 0, 1);
    const moved = new Date(instant.getTime() + day * 86_400_000);
    // Day 365 of a common year is the next year's first; year 9999 must not run over.
    const at = moved.getUTCFullYear() > 9999 ? instant : moved;
    return at.toISOString().length === 24 ? at.toISOString().slice(0, 10) : '2024-02-29';
  });
const date = dateIn(fc.integer({ min: 1900, max: 2100 }), fc.integer({ min: 0, max: 9999 }));
/** Payments are of 1992 to 2199, in Shanghai. */
const paymentDate = dateIn(fc.integer({ min: 2000, max: 2100 }), fc.integer({ min: 1993, max: 2198 }));
const two = (max: number) => fc.integer({ min: 0, max }).map((value) => String(value).padStart(2, '0'));
const time = fc
  .tuple(
    paymentDate,
    two(23),
    two(59),
    two(59),
    fc.option(characters(digits, 1, 12), { nil: undefined }),
    fc.oneof(
      fc.constantFrom('Z', '+08:00'),
      fc.tuple(fc.constantFrom('+', '-'), two(23), two(59)).map(([s, h, m]) => `${s}${h}:${m}`),
    ),
  )
  .map(([day, h, m, s, fraction, zone]) => `${day}T${h}:${m}:${s}${fraction === undefined ? '' : `.${fraction}`}${zone}`);

const optional = { requiredKeys: [] as never[] };
const bankCode = characters(letters, 3, 14);
const account = characters(`${letters}-`, 4, 34);

const party = fc
  .tuple(
    account,
    fc.record(
      {
        name: text(120),
        kind: fc.constantFrom(...accountKinds),
        bank: bankCode,
        creditCode: characters(`${digits}${capitals}`, 18, 18),
        region: characters(digits, 6, 6),
        openedOn: date,
        balanceFen: fc.oneof(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: -amountFenMax, max: amountFenMax })),
      },
      optional,
    ),
  )
  .map(([number, rest]): JsonObject => ({ account: number, ...rest }));

/** Every field of the schema, each optional one there or not. */
export const knownFields: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.record({
      id: characters(printable, 1, 64),
      time,
      amountFen: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: amountFenMax })),
      payer: party,
      payee: party,
    }),
    fc.record(
      {
        currency: fc.oneof(fc.constant('CNY'), characters(capitals, 3, 3)),
        status: fc.constantFrom(...transactionStatuses),
        bank: bankCode,
        channel: text(32),
        remark: text(200),
        device: fc.record({ id: text(64), ip: text(45), mac: text(32) }, optional) as fc.Arbitrary<JsonObject>,
        operator: text(64),
      },
      optional,
    ),
  )
  .map(([required, rest]): JsonObject => ({ ...required, ...rest }));

const fieldName = fc.oneof(
  fc.constantFrom('note', 'tellerNo', '备注', 'ID', 'pay', 'payers', 'amount', 'banks', 'ext', 'times', 'i', 'payer.note', ''),
  text(20).map((name) => Array.from(name, (c) => (c < ' ' || c === '"' || c === '\\' ? '_' : c)).join('')),
);
const number = fc.oneof(
  fc.integer({ min: -9_007_199_254_740_991, max: 9_007_199_254_740_991 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }).map((value) => value + 0),
);
const { value: unknownValue } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.oneof(fc.constantFrom<Json[]>(null, true, false), number as fc.Arbitrary<Json>, text(20) as fc.Arbitrary<Json>),
    fc.array(tie('value'), { maxLength: 3 }) as fc.Arbitrary<Json>,
    fc.dictionary(fieldName, tie('value'), { maxKeys: 3 }) as fc.Arbitrary<Json>,
  ),
}));
export const unknownFields: fc.Arbitrary<JsonObject> = fc.dictionary(fieldName, unknownValue, {
  maxKeys: 3,
}) as fc.Arbitrary<JsonObject>;

/** How a record is written: everything drawn from `seed`. */
export interface Handwriting {
  readonly seed: number;
  /** Share of whitespace and of needless escapes, 0 to 1. */
  readonly space: number;
  readonly escapes: number;
}
export const handwriting: fc.Arbitrary<Handwriting> = fc.record({
  seed: fc.integer(),
  space: fc.constantFrom(0, 0, 0.2),
  escapes: fc.constantFrom(0, 0, 0, 0.01, 0.3),
});

/** JSON text of a value with its keys in random order. */
export function write(value: Json, hand: Handwriting): string {
  const random = randomFrom(hand.seed);
  const space = () => (random() < hand.space ? [' ', '\n', '\t ', '\r\n'][Math.floor(random() * 4)]! : '');
  const quote = (plain: string) =>
    JSON.stringify(plain).replaceAll(/[^"\\]|\\u....|\\./g, (unit) => {
      if (random() >= hand.escapes) return unit;
      if (unit === '/') return '\\/';
      return unit.length === 1 ? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}` : unit;
    });
  const render = (inner: Json): string => {
    if (Array.isArray(inner)) return `[${space()}${inner.map(render).join(`${space()},${space()}`)}${space()}]`;
    if (typeof inner === 'string') return quote(inner);
    if (typeof inner !== 'object' || inner === null) return JSON.stringify(inner);
    const members = Object.entries(inner)
      .map(([key, member]) => ({ at: random(), text: `${space()}${quote(key)}${space()}:${space()}${render(member)}${space()}` }))
      .sort((a, b) => a.at - b.at);
    return `{${members.map((member) => member.text).join(',')}${members.length === 0 ? space() : ''}}`;
  };
  return render(value);
}

export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
