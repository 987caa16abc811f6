import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dayNumber } from '../../src/domain/bank-day.js';
import { transactionTimeMs } from '../../src/domain/event-time.js';
import { encodeTransaction, parseTransaction } from '../../src/domain/transaction-record.js';
import { transactionSchema, transactionStatuses, type Party, type Transaction } from '../../src/domain/transaction.js';
import { readTransaction, scanTransaction } from '../../src/scoring/reader.js';
import { hashBytes, TransactionView, type PartyView } from '../../src/scoring/transaction-view.js';
import { handwriting, knownFields, randomFrom, unknownFields, write, type JsonObject } from './arbitrary-transaction.js';

const encode = (text: string) => new TextEncoder().encode(text);
const view = new TransactionView();
const scan = (bytes: Uint8Array) => scanTransaction(bytes, 0, bytes.length, view);

const example = {
  id: '20260701-000001',
  time: '2026-07-01T09:30:00+08:00',
  amountFen: 1234500,
  payer: {
    account: '41001234567890123456',
    name: '郑州华信商贸有限公司',
    kind: 'corporate',
    openedOn: '2024-01-01',
    balanceFen: -99,
  },
  payee: { account: '6222020000000000017', kind: 'personal', region: '440300' },
};

/** What the view holds, in the schema's words; absent fields are left out. */
function seen(of: TransactionView) {
  const span = (start: number, end: number) => (start < 0 ? undefined : of.text(start, end));
  const party = (p: PartyView) => ({
    account: of.text(p.accountStart, p.accountEnd),
    accountHash: p.accountHash,
    name: span(p.nameStart, p.nameEnd),
    kind: p.kind,
    bank: span(p.bankStart, p.bankEnd),
    creditCode: span(p.creditCodeStart, p.creditCodeEnd),
    region: span(p.regionStart, p.regionEnd),
    province: p.province,
    openedDay: p.openedDay,
    balanceFen: p.balanceFen,
  });
  return {
    id: of.id,
    timeMs: of.timeMs,
    amountFen: of.amountFen,
    status: of.status,
    isCny: of.isCny,
    currency: span(of.currencyStart, of.currencyEnd) ?? 'CNY',
    bank: span(of.bankStart, of.bankEnd),
    channel: span(of.channelStart, of.channelEnd),
    remark: span(of.remarkStart, of.remarkEnd),
    payer: party(of.payer),
    payee: party(of.payee),
  };
}

/** What the view ought to hold, worked out from the parsed transaction. */
function expected(of: Transaction): ReturnType<typeof seen> {
  const party = (p: Party) => ({
    account: p.account,
    accountHash: hashBytes(encode(p.account), 0, p.account.length),
    name: p.name,
    kind: p.kind === undefined ? 0 : p.kind === 'corporate' ? 1 : 2,
    bank: p.bank,
    creditCode: p.creditCode,
    region: p.region,
    province: p.region === undefined ? 0 : Number(p.region.slice(0, 2)),
    openedDay: p.openedOn === undefined ? -1 : dayNumber(Date.parse(`${p.openedOn}T00:00:00Z`)),
    balanceFen: p.balanceFen ?? NaN,
  });
  return {
    id: of.id,
    timeMs: transactionTimeMs(of.time),
    amountFen: of.amountFen,
    status: transactionStatuses.indexOf(of.status),
    isCny: of.currency === 'CNY',
    currency: of.currency,
    bank: of.bank,
    channel: of.channel,
    remark: of.remark,
    payer: party(of.payer),
    payee: party(of.payee),
  };
}

/** The promise between the readers: what the fast one takes, the complete one and the plain schema take with the same values. */
function checkAgreement(bytes: Uint8Array): 'fast' | 'complete' | 'refused' {
  const isFast = scan(bytes);
  const values = isFast ? seen(view) : undefined;
  const reading = parseTransaction(bytes, 0, bytes.length);
  if (!isFast) return reading.ok ? 'complete' : 'refused';
  if (!reading.ok) throw new Error(`fast path took what is ${reading.reason}: ${reading.field} ${reading.message}`);
  expect(values).toEqual(expected(reading.transaction));
  const plain = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  const { extra: _extra, ...known } = reading.transaction;
  expect(known).toEqual({ ...transactionSchema.parse(plain), extra: undefined });
  return 'fast';
}

const none = { top: {}, extra: undefined, inner: {} };
const record = fc
  .tuple(
    knownFields,
    handwriting,
    fc.oneof(
      fc.constant(none),
      unknownFields.map((top) => ({ ...none, top })),
      unknownFields.map((extra) => ({ ...none, extra })),
      unknownFields.map((inner) => ({ ...none, inner })),
      fc.record({ top: unknownFields, extra: fc.option(unknownFields, { nil: undefined }), inner: unknownFields }),
    ),
  )
  .map(([known, hand, unknown]) => ({ known, hand, ...unknown }));
const isKnownName = (name: string) => name in transactionSchema.shape || name in transactionSchema.shape.payer.shape;
const withoutKnown = (fields: JsonObject) => Object.fromEntries(Object.entries(fields).filter(([name]) => !isKnownName(name)));
const compose = ({
  known,
  top,
  extra,
  inner,
}: {
  known: JsonObject;
  top: JsonObject;
  extra: JsonObject | undefined;
  inner: JsonObject;
}) => ({
  ...withoutKnown(top),
  ...known,
  payer: { ...withoutKnown(inner), ...(known['payer'] as JsonObject) },
  ...(extra === undefined ? {} : { extra }),
});

describe('the fast reader', () => {
  it('reads any valid record, in any order and hand, to the values of the complete reader', () => {
    const outcomes = { fast: 0, complete: 0, refused: 0 };
    fc.assert(
      fc.property(record, (parts) => {
        outcomes[checkAgreement(encode(write(compose(parts), parts.hand)))]++;
      }),
      { numRuns: 1500 },
    );
    // Else the property above would say little.
    expect(outcomes.fast).toBeGreaterThan(400);
    expect(outcomes.complete).toBeGreaterThan(50);
  });

  it('takes every record of known fields that is written without needless escapes', () => {
    fc.assert(
      fc.property(knownFields, handwriting, (known, hand) => {
        expect(scan(encode(write(known, { ...hand, escapes: 0 })))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('never takes a damaged record that the complete reader refuses, nor reads it otherwise', () => {
    const outcomes = { fast: 0, complete: 0, refused: 0 };
    fc.assert(
      fc.property(record, fc.integer(), fc.integer({ min: 1, max: 2 }), (parts, seed, times) => {
        let bytes: Uint8Array = encode(write(compose(parts), { ...parts.hand, escapes: 0 }));
        const random = randomFrom(seed);
        for (let i = 0; i < times; i++) bytes = damage(bytes, random);
        outcomes[checkAgreement(bytes)]++;
      }),
      { numRuns: 2500 },
    );
    expect(outcomes.fast).toBeGreaterThan(150);
    expect(outcomes.refused).toBeGreaterThan(400);
  });

  it('never takes a record with a twisted value that the complete reader refuses', () => {
    const outcomes = { fast: 0, complete: 0, refused: 0 };
    fc.assert(
      fc.property(knownFields, fc.nat(), fc.constantFrom(...twistedValues), (known, at, twisted) => {
        const text = write({ ...known, note: [1.5, { a: 'b' }] }, { seed: at, space: 0, escapes: 0 });
        const values = [...text.matchAll(/(?<=[:[,])(?:"(?:[^"\\]|\\.)*"|-?\d[\d.]*)(?=[,}\]])/g)];
        const { 0: old, index } = values[at % values.length]!;
        outcomes[checkAgreement(encode(`${text.slice(0, index)}${twisted}${text.slice(index + old.length)}`))]++;
      }),
      { numRuns: 2500 },
    );
    expect(outcomes.fast).toBeGreaterThan(100);
    expect(outcomes.refused).toBeGreaterThan(400);
  });

  it('judges a record alike wherever it lies in a larger buffer', () => {
    fc.assert(
      fc.property(record, fc.integer(), fc.uint8Array({ maxLength: 20 }), (parts, seed, around) => {
        const bytes = damage(encode(write(compose(parts), parts.hand)), randomFrom(seed));
        const alone = scan(bytes) ? seen(view) : null;
        const larger = new Uint8Array([...around, ...bytes, ...around]);
        const inside = scanTransaction(larger, around.length, around.length + bytes.length, view) ? seen(view) : null;
        expect(inside).toEqual(alone);
      }),
      { numRuns: 1000 },
    );
  });

  it('does not stop at any place where a record is cut off', () => {
    const bytes = encode(
      write({ ...example, device: { id: 'x' }, extra: { a: [1, { b: null }] } }, { seed: 1, space: 0, escapes: 0 }),
    );
    expect(scan(bytes)).toBe(true);
    for (let end = 0; end < bytes.length; end++) {
      expect(scanTransaction(bytes.slice(0, end), 0, end, view)).toBe(false);
      const closed = new Uint8Array([...bytes.slice(0, end), 0x7d]);
      if (end < bytes.length - 1) expect(checkAgreement(closed)).not.toBe('complete');
    }
  });

  it('forgets the record before', () => {
    const full = {
      ...example,
      currency: 'USD',
      status: 'failed',
      bank: 'ABC',
      channel: 'c',
      remark: 'r',
      payer: { ...example.payee, ...example.payer },
    };
    expect(scan(encode(JSON.stringify(full)))).toBe(true);
    const bare = { id: '1', time: example.time, amountFen: 1, payer: { account: '1111' }, payee: { account: '2222' } };
    expect(checkAgreement(encode(JSON.stringify(bare)))).toBe('fast');
  });

  it.each([
    ['2026-07-01T00:00:00Z', 'fast'],
    ['2026-07-01T23:59:59.999999999999-23:59', 'fast'],
    ['0000-01-01T00:00:00+23:59', 'refused'],
    ['1991-12-31T23:59:59.999+08:00', 'refused'],
    ['1992-01-01T00:00:00+08:00', 'fast'],
    ['2199-12-31T23:59:59.999+08:00', 'fast'],
    ['2200-01-01T00:00:00+08:00', 'refused'],
    ['9999-12-31T23:59:59Z', 'refused'],
    ['2000-02-29T00:00:00Z', 'fast'],
    ['1900-02-29T00:00:00Z', 'refused'],
    ['2026-02-29T00:00:00Z', 'refused'],
    ['2026-04-31T00:00:00Z', 'refused'],
    ['2026-13-01T00:00:00Z', 'refused'],
    ['2026-00-10T00:00:00Z', 'refused'],
    ['2026-07-01T24:00:00Z', 'refused'],
    ['2026-07-01T09:60:00Z', 'refused'],
    ['2026-07-01T09:30:60Z', 'refused'],
    ['2026-07-01T09:30:00', 'refused'],
    ['2026-07-01T09:30Z', 'refused'],
    ['2026-07-01 09:30:00+08:00', 'refused'],
    ['2026-07-01T09:30:00z', 'refused'],
    ['2026-07-01T09:30:00.Z', 'refused'],
    ['2026-07-01T09:30:00+08', 'refused'],
    ['2026-07-01T09:30:00+0800', 'refused'],
    ['2026-07-01T09:30:00+24:00', 'refused'],
    ['+002026-07-01T09:30:00Z', 'refused'],
  ])('the time %s is %s', (time, outcome) => {
    expect(checkAgreement(encode(JSON.stringify({ ...example, time })))).toBe(outcome);
  });

  it.each([
    ['remark', '货'.repeat(199), 'fast'],
    ['remark', '货'.repeat(200), 'fast'],
    ['remark', '货'.repeat(201), 'refused'],
    ['remark', '😀'.repeat(200), 'fast'],
    ['remark', '😀'.repeat(201), 'refused'],
    ['channel', 'x'.repeat(32), 'fast'],
    ['channel', 'x'.repeat(33), 'refused'],
    ['id', 'x'.repeat(64), 'fast'],
    ['id', 'x'.repeat(65), 'refused'],
    ['id', '', 'refused'],
    ['amountFen', 0, 'refused'],
    ['amountFen', 1, 'fast'],
    ['amountFen', 10_000_000_000_000, 'fast'],
    ['amountFen', 10_000_000_000_001, 'refused'],
  ])('the field %s at its bound: %j is %s', (field, value, outcome) => {
    expect(checkAgreement(encode(JSON.stringify({ ...example, [field]: value })))).toBe(outcome);
  });
});

describe('reading for intake', () => {
  const read = (bytes: Uint8Array) => readTransaction(bytes, 0, bytes.length, view);

  it('leaves a plain record where it is', () => {
    const bytes = encode(JSON.stringify(example));
    expect(read(bytes)).toBeNull();
    expect(view.bytes).toBe(bytes);
  });

  it('rewrites a record with an unusual hand and keeps its values', () => {
    const bytes = encode(JSON.stringify(example).replace('"id"', '"\\u0069d"').replace('41001', '\\u00341001'));
    expect(scan(bytes)).toBe(false);
    expect(read(bytes)).toBeNull();
    expect(view.bytes).not.toBe(bytes);
    expect(seen(view)).toEqual(expected(transactionSchema.parse(example)));
  });

  it('reads or refuses any record whatever, and canonical bytes are always read by the fast path', () => {
    fc.assert(
      fc.property(record, fc.integer(), fc.boolean(), (parts, seed, isDamaged) => {
        const whole = encode(write(compose(parts), parts.hand));
        const bytes = isDamaged ? damage(whole, randomFrom(seed)) : whole;
        const reading = parseTransaction(bytes, 0, bytes.length);
        expect(read(bytes)?.reason).toBe(reading.ok ? undefined : reading.reason);
        if (!reading.ok) return;
        const canonical = encodeTransaction(reading.transaction);
        expect(scan(canonical)).toBe(true);
        const again = parseTransaction(canonical, 0, canonical.length);
        expect(again.ok && encodeTransaction(again.transaction)).toEqual(canonical);
      }),
      { numRuns: 800 },
    );
  });

  it('refuses a record that grows over the bound when it is rewritten', () => {
    const extra = `[${Array.from({ length: 3000 }, () => '1E15').join(',')}]`;
    const bytes = encode(JSON.stringify({ ...example, note: 0 }).replace('"note":0', `"note":${extra}`));
    expect(bytes.length).toBeLessThan(16_384);
    expect(read(bytes)).toMatchObject({ ok: false, reason: 'oversized' });
  });

  it('refuses a record of a kilobyte too much, however valid', () => {
    expect(read(encode(JSON.stringify({ ...example, note: 'x'.repeat(17_000) })))).toMatchObject({ reason: 'oversized' });
  });
});

/** Values, right and wrong, that may stand where another one stood. */
const twistedValues = [
  '0 ¦ -0 ¦ 1 ¦ -1 ¦ 01 ¦ -01 ¦ +1 ¦ 1. ¦ .5 ¦ 1.0 ¦ 1.5 ¦ 1e2 ¦ 1E2 ¦ 1e-2 ¦ 1e+2 ¦ 1e400 ¦ 1e ¦ - ¦ --1 ¦ 0x10',
  '9007199254740991 ¦ 9007199254740992 ¦ 9007199254740990.9 ¦ 9007199254740991.5 ¦ 10000000000000 ¦ 10000000000001',
  '-10000000000000 ¦ -10000000000001 ¦ 99999999999999999999 ¦ 123456789012345 ¦ NaN ¦ Infinity ¦ null ¦ true ¦ false',
  'tru ¦ nul ¦ "" ¦ "x" ¦ "1" ¦ "settled" ¦ "settle" ¦ "settledx" ¦ "corporate" ¦ "personal " ¦ "CNY" ¦ "cny" ¦ "Cny"',
  '"410100" ¦ "41010" ¦ "2024-02-29" ¦ "2023-02-29" ¦ "2024-2-29" ¦ "2026-07-01T09:30:00Z" ¦ "2026-07-01" ¦ "abcd"',
  '"ab-d" ¦ "ab d" ¦ "ab_d" ¦ "\\u0041BCD" ¦ "\\ud800" ¦ "\\udc00" ¦ "\\ud83d\\ude00" ¦ "\\ud83dx" ¦ "\\u12" ¦ "\\x"',
  '"\\n" ¦ "\t" ¦ "\u007f" ¦ "a"b" ¦ " ¦ {} ¦ [] ¦ [1,] ¦ [,] ¦ [1 2] ¦ {"a":1,} ¦ {"a"} ¦ {"a":1,"a":2}',
  '{"__proto__":1} ¦ {"constructor":1} ¦ {"a":{"b":{"c":[[[[1]]]]}}} ¦ {"account":"1234"}',
  '{"account":"1234","account":"1234"} ¦ {"id":"x"} ¦ {"id":1} ¦ [[[[[1]]]]] ¦ [[[[[[1]]]]]] ¦ [[[[[[[1]]]]]]]',
  '1,"id":"2" ¦ 1,"note":2 ¦ 1,"extra":{} ¦ 1,"extra":[] ¦ 1,"extra":{"note":1} ¦ 1,"extra":{"other":1} ¦ 1,"payer":null',
  '1} ¦ { ¦ }',
].flatMap((line) => line.split(' ¦ '));

const structural = encode('{}[]",:\\0123456789-.eE+utrnfs \n\t');

/** One random slip: a bit flipped, a byte removed, replaced or inserted, a span doubled or removed. */
function damage(bytes: Uint8Array, random: () => number): Uint8Array {
  const at = Math.floor(random() * bytes.length);
  const length = 1 + Math.floor(random() * 24);
  const byte = random() < 0.7 ? structural[Math.floor(random() * structural.length)]! : Math.floor(random() * 256);
  const [before, after] = [bytes.slice(0, at), bytes.slice(at)];
  switch (Math.floor(random() * 6)) {
    case 0: {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << Math.floor(random() * 8);
      return flipped;
    }
    case 1:
      return new Uint8Array([...before, ...after.slice(1)]);
    case 2:
      return new Uint8Array([...before, byte, ...after.slice(1)]);
    case 3:
      return new Uint8Array([...before, byte, ...after]);
    case 4:
      return new Uint8Array([...before, ...after.slice(0, length), ...after]);
    default:
      return new Uint8Array([...before, ...after.slice(length)]);
  }
}
