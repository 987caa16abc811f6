import { describe, expect, test } from 'vitest';
import type { Forward } from '../../src/domain/forward.js';
import { encodeForward, encodeFrame, readForward, readFrame, role } from '../../src/domain/frame.js';

const origin = { from: 2, sequence: 17, index: 3 };
const forward: Forward = {
  kind: 'traces',
  to: '41001000000000020002',
  caseLevel: -1,
  caseMs: 0,
  payerNew: 2,
  traces: [{ origin: 2 ** 53 - 1, circle: 0, startMs: 1_782_873_000_123, amountFen: 50_000_000, hops: 2, quick: 1 }],
};
const payment = Buffer.from('{"id":"T1","remark":"货款"}');

describe('a forward on the log', () => {
  test('comes back as it was, with where it comes from and the payment it is about', () => {
    const frame = encodeFrame([
      { roles: role.forward, flags: 0, receivedAtMs: 5, bytes: encodeForward(origin, forward, payment) },
      { roles: role.forward, flags: 0, receivedAtMs: 6, bytes: encodeForward(origin, forward, null) },
    ]);
    const [about, notice] = [...readFrame(frame)].map(({ start, end }) => readForward(frame, start, end));
    expect(about).toMatchObject({ origin, forward });
    expect(Object.keys(about?.forward ?? {})).toEqual(Object.keys(forward));
    const { start = 0, end = 0 } = about?.transaction ?? {};
    expect(Buffer.from(frame.subarray(start, end))).toEqual(payment);
    expect(notice).toEqual({ origin, forward, transaction: null });
  });

  test('is the same bytes for the same words', () => {
    expect(encodeForward(origin, forward, payment)).toEqual(encodeForward({ ...origin }, { ...forward }, payment));
  });

  test('cut off or of an unknown kind, it is a RangeError', () => {
    const bytes = encodeForward(origin, forward, null);
    for (let end = 0; end < bytes.length; end++) expect(() => readForward(bytes.slice(0, end), 0, end)).toThrow(RangeError);
    const unknown = encodeForward(origin, { ...forward, kind: 'rumour' } as unknown as Forward, null);
    expect(() => readForward(unknown, 0, unknown.length)).toThrow(RangeError);
    const beforeTheFirst = encodeForward({ ...origin, sequence: 0 }, forward, null);
    expect(() => readForward(beforeTheFirst, 0, beforeTheFirst.length)).toThrow(RangeError);
  });
});
