import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createTypeFinder,
  decodeReference,
  encodeReference,
  isReferenceRecord,
  parseReference,
  referenceBytesMax,
  routesOf,
} from '../../src/domain/reference-record.js';
import type { Reference } from '../../src/domain/reference.js';
import { exampleRecords } from '../support/references.js';

const { profile, login, list } = exampleRecords;
const all = Object.values(exampleRecords);

describe('a record that fits is read, and written in one form', () => {
  test.each(all.map((record) => [record.type, record]))('%s', (_, record) => {
    const reference = taken(record);
    expect(reference).toMatchObject(record);
    const canonical = encodeReference(reference);
    expect(taken(Buffer.from(canonical))).toEqual(reference);
    expect(decodeReference(canonical, 0, canonical.length)).toEqual(reference);
    const reversed = Object.fromEntries(Object.entries(record).toReversed());
    expect(Buffer.from(encodeReference(taken(reversed)))).toEqual(Buffer.from(canonical));
    expect(Buffer.from(canonical).toString()).toMatch(/^\{"type":"[a-z-]+","id":/);
  });

  test('defaults are written out, the parts of a device are put in order', () => {
    const device = { mac: login.device.mac, id: login.device.id };
    const text = Buffer.from(encodeReference(taken({ ...login, device }))).toString();
    expect(text).toContain('"step":"login"');
    expect(text).toContain(`"device":${JSON.stringify({ id: device.id, mac: device.mac })}`);
  });

  test('only its own bytes are read, whatever stands around them', () => {
    const text = JSON.stringify(profile);
    const around = Buffer.from(`{"x":1}\n${text}\n{"y":2}`);
    expect(parseReference(around, 8, 8 + Buffer.byteLength(text)).ok).toBe(true);
  });
});

describe('what does not fit is refused with its place and a reason', () => {
  const deep = `${'['.repeat(20)}${']'.repeat(20)}`;
  test.each<[string, string | object, string, string, RegExp]>([
    ['no JSON', '{"type":"login",', 'malformed', '', /key in double quotes/],
    ['an array', '[]', 'malformed', '', /one JSON object/],
    ['no type', { id: '1' }, 'invalid', 'type', /one of profile, account-change/],
    ['an unknown type', { ...login, type: 'logout' }, 'invalid', 'type', /one of profile/],
    ['the type of every object', { ...login, type: 'toString' }, 'invalid', 'type', /one of profile/],
    ['a field of another type', { ...login, capitalFen: 1 }, 'invalid', 'capitalFen', /not a field of a login record/],
    ['an unknown part of a device', { ...login, device: { imei: '1' } }, 'invalid', 'device.imei', /not a field/],
    ['a missing account', { ...login, account: undefined }, 'invalid', 'account', /required, and missing/],
    ['null', { ...profile, phone: null }, 'invalid', 'phone', /null is not accepted/],
    ['a number for a text', { ...profile, phone: 37_100 }, 'invalid', 'phone', /in quotes/],
    ['a number among texts', { ...list, entries: ['a', 5] }, 'invalid', 'entries.1', /in quotes/],
    ['an empty list', { ...list, entries: [] }, 'invalid', 'entries', />=1/],
    ['a time without a zone', { ...login, time: '2026-07-01T08:00:00' }, 'invalid', 'time', /time zone/],
    ['an id with a space', { ...login, id: 'a b' }, 'invalid', 'id', /without spaces/],
    ['a field twice', `${JSON.stringify(login).slice(0, -1)},"account":"1234"}`, 'invalid', 'account', /twice/],
    ['the type twice', `${JSON.stringify(login).slice(0, -1)},"type":"list"}`, 'invalid', 'type', /twice/],
    ['a bare control character', '{"type":"login","id":"a\u0001"}', 'malformed', '', /escape/],
    ['an escaped control character', { ...profile, related: ['a\u0000b'] }, 'invalid', 'related.0', /control character/],
    ['a lone surrogate', '{"type":"login","id":"\\ud800"}', 'invalid', 'id', /surrogate/],
    ['a number that loses digits', '{"type":"login","account":41001000000000010001}', 'invalid', 'account', /loses digits/],
    ['nesting without end', `{"type":"profile","related":${deep}}`, 'too-deep', 'related[0]', /nested/],
  ])('%s', (_, record, reason, field, message) => {
    const reading = read(record);
    expect(reading).toMatchObject({ ok: false, reason });
    if (reading.ok) return;
    expect(reading.field.startsWith(field)).toBe(true);
    expect(reading.message).toMatch(message);
  });

  test('bytes that are no UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('{"type":"profile","name":"'), Buffer.from([0xba, 0xd3]), Buffer.from('"}')]);
    expect(parseReference(bytes, 0, bytes.length)).toMatchObject({ ok: false, reason: 'malformed' });
  });

  test.each([
    ['profile', 16_384, true],
    ['profile', 16_385, false],
    ['list', referenceBytesMax, true],
    ['list', referenceBytesMax + 1, false],
  ] as const)('a %s of %d bytes: %s', (type, size, isTaken) => {
    const text = JSON.stringify(exampleRecords[type]).padEnd(
      size - (Buffer.byteLength(JSON.stringify(exampleRecords[type])) - JSON.stringify(exampleRecords[type]).length),
    );
    expect(Buffer.byteLength(text)).toBe(size);
    expect(read(text)).toMatchObject(isTaken ? { ok: true } : { ok: false, reason: 'oversized' });
  });

  test('no message shows an account number', () => {
    const reading = read({ ...login, '6222020000000001': 1 });
    expect(JSON.stringify(reading)).not.toContain('6222020000000001');
  });

  test('damaged bytes on the log are a RangeError', () => {
    for (const text of ['', '{"type":"login"}', '[]', '{']) {
      expect(() => decodeReference(Buffer.from(text), 0, text.length)).toThrow(RangeError);
    }
  });
});

describe('a record goes to every partition that asks about it', () => {
  const { account } = profile;
  test.each<[string, Reference, 'all' | string[]]>([
    ['a list', taken(list), 'all'],
    ['an exchange rate', taken(exampleRecords['exchange-rate']), 'all'],
    ['a login', taken(login), [account]],
    ['a stopped payment', taken(exampleRecords['stop-pay']), [account]],
    ['an account of a case', taken(exampleRecords['case-account']), 'all'],
    [
      'a profile',
      taken(profile),
      [account, 'legal-rep:h-31', 'phone:0371-00000000', 'address:郑州市金水区花园路1号', 'agent:agent-7'],
    ],
    [
      'a profile with a name alone',
      taken({ ...profile, legalRepId: undefined, phone: undefined, address: undefined, agent: undefined }),
      [account, 'legal-rep:李某'],
    ],
    ['an opening', taken(exampleRecords['account-change']), [account, 'legal-rep:h-31', 'agent:agent-7']],
    ['another change', taken({ ...exampleRecords['account-change'], what: 'seal' }), [account]],
  ])('%s', (_, reference, keys) => {
    expect(routesOf(reference)).toEqual(keys);
  });
});

describe('a line is a reference record where its top-level type names one', () => {
  test.each<[string, boolean]>([
    ['{"type":"login"}', true],
    [' \t{ "id" : "1", "type" : "list" , "x":1}', true],
    ['{"a":{"type":"login"},"b":["type","login"],"type":"profile"}', true],
    [String.raw`{"ty\u0070e":"log\u0069n"}`, true],
    [String.raw`{"a":"\"type\":\"login\"","type":"login"}`, true],
    ['{"type":"login","cut off', true],
    ['{"type":"sale"}', false],
    ['{"type":["login"]}', false],
    ['{"type":5,"login":"login"}', false],
    ['{"a":{"type":"login"}}', false],
    ['{"extra":{"type":"login"}}', false],
    ['{"a":"type","b":"login"}', false],
    [String.raw`{"a":"\",\"type\":\"login\""}`, false],
    ['[{"type":"login"}]', false],
    ['"type":"login"', false],
    ['{"type', false],
    ['', false],
  ])('%s: %s', (text, expected) => {
    expect(isReferenceRecord(Buffer.from(text), 0, Buffer.byteLength(text))).toBe(expected);
  });

  test('for any JSON it agrees with a complete reading', () => {
    const word = fc.constantFrom('type', 'login', 'list', 'a', '"', '\\', 'tipe', '类');
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        word,
        fc.integer(),
        fc.constantFrom(null, true),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(word, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(value, fc.boolean(), fc.boolean(), (sent, isSpaced, isEscaped) => {
        const plain = JSON.stringify(sent, null, isSpaced ? 2 : 0);
        const text = isEscaped ? plain.replaceAll('y', String.raw`\u0079`).replaceAll('l', String.raw`\u006c`) : plain;
        const isObject = typeof sent === 'object' && sent !== null && !Array.isArray(sent);
        const type = isObject ? (sent as { type?: unknown }).type : undefined;
        const expected = type === 'login' || type === 'list';
        expect(isReferenceRecord(Buffer.from(text), 0, Buffer.byteLength(text))).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test('the search over a body finds the lines that have the text of the key, and no others', () => {
    const part = fc.constantFrom('"type"', 'type"', 'ype"', 'xype"', '"', 'type', 'y', '"typ', 'e"', 'ü', ' ');
    const line = fc.array(part, { maxLength: 5 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const body = Buffer.from(lines.join('\n'));
        const mayHaveType = createTypeFinder(body);
        let at = 0;
        for (const text of lines) {
          const end = at + Buffer.byteLength(text);
          expect(mayHaveType(at, end)).toBe(text.includes('"type"'));
          at = end + 1;
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

function read(record: string | object) {
  const bytes = Buffer.from(typeof record === 'string' ? record : JSON.stringify(record));
  return parseReference(bytes, 0, bytes.length);
}

function taken(record: object | Buffer): Reference {
  const bytes = Buffer.isBuffer(record) ? record : Buffer.from(JSON.stringify(record));
  const reading = parseReference(bytes, 0, bytes.length);
  if (!reading.ok) throw new Error(`${reading.field}: ${reading.message}`);
  return reading.reference;
}
