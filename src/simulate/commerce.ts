import { dayNumber } from '../domain/bank-day.js';
import { createDues } from './dues.js';
import { createHouseholds } from './households.js';
import type { Ledger } from './ledger.js';
import type { Payment } from './payment.js';
import { createPayroll } from './payroll.js';
import type { Population } from './population.js';
import { createPurse, type Market } from './purse.js';
import type { Random } from './random.js';
import { createStartups } from './startups.js';
import { createTakings } from './takings.js';
import { createTrade } from './trade.js';

/**
 * Ordinary business, harmless however it looks: regular suppliers, salaries, shops with many small customers, taxes,
 * refunds of what was paid before, subsidiaries that hand their takings to the parent, new suppliers for moderate sums,
 * companies just opened with modest costs. Every payer keeps an ordinary balance.
 */
export interface Commerce {
  /** A payment of the long quiet stretch: few enterprises, often enough that none of them looks dormant. */
  readonly early: () => Payment;
  /** A payment of the last months: goes round all regular pairs so that each is known before the first day. */
  readonly recent: (timeMs: number) => Payment;
  /** A payment of a simulated day. */
  readonly daily: (timeMs: number) => Payment;
  /** To be told of every payment of a simulated day that went through: it may be refunded or passed on later. */
  readonly settled: (payment: Payment) => void;
}

export interface CommerceParts {
  readonly population: Population;
  readonly ledger: Ledger;
  readonly random: Random;
  /** Enterprises that a planted scheme robs: they make no unusually large payment of their own. */
  readonly victims: ReadonlySet<number>;
  /** Payments of the last months there will be. */
  readonly recentCount: number;
}

/** An enterprise that is robbed has paid its suppliers at least this often, so that its norm is known. */
const victimPayments = 16;

/** Enterprises active in the long quiet stretch: one in a hundred. */
const anchorShare = 0.01;

type Draw = (timeMs: number) => Payment | undefined;

export function createCommerce({ population, ledger, random, victims, recentCount }: CommerceParts): Commerce {
  const market: Market = { population, ledger, random, purse: createPurse(population, ledger, random) };
  const trade = createTrade(market, victims);
  const payroll = createPayroll(market, trade.funding);
  const households = createHouseholds(market);
  const takings = createTakings(market, trade.hasTraded);
  const { dues, subsidy } = createDues(market);
  const anchors = Math.max(4, Math.floor(population.firms * anchorShare));
  const victimShare = Math.min(0.25, (victims.size * victimPayments) / Math.max(1, recentCount));

  const earlier = createMix(random, [
    [85, trade.inTurn],
    [7, () => dues('treasury')],
    [3, () => dues('utility')],
    [5, payroll.early],
  ]);
  const today = createMix(random, [
    [34, () => trade.regular()],
    [1.5, trade.settlement],
    [27, households.shopping],
    [3, households.consumer],
    [12, (timeMs) => payroll.next(dayNumber(timeMs))],
    [7, () => dues(random.chance(0.6) ? 'treasury' : 'insurance')],
    [4, () => dues('utility')],
    [4, () => dues('fees')],
    [4, households.reimbursement],
    [2, trade.newSupplier],
    [0.7, takings.refund],
    [0.6, createStartups(market)],
  ]);

  return {
    early: () => trade.regular(anchors) ?? subsidy(),
    recent: (timeMs) => (random.chance(victimShare) ? trade.victimInTurn() : earlier(timeMs)) ?? subsidy(),
    daily: (timeMs) => takings.sweepUp(timeMs) ?? today(timeMs) ?? trade.regular() ?? subsidy(),
    settled: takings.settled,
  };
}

/** Draws from one of several kinds, by weight. */
function createMix(random: Random, kinds: readonly (readonly [weight: number, draw: Draw])[]): Draw {
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  return (timeMs) => {
    let left = random.unit() * total;
    return kinds.find(([weight]) => (left -= weight) < 0)?.[1](timeMs);
  };
}
