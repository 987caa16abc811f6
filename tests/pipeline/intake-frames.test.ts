import { expect, test } from 'vitest';
import { encodeFrame, frameFlag, frameName, readFrame, role } from '../../src/domain/frame.js';
import { createBufferPool } from '../../src/pipeline/buffer-pool.js';
import { createFrameViews } from '../../src/pipeline/frame-views.js';
import { createFrameWriter } from '../../src/pipeline/intake-frames.js';
import type { Candidate } from '../../src/pipeline/intake-lines.js';

const bytes = Buffer.from('....{"id":"A"}..{"id":"B","payee":"乙"}....');
const spans = [
  { start: 4, end: 14, payerPartition: 0, payeePartition: 1, flags: 0 },
  { start: 16, end: bytes.length - 4, payerPartition: 1, payeePartition: 1, flags: frameFlag.maybeResent },
];

test('frames are written byte for byte as the frame’s own encoder writes them', () => {
  const writer = createFrameWriter(3, 1_782_873_000_123, createBufferPool(0));
  for (const { flags, ...span } of spans) writer.add(candidate(span), flags);
  const entry = (i: number, roles: number) => ({
    roles,
    flags: spans[i]!.flags,
    receivedAtMs: 1_782_873_000_123,
    bytes: bytes.subarray(spans[i]!.start, spans[i]!.end),
  });
  expect(writer.finish().map(({ partition, value }) => [partition, Buffer.from(value).toString('hex')])).toEqual([
    [0, Buffer.from(encodeFrame([entry(0, role.debit)])).toString('hex')],
    [1, Buffer.from(encodeFrame([entry(0, role.credit), entry(1, role.debit | role.credit)])).toString('hex')],
  ]);
});

test('a frame whose transactions are known has a name behind its entries, under which they are found once', () => {
  const frameViews = createFrameViews(2 ** 20);
  const table = { words: new Int32Array(1), doubles: new Float64Array(1) };
  const known = { name: 'attempt-7', table, frameViews };
  const writer = createFrameWriter(3, 1_782_873_000_123, createBufferPool(0), known);
  for (const [viewRow, { flags, ...span }] of spans.entries()) writer.add({ ...candidate(span), viewRow }, flags);
  const frames = writer.finish().map(({ value }) => value);
  const names = frames.map(frameName);
  expect(names).toEqual(['attempt-7.0', 'attempt-7.1']);
  for (const [i, name] of names.entries()) {
    const unnamed = frames[i]!.subarray(0, frames[i]!.length - name.length - 1);
    expect([...readFrame(frames[i]!)]).toEqual([...readFrame(unnamed)]);
    expect([...readFrame(unnamed)].at(-1)!.end).toBe(unnamed.length);
  }
  expect(names.map((name) => frameViews.take(name)?.rows)).toEqual([Int32Array.of(0), Int32Array.of(0, 1)]);
  expect(names.map((name) => frameViews.take(name))).toEqual([undefined, undefined]);
});

test('a frame without a name is no known one', () => {
  const frame = encodeFrame([{ roles: role.debit, flags: 0, receivedAtMs: 0, bytes: bytes.subarray(4, 14) }]);
  expect(frameName(frame)).toBe('');
  expect(frameName(encodeFrame([]))).toBe('');
  expect(frameName(new Uint8Array(0))).toBe('');
});

test('of frames that nobody takes the oldest go, so that what is kept has a bound', () => {
  const tableOf = (bytes: number) => ({ words: new Int32Array(bytes / 4), doubles: new Float64Array(0) });
  const frameViews = createFrameViews(100_000);
  // A body of two frames each, of which one is taken; the table counts as long as the other is there, however few its rows are.
  for (let body = 0; body < 50; body++) {
    const table = tableOf(12_000);
    for (const frame of [0, 1]) frameViews.put(`${body}.${frame}`, { table, rows: Int32Array.of(frame) });
    expect(frameViews.take(`${body}.0`)?.rows).toEqual(Int32Array.of(0));
  }
  const left = Array.from({ length: 50 }, (_, body) => frameViews.take(`${body}.1`) !== undefined);
  expect(left.lastIndexOf(false)).toBe(50 - 8 - 1);
  expect(left.filter(Boolean).length).toBe(8);
  // All of it was given back.
  for (let body = 0; body < 8; body++) frameViews.put(`again.${body}`, { table: tableOf(12_000), rows: Int32Array.of(0) });
  expect(frameViews.take('again.0')).toBeDefined();
});

test('a frame is closed before it becomes too large for a broker', () => {
  const large = Buffer.alloc(200 * 1024, 0x20);
  const writer = createFrameWriter(1, 0, createBufferPool(0));
  for (let i = 0; i < 7; i++)
    writer.add({ ...candidate({ start: 0, end: large.length, payerPartition: 0, payeePartition: 0 }), bytes: large }, 0);
  expect(writer.finish().map(({ value }) => Math.round(value.length / large.length))).toEqual([3, 3, 1]);
});

test('buffers are used again once they were released, and not before', () => {
  const large = Buffer.alloc(50 * 1024, 0x20);
  const pool = createBufferPool(2 ** 20);
  const frameOf = (fill: number) => {
    const writer = createFrameWriter(1, 0, pool);
    const record = Buffer.from(large).fill(fill);
    writer.add({ ...candidate({ start: 0, end: record.length, payerPartition: 0, payeePartition: 0 }), bytes: record }, 0);
    return { writer, value: writer.finish()[0]!.value };
  };
  const [first, second] = [frameOf(1), frameOf(2)];
  expect(second.value.buffer).not.toBe(first.value.buffer);
  first.writer.release();
  const third = frameOf(3);
  expect(third.value.buffer).toBe(first.value.buffer);
  expect(second.value.at(-1)).toBe(2);
  expect(third.value.length).toBe(second.value.length);
});

function candidate(span: { start: number; end: number; payerPartition: number; payeePartition: number }): Candidate {
  const claim = { identityLow: 0, identityHigh: 0, contentLow: 0, contentHigh: 0, timeMs: 0 };
  return {
    kind: 'candidate',
    number: 1,
    id: 'A',
    bank: '',
    bytes,
    attempt: 'a',
    outcome: undefined,
    partitions: null,
    viewRow: -1,
    ...claim,
    ...span,
  };
}
