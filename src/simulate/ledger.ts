/** Balances in fen, one per account, and what may not be spent because a later payment needs it. */
export interface Ledger {
  balanceFen(account: number): number;
  /** What an account may spend on ordinary business. */
  availableFen(account: number): number;
  /** Moves money. Throws when the payer's balance does not reach: a fault of the simulation. */
  move(payer: number, payee: number, amountFen: number): void;
  /** Money that an account is given before its first transaction, and keeps for `release`. */
  endow(account: number, openingFen: number, reservedFen: number): void;
  release(account: number, amountFen: number): void;
}

export function createLedger(accounts: number, openingFen: (account: number) => number): Ledger {
  const balances = new Float64Array(accounts).fill(Number.NaN);
  const reserved = new Map<number, number>();

  function balanceFen(account: number): number {
    const known = balances[account]!;
    if (!Number.isNaN(known)) return known;
    return (balances[account] = openingFen(account));
  }

  return {
    balanceFen,
    availableFen: (account) => balanceFen(account) - (reserved.get(account) ?? 0),
    move(payer, payee, amountFen) {
      const left = balanceFen(payer) - amountFen;
      if (left < 0 || payer === payee) {
        throw new Error(`simulated account ${payer} cannot pay ${amountFen} fen to ${payee}: it would hold ${left} fen`);
      }
      balances[payer] = left;
      balances[payee] = balanceFen(payee) + amountFen;
    },
    endow(account, opening, reservedFen) {
      balances[account] = opening;
      if (reservedFen > 0) reserved.set(account, reservedFen);
    },
    release(account, amountFen) {
      const rest = (reserved.get(account) ?? 0) - amountFen;
      if (rest > 0) reserved.set(account, rest);
      else reserved.delete(account);
    },
  };
}
