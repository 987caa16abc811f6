import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeTransaction, parseTransaction } from '../../src/domain/transaction-record.js';
import { contentHash, hashContent } from '../../src/pipeline/content-hash.js';

const unknownKey = fc.stringMatching(/^[a-z]{1,8}$/).filter((key) => !known.has(key));
const known = new Set([
  'id',
  'time',
  'amountFen',
  'currency',
  'status',
  'payer',
  'payee',
  'bank',
  'channel',
  'remark',
  'device',
  'operator',
  'extra',
]);
const plain = fc.oneof(fc.string({ maxLength: 12 }), fc.integer(), fc.boolean(), fc.constant(null));
const unknownValue = fc.oneof(plain, fc.array(plain, { maxLength: 3 }), fc.dictionary(unknownKey, plain, { maxKeys: 3 }));

const record = fc.record(
  {
    id: fc.stringMatching(/^[A-Z0-9]{1,12}$/),
    time: fc.constantFrom('2026-07-01T09:30:00+08:00', '2026-07-01T09:30:00.5Z'),
    amountFen: fc.integer({ min: 1, max: 1_000_000 }),
    payer: fc.constantFrom<Record<string, unknown>>(
      { account: '410010001', name: '河南样例"一"公司' },
      { account: '410010001', phone: '—' },
    ),
    payee: fc.constantFrom<Record<string, unknown>>({ account: '622200002' }, { account: '622200003', balanceFen: -4 }),
    remark: fc.string({ maxLength: 20 }),
    device: fc.constantFrom({ ip: '203.0.113.7' }, {}),
    extra: fc.dictionary(unknownKey, unknownValue, { maxKeys: 3 }),
  },
  { requiredKeys: ['id', 'time', 'amountFen', 'payer', 'payee'] },
);

/** The hash that intake would take: of the text itself, or of its canonical form where that is needed. */
function hashOf(text: string): string | null {
  const bytes = new TextEncoder().encode(text);
  const reading = parseTransaction(bytes, 0, bytes.length);
  if (!reading.ok) return null;
  if (!hashContent(bytes, 0, bytes.length)) {
    const canonical = encodeTransaction(reading.transaction);
    expect(hashContent(canonical, 0, canonical.length, true)).toBe(true);
  }
  return `${contentHash[0]}/${contentHash[1]}`;
}

test('the same record in another order, spacing, with escapes or in canonical form has the same hash', () => {
  fc.assert(
    fc.property(record, fc.infiniteStream(fc.nat(1_000)), (value, choices) => {
      const text = JSON.stringify(value);
      const hash = hashOf(text);
      fc.pre(hash !== null);
      expect(hashOf(render(value, () => choices.next().value ?? 0))).toBe(hash);
      const reading = parseTransaction(new TextEncoder().encode(text), 0, Buffer.byteLength(text));
      if (reading.ok) expect(hashOf(new TextDecoder().decode(encodeTransaction(reading.transaction)))).toBe(hash);
    }),
    { numRuns: 2_000 },
  );
});

test('a record that says something else has another hash', () => {
  const canonicalOf = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    const reading = parseTransaction(bytes, 0, bytes.length);
    return reading.ok ? sorted(JSON.parse(new TextDecoder().decode(encodeTransaction(reading.transaction)))) : null;
  };
  fc.assert(
    fc.property(record, record, (one, other) => {
      const [text, otherText] = [JSON.stringify(one), JSON.stringify({ ...other, id: one.id })];
      fc.pre(canonicalOf(text) !== canonicalOf(otherText));
      const [hash, otherHash] = [hashOf(text), hashOf(otherText)];
      fc.pre(hash !== null && otherHash !== null);
      expect(hash).not.toBe(otherHash);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ['two values exchanged', '"channel":"a","remark":"b"', '"channel":"b","remark":"a"'],
  ['a number and its text', '"x":1', '"x":"1"'],
  ['an empty list and an empty object', '"x":[]', '"x":{}'],
  ['the order of a list', '"x":[1,2]', '"x":[2,1]'],
  ['a field of ours and one of the bank’s with its name', '"remark":"a"', '"extra":{"remark":"a"}'],
  ['null and absence', '"x":null', '"y":1'],
])('%s are told apart', (_, one, other) => {
  const whole = (member: string) =>
    `{"id":"A1","time":"2026-07-01T09:30:00+08:00","amountFen":5,"payer":{"account":"410010001"},"payee":{"account":"622200002"},${member}}`;
  const hash = hashOf(whole(one));
  expect(hash).not.toBeNull();
  expect(hashOf(whole(other))).not.toBe(hash);
});

/** JSON with its keys dealt out anew, spaces thrown in, and some characters escaped. */
function render(value: unknown, choose: () => number): string {
  const space = () => ' \t'.slice(0, choose() % 3);
  if (Array.isArray(value)) return `[${space()}${value.map((one) => render(one, choose)).join(`${space()},${space()}`)}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).toSorted(() => (choose() % 3) - 1);
    return `{${space()}${members.map(([key, one]) => `${JSON.stringify(key)}${space()}:${space()}${render(one, choose)}`).join(`,${space()}`)}${space()}}`;
  }
  const text = JSON.stringify(value);
  if (typeof value !== 'string' || choose() % 4 > 0) return text;
  return text.replaceAll(/[a-z一-龥]/g, (letter) =>
    text.includes('\\') ? letter : `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}
