import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../src/domain/strict-json.js';
import { transactionTimeMs } from '../../src/domain/event-time.js';
import { encodeTransaction, parseTransaction } from '../../src/domain/transaction-record.js';
import { transactionBytesMax } from '../../src/domain/transaction.js';

const parse = (text: string | Uint8Array) => {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return parseTransaction(bytes, 0, bytes.length);
};

const plain = {
  id: '1',
  time: '2026-07-01T09:30:00+08:00',
  amountFen: 100,
  payer: { account: '41001234567890123456' },
  payee: { account: '6222020000000000017' },
};
/** The plain record with the text `from` replaced, to write what `JSON.stringify` would not. */
const written = (from: string, to: string) => JSON.stringify(plain).replace(from, to);
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('a record that is refused', () => {
  it.each<[string, string | Uint8Array, string, string, RegExp]>([
    ['nothing', '', 'malformed', '', /end of the record/],
    ['a list', '[]', 'malformed', '', /one JSON object/],
    ['a word', '"id"', 'malformed', '', /one JSON object/],
    ['half a record', '{"id":"1"', 'malformed', '', /end of the record.*','/],
    ['two records on a line', '{"id":"1"}{"id":"2"}', 'malformed', '', /character 11.*nothing more/],
    ['a comma too much', '{"id":"1",}', 'malformed', '', /character 11.*a key/],
    ['a key without quotes', '{id:"1"}', 'malformed', '', /character 2.*double quotes/],
    ['NaN', written(':100', ':NaN'), 'malformed', '', /expected a value/],
    ['a leading zero', written(':100', ':0100'), 'malformed', '', /expected ','/],
    ['a bare line break in a text', written('"1"', '"\n"'), 'malformed', '', /control character/],
    ['an unknown escape', written('"1"', '"\\x41"'), 'malformed', '', /escapes of JSON/],
    ['a text without an end', '{"id":"1', 'malformed', '', /closing quote/],
    ['bytes that are GB18030', new Uint8Array([0x7b, 0x22, 0xbb, 0xa4, 0x22, 0x3a, 0x31, 0x7d]), 'malformed', '', /not UTF-8/],
    [
      'UTF-8 with half a surrogate',
      new Uint8Array([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
      'malformed',
      '',
      /not UTF-8/,
    ],
    ['an overlong record', JSON.stringify({ ...plain, remark: 'x'.repeat(17_000) }), 'oversized', '', /at most 16384/],
    [
      'nesting below an unknown field',
      written('"id"', `"note":${nested(7)},"id"`),
      'too-deep',
      'note[0][0][0][0][0][0]',
      /8 levels/,
    ],
    [
      'nesting below extra',
      written('"id"', `"extra":{"note":${nested(7)}},"id"`),
      'too-deep',
      'extra.note[0][0][0][0][0][0]',
      /8 levels/,
    ],
    ['endless nesting', nested(5000), 'too-deep', '[0][0][0][0][0][0][0][0]', /8 levels/],
    ['a key that stands twice', written('"id"', '"id":"2","id"'), 'invalid', 'id', /twice/],
    ['a key that stands twice in another spelling', written('"id"', '"\\u0069d":"2","id"'), 'invalid', 'id', /twice/],
    ['an account that stands twice', written('{"account"', '{"account":"1234","account"'), 'invalid', 'payer.account', /twice/],
    ['__proto__', written('"id"', '"__proto__":{},"id"'), 'invalid', '__proto__', /not allowed/],
    ['a hidden __proto__', written('"id"', '"extra":{"\\u005f_proto__":{}},"id"'), 'invalid', 'extra.__proto__', /not allowed/],
    ['constructor', written('"id"', '"note":[{"constructor":1}],"id"'), 'invalid', 'note[0].constructor', /not allowed/],
    ['half a surrogate in a text', written('"1"', '"\\ud800"'), 'invalid', 'id', /surrogate/],
    ['an amount in exponents', written(':100', ':1e2'), 'invalid', 'amountFen', /plain integer/],
    ['an amount of 1e21', written(':100', ':1e21'), 'invalid', 'amountFen', /plain integer/],
    ['an amount of 1e400', written(':100', ':1e400'), 'invalid', 'amountFen', /plain integer/],
    ['an amount with a fraction', written(':100', ':100.0'), 'invalid', 'amountFen', /plain integer/],
    ['an amount of -0', written(':100', ':-0'), 'invalid', 'amountFen', /plain integer/],
    ['a balance of -0', written('"account"', '"balanceFen":-0,"account"'), 'invalid', 'payer.balanceFen', /plain integer/],
    ['an amount of 19 digits', written(':100', ':1234567890123456789'), 'invalid', 'amountFen', /loses digits/],
    ['an amount of 15 digits', written(':100', ':123456789012345'), 'invalid', 'amountFen', /at most 10000000000000/],
    ['an amount below nothing', written(':100', ':-100'), 'invalid', 'amountFen', /at least 1 fen/],
    ['an amount in quotes', written(':100', ':"100"'), 'invalid', 'amountFen', /integer number of fen|expected (int|number)/],
    [
      'a serial number of 19 digits without quotes',
      written('"id"', '"serial":1234567890123456789,"id"'),
      'invalid',
      'serial',
      /in quotes/,
    ],
    ['an infinite number', written('"id"', '"rate":1e400,"id"'), 'invalid', 'rate', /loses digits/],
    [
      'an account without quotes',
      written('"41001234567890123456"', '410012345678901'),
      'invalid',
      'payer.account',
      /in quotes.*leading zeros/,
    ],
    [
      'a long account without quotes',
      written('"41001234567890123456"', '41001234567890123456'),
      'invalid',
      'payer.account',
      /in quotes/,
    ],
    ['an account with a blank', written('41001234', '4100 1234'), 'invalid', 'payer.account', /4 to 34/],
    ['no payee', written('"payee"', '"payees"'), 'invalid', 'payee', /required/],
    ['no account', written('"account"', '"acount"'), 'invalid', 'payer.account', /required/],
    ['null for a field', written('"id"', '"remark":null,"id"'), 'invalid', 'remark', /leave the field out/],
    ['null for the payer', written('{"account":"41001234567890123456"}', 'null'), 'invalid', 'payer', /null/],
    ['a status we do not know', written('"id"', '"status":"done","id"'), 'invalid', 'status', /settled/],
    ['a bare local time', written('+08:00', ''), 'invalid', 'time', /time zone/],
    ['the 31st of June', written('07-01', '06-31'), 'invalid', 'time', /ISO 8601/],
    ['extra as a list', written('"id"', '"extra":[1],"id"'), 'invalid', 'extra', /record/],
    ['extra as null', written('"id"', '"extra":null,"note":1,"id"'), 'invalid', 'extra', /leave the field out/],
    ['a field at the top and under extra', written('"id"', '"note":1,"extra":{"note":2},"id"'), 'invalid', 'note', /once/],
    [
      'a field of a party that meets another',
      written('"account"', '"note":1,"account"').replace('"id"', '"payer.note":2,"id"'),
      'invalid',
      'payer.note',
      /once/,
    ],
    ['a field name of 65 characters', written('"id"', `"${'x'.repeat(65)}":1,"id"`), 'invalid', 'x'.repeat(65), /at most 64/],
    [
      'a field name of 64 inside a party',
      written('"account"', `"${'x'.repeat(60)}":1,"account"`),
      'invalid',
      `extra.payer.${'x'.repeat(60)}`,
      /64/,
    ],
    ['a field name with a quote', written('"id"', '"a\\"b":1,"id"'), 'invalid', 'a"b', /quotes/],
    [
      '129 fields',
      written('"id"', `${Array.from({ length: 124 }, (_, i) => `"f${i}":1`).join(',')},"id"`),
      'invalid',
      'payee',
      /more than 128/,
    ],
    [
      '140 unknown fields in two places',
      written(
        '"id"',
        `"extra":{${Array.from({ length: 70 }, (_, i) => `"e${i}":1`).join(',')}},${Array.from({ length: 70 }, (_, i) => `"f${i}":1`).join(',')},"id"`,
      ),
      'invalid',
      'extra',
      /unknown fields/,
    ],
  ])('%s', (_what, text, reason, field, message) => {
    const reading = parse(text);
    expect(reading).toMatchObject({ ok: false, reason, field });
    expect(!reading.ok && reading.message).toMatch(message);
  });

  it('never shows an account number', () => {
    const account = '41001234567890123456';
    for (const text of [
      written(`"${account}"`, account),
      written(account, `${account} `),
      written('"id"', `"${account}":null,"${account}":1,"id"`),
      written('"id"', `"note":{"${account}":1e400},"id"`),
      `${JSON.stringify(plain)}x`,
    ]) {
      const reading = parse(text);
      expect(reading.ok).toBe(false);
      expect(JSON.stringify(reading)).not.toContain(account);
    }
  });
});

describe('a record that is accepted', () => {
  it('gets the defaults', () => {
    expect(parse(JSON.stringify(plain))).toEqual({ ok: true, transaction: { ...plain, currency: 'CNY', status: 'settled' } });
  });

  it('keeps fields without a name under extra, whole and once', () => {
    const sent = {
      ...plain,
      extra: { a: 1 },
      traceNo: 'T1',
      payer: { ...plain.payer, phone: 'p' },
      device: { id: 'd', os: ['x'] },
      备注: { b: [null, 0.5] },
    };
    const reading = parse(JSON.stringify(sent));
    expect(reading).toMatchObject({
      ok: true,
      transaction: { payer: plain.payer, device: { id: 'd' } },
    });
    expect(reading.ok && reading.transaction.extra).toEqual({
      a: 1,
      traceNo: 'T1',
      'payer.phone': 'p',
      'device.os': ['x'],
      备注: { b: [null, 0.5] },
    });
  });

  it('may be as deep and as long as the bounds say, and no more', () => {
    expect(parse(written('"id"', `"note":${nested(6)},"id"`)).ok).toBe(true);
    expect(parse(written('"id"', `"extra":{"note":${nested(6)}},"id"`)).ok).toBe(true);
    const padded = (size: number) => `${JSON.stringify(plain)}${' '.repeat(size - JSON.stringify(plain).length)}`;
    expect(parse(padded(transactionBytesMax)).ok).toBe(true);
    expect(parse(padded(transactionBytesMax + 1))).toMatchObject({ reason: 'oversized' });
  });

  it('may begin with a byte order mark', () => {
    expect(parse(`\ufeff${JSON.stringify(plain)}`).ok).toBe(true);
  });

  it('is written in one order whatever order it came in', () => {
    const reversed = Object.fromEntries(Object.entries(plain).reverse());
    const [a, b] = [parse(JSON.stringify(plain)), parse(JSON.stringify(reversed))];
    expect(a.ok && b.ok && encodeTransaction(a.transaction)).toEqual(b.ok && encodeTransaction(b.transaction));
    expect(a.ok && new TextDecoder().decode(encodeTransaction(a.transaction))).toBe(
      '{"id":"1","time":"2026-07-01T09:30:00+08:00","amountFen":100,"currency":"CNY","status":"settled",' +
        '"payer":{"account":"41001234567890123456"},"payee":{"account":"6222020000000000017"}}',
    );
  });

  it('happened at the millisecond, whatever digits follow', () => {
    const base = Date.parse('2026-07-01T09:30:00+08:00');
    for (const [fraction, ms] of [
      ['', 0],
      ['.5', 500],
      ['.1234', 123],
      ['.999999999', 999],
      ['.000009000000', 0],
    ] as const) {
      expect(transactionTimeMs(`2026-07-01T09:30:00${fraction}+08:00`)).toBe(base + ms);
    }
  });
});

describe('strict JSON', () => {
  const limits = { depthMax: 8, membersMax: 128, keyCharactersMax: 64 };

  it('reads what it takes just as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 7 }), (text) => {
        const strict = parseStrictJson(text, limits);
        if (strict.ok) expect(strict.value).toEqual(JSON.parse(text));
        else expect(strict.reason).not.toBe('malformed');
      }),
      { numRuns: 1000 },
    );
  });

  it('takes nothing that JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('{}[]",:\\ 0123456789-.eEtruefalsn\n')), maxLength: 12 }),
        (text) => {
          const strict = parseStrictJson(text, limits);
          if (strict.ok) expect(strict.value).toEqual(JSON.parse(text));
          else if (strict.reason === 'malformed') expect(() => JSON.parse(text)).toThrow(SyntaxError);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
