import { widerLength } from './growth.js';
import { kept, type Snapshotted, snapshotted } from './snapshot-state.js';

/** One row by the number of an account, -1 for none: where its chain of rows in a pool begins. */
export interface AccountHeads {
  get(account: number): number;
  /** `row` -1 takes it away. */
  set(account: number, row: number): void;
  /** Visits some accounts that have a row at each call, all of them in turn. */
  inTurn(accountsMost: number, visit: (account: number, row: number) => void): void;
  bytesUsed(): number;
  readonly snapshot: Snapshotted;
}

export function createAccountHeads(): AccountHeads {
  /** Row + 1. */
  let rows = new Int32Array(64);
  /** Behind the last account with a row, and the account that comes next in turn. */
  let end = 0;
  let turn = 0;
  return {
    get: (account) => (account < end ? rows[account]! - 1 : -1),
    set(account, row) {
      if (account >= rows.length) {
        const wider = new Int32Array(Math.max(account + 1, widerLength(rows.length)));
        wider.set(rows);
        rows = wider;
      }
      rows[account] = row + 1;
      if (account >= end) end = account + 1;
    },
    inTurn(accountsMost, visit) {
      for (let left = Math.min(accountsMost, end); left > 0; left--) {
        turn = turn + 1 >= end ? 0 : turn + 1;
        if (rows[turn]! > 0) visit(turn, rows[turn]! - 1);
      }
    },
    bytesUsed: () => rows.byteLength,
    snapshot: snapshotted(
      () => ({ rows: kept(rows, end), end, turn }),
      (state) => {
        ({ rows, end, turn } = state);
      },
    ),
  };
}
