import { dayNumber } from '../domain/bank-day.js';
import { simulateBankDay } from '../simulate/bank-day.js';

/** A simulated bank day in memory, its records one behind the other. */
export interface Material {
  readonly bytes: Uint8Array;
  /** Record `i` is `bytes[starts[i], starts[i + 1])`. */
  readonly starts: Uint32Array;
  readonly count: number;
}

export const firstDay = dayNumber(Date.parse('2026-07-01T00:00:00+08:00'));

export function createMaterial(accounts: number, transactions: number, seed = 1, day = firstDay): Material {
  let bytes = new Uint8Array(transactions * 600);
  const starts = new Uint32Array(transactions + 1);
  let count = 0;
  let end = 0;
  for (const { json } of simulateBankDay({ accounts, transactions, seed, day })) {
    if (end + json.length > bytes.length) {
      const wider = new Uint8Array(bytes.length * 2);
      wider.set(bytes);
      bytes = wider;
    }
    bytes.set(json, end);
    end += json.length;
    starts[++count] = end;
  }
  return { bytes, starts, count };
}

/** The same material in which every fifth payment goes to one and the same account. */
export function withHotAccount(material: Material): Material {
  const text = new TextDecoder();
  const encoder = new TextEncoder();
  const records = Array.from({ length: material.count }, (_, i) => {
    const record = material.bytes.subarray(material.starts[i], material.starts[i + 1]);
    if (i % 5 !== 0) return record;
    const transaction = JSON.parse(text.decode(record)) as { payee: { account: string; kind?: string } };
    transaction.payee = { ...transaction.payee, account: hotAccount, kind: 'corporate' };
    return encoder.encode(JSON.stringify(transaction));
  });
  const bytes = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
  const starts = new Uint32Array(material.count + 1);
  let end = 0;
  records.forEach((record, i) => {
    bytes.set(record, end);
    end += record.length;
    starts[i + 1] = end;
  });
  return { bytes, starts, count: material.count };
}

const hotAccount = '41000000000000000001';
