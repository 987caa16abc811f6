import type { Ledger } from './ledger.js';
import { type Population, scaleFen } from './population.js';
import type { Random } from './random.js';

/** How much an account may spend on ordinary business, and which amounts it likes. */
export interface Purse {
  /** The most that `payer` may part with, up to `wantFen`, keeping `1 - share` of his money; 0 when it is not worth a payment. */
  readonly affordable: (payer: number, wantFen: number, share: number) => number;
  /** Two in five amounts are whole hundreds of yuan. */
  readonly tidyFen: (amountFen: number) => number;
}

/** What the parts of ordinary business share. */
export interface Market {
  readonly population: Population;
  readonly ledger: Ledger;
  readonly random: Random;
  readonly purse: Purse;
}

/** A payer keeps at least half of what he has; of a first payment to a new payee, four fifths. */
export const keptShare = 0.5;
export const newPayeeShare = 0.2;
/** A first order stays below the sums at which a payment to a stranger is suspicious. */
export const firstOrderMaxFen = 9_000_000;
/** An enterprise never spends its last ten usual payments. */
const cushionPayments = 10;
/** Between these amounts a company's transfers would look split below the large-value report; ordinary ones stay out. */
const splitBandFen = { from: 139_000_000, to: 200_000_000 };

export function createPurse(population: Population, ledger: Ledger, random: Random): Purse {
  return {
    affordable(payer, wantFen, share) {
      const cushionFen = payer < population.firms ? scaleFen(population, payer) * cushionPayments : 0;
      const amount = Math.min(wantFen, Math.floor((ledger.availableFen(payer) - cushionFen) * share));
      return amount < 500 ? 0 : amount;
    },
    tidyFen(amountFen) {
      const outside = amountFen >= splitBandFen.from && amountFen < splitBandFen.to ? splitBandFen.from : amountFen;
      return random.chance(0.4) ? Math.max(10_000, Math.floor(outside / 10_000) * 10_000) : Math.max(500, Math.floor(outside));
    },
  };
}
