/**
 * Cost of reading one transaction record: fast path, complete reader, and `JSON.parse` alone for comparison.
 * Run with `npx tsx bench/reader.ts`.
 */
import { parseTransaction, encodeTransaction } from '../src/domain/transaction-record.js';
import { scanTransaction } from '../src/scoring/reader.js';
import { TransactionView } from '../src/scoring/transaction-view.js';

const recordCount = 20_000;
const runs = 5;

const records = {
  typical: makeRecords(encodeTypical),
  full: makeRecords((i) => encodeTransaction(transaction(i))),
  mixed: makeRecords(encodeVariant),
};

for (const [name, { bytes, bounds }] of Object.entries(records)) {
  const view = new TransactionView();
  const decoder = new TextDecoder();
  let sum = 0;
  const readers: Record<string, (start: number, end: number) => void> = {
    'fast path': (start, end) => {
      if (!scanTransaction(bytes, start, end, view)) throw new Error('the fast path refused a plain record');
      sum += view.amountFen + view.payer.accountHash;
    },
    'JSON.parse': (start, end) => {
      sum += (JSON.parse(decoder.decode(bytes.subarray(start, end))) as { amountFen: number }).amountFen;
    },
    'complete reader': (start, end) => {
      const reading = parseTransaction(bytes, start, end);
      if (!reading.ok) throw new Error(reading.message);
      sum += reading.transaction.amountFen;
    },
  };
  console.log(`${name} records, ${(bytes.length / recordCount).toFixed(0)} bytes each, median of ${runs} runs of ${recordCount}`);
  for (const [reader, read] of Object.entries(readers)) {
    const micros = medianMicros(() => {
      for (let i = 0; i < recordCount; i++) read(bounds[i]!, bounds[i + 1]!);
    });
    console.log(`  ${reader.padEnd(16)} ${micros.toFixed(2)} µs/record  ${(1 / micros).toFixed(2)} M records/s`);
  }
  if (sum === 0) throw new Error('nothing was read');
}

function medianMicros(run: () => void): number {
  run();
  run();
  const micros = Array.from({ length: runs }, () => {
    const begun = performance.now();
    run();
    return ((performance.now() - begun) * 1000) / recordCount;
  });
  return micros.sort((a, b) => a - b)[runs >> 1]!;
}

function makeRecords(encode: (i: number) => Uint8Array): { bytes: Uint8Array; bounds: number[] } {
  const chunks: Uint8Array[] = [];
  const bounds = [0];
  for (let i = 0; i < recordCount; i++) {
    const chunk = encode(i);
    chunks.push(chunk);
    bounds.push(bounds.at(-1)! + chunk.length);
  }
  return { bytes: new Uint8Array(Buffer.concat(chunks)), bounds };
}

/** About 430 bytes: what a bank sends that knows no device. */
function encodeTypical(i: number): Uint8Array {
  const { device: _device, operator: _operator, payer, ...rest } = transaction(i);
  const { region: _region, openedOn: _openedOn, ...shortPayer } = payer;
  return encodeTransaction({ ...rest, payer: shortPayer });
}

/** A third each: without device, with unknown fields, with spaces and line ends between everything. */
function encodeVariant(i: number): Uint8Array {
  const { device, ...rest } = transaction(i);
  if (i % 3 === 0) return encodeTransaction(rest);
  if (i % 3 === 1) return encodeTransaction({ ...rest, device, extra: { batch: i, teller: '窗口3' } });
  return new TextEncoder().encode(JSON.stringify({ ...rest, device }, null, 1).replaceAll(/\n */g, ' '));
}

function transaction(i: number) {
  const second = String(i % 60).padStart(2, '0');
  return {
    id: `20260701-${String(i).padStart(6, '0')}`,
    time: `2026-07-01T09:30:${second}+08:00`,
    amountFen: 1_234_500 + i * 100,
    currency: 'CNY',
    status: 'settled' as const,
    payer: {
      account: `4100${String(10_000_000_000_000 + i * 7_919)}`,
      name: '郑州华信商贸有限公司',
      kind: 'corporate' as const,
      bank: '102491002011',
      creditCode: '91410100MA3X6AA49P',
      region: '410100',
      openedOn: '2024-01-01',
      balanceFen: 9_900_000 + i,
    },
    payee: {
      account: `62220210${String(10_000_000_000 + i * 104_729)}`,
      name: '张伟',
      kind: 'personal' as const,
      bank: '103491002011',
    },
    bank: '102491002011',
    channel: 'ebank',
    remark: '货款',
    device: { id: `dev-${i % 997}`, ip: '203.0.113.7', mac: '00:00:5e:00:53:01' },
    operator: '李会计',
  };
}
