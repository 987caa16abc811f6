import { dayNumber } from '../domain/bank-day.js';
import { simulateBankDay } from '../simulate/bank-day.js';

/** A simulated bank day in memory, its records one behind the other. */
export interface Material {
  readonly bytes: Uint8Array;
  /** Record `i` is `bytes[starts[i], starts[i + 1])`. */
  readonly starts: Uint32Array;
  readonly count: number;
}

const firstDay = dayNumber(Date.parse('2026-07-01T00:00:00+08:00'));

export function createMaterial(accounts: number, transactions: number, seed = 1): Material {
  let bytes = new Uint8Array(transactions * 600);
  const starts = new Uint32Array(transactions + 1);
  let count = 0;
  let end = 0;
  for (const { json } of simulateBankDay({ accounts, transactions, seed, day: firstDay })) {
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
