import { readTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';
import { dayNumber } from '../domain/bank-day.js';
import { simulateBankDay } from '../simulate/bank-day.js';

/** A simulated bank day in memory, as lines and as views that are read already. */
export interface Material {
  readonly lines: readonly Uint8Array[];
  readonly views: readonly TransactionView[];
  readonly bytesPerRecord: number;
}

const firstDay = dayNumber(Date.parse('2026-07-01T00:00:00+08:00'));

export function createMaterial(accounts: number, transactions: number, seed = 1): Material {
  const lines: Uint8Array[] = [];
  let size = 0;
  for (const { json } of simulateBankDay({ accounts, transactions, seed, day: firstDay })) {
    lines.push(json.slice());
    size += json.length;
  }
  const bytes = new Uint8Array(size);
  const views: TransactionView[] = [];
  let at = 0;
  for (const line of lines) {
    bytes.set(line, at);
    const view = new TransactionView();
    const rejection = readTransaction(bytes, at, at + line.length, view);
    if (rejection) throw new Error(`the simulator wrote a record that is refused: ${rejection.field} ${rejection.message}`);
    views.push(view);
    at += line.length;
  }
  return { lines, views, bytesPerRecord: size / lines.length };
}
