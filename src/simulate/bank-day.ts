import { dayNumber, startOfDayMs } from '../domain/bank-day.js';
import { createClerk, dueUntil, mergedByTime, type PlannedQueue, type SimulatedLine } from './clerk.js';
import { createCommerce } from './commerce.js';
import { createLedger } from './ledger.js';
import { classicPlants } from './plants/index.js';
import { type Plant, planPlot, type Plot } from './plants/stage.js';
import { createPopulation, openingBalanceFen } from './population.js';
import { createRandom, hash32 } from './random.js';
import { createRender } from './render.js';
import { openingRecords, plainScenery, type Scenery } from './scenery.js';
import { eventTimes, isWeekend, type Stretch } from './timeline.js';

/** What to simulate. The same options give the same bytes. */
export interface BankDayOptions {
  /** All accounts there are, of enterprises, institutions and persons; not all of them need to move money. */
  readonly accounts: number;
  /** All transactions, history and planted schemes included. */
  readonly transactions: number;
  readonly seed: number;
  /** Day number of the first day (see `domain/bank-day.ts`). */
  readonly day: number;
  /** Days after the history; 1 where left out. */
  readonly days?: number;
  /** Schemes to plant; the classic twelve where left out. */
  readonly plants?: readonly Plant[];
  /** Reference records among the transactions, which do not count as such; none where left out. */
  readonly hasReferences?: boolean;
}

export const accountsMin = 1_000;
export const transactionsMin = 2_000;
export const accountsMax = 10_000_000;
export const transactionsMax = 50_000_000;
export const daysMax = 31;

/** Days of history before the first day, and how many of them every enterprise has been in business lately. */
const historyDays = 400;
const recentDays = 168;
/** Share of all transactions that lies before the first day: about 38 % of the days' own count. */
const historyShare = 0.275;
const earlyShare = 0.06;
const transactionsPerSet = 8_000;
/** Of all accounts, those that play in schemes. */
const castShareMax = 0.25;
/** Of all transactions, those of schemes. */
const plantedShareMax = 0.05;
const failedShare = 0.003;
const salaryShare = 0.12;
const regularShare = 0.85;

/**
 * A synthetic bank day with a light history before it, in order of time. Memory is bounded by the number of accounts
 * (8 bytes each) and of planted payments, not by the transactions.
 * Throws `RangeError` for options out of bounds, and for so few accounts that the schemes find nobody to rob.
 */
export function* simulateBankDay(options: BankDayOptions): Generator<SimulatedLine> {
  const { transactions, seed, day, days = 1, hasReferences = false } = options;
  checkOptions(options);
  const { scenery, plot } = createWorld(options);
  const { population } = scenery;
  const ledger = createLedger(
    options.accounts,
    (account) => plot.openings.get(account) ?? openingBalanceFen(population, account),
  );
  for (const [account, lossFen] of plot.losses) {
    ledger.endow(account, openingBalanceFen(population, account) + lossFen, lossFen);
  }
  const random = createRandom(hash32(seed, 81));
  const counts = ordinaryCounts(transactions, plot, day);
  const victims = new Set([...plot.losses.keys()].filter((account) => account < population.firms));
  const commerce = createCommerce({ population, ledger, random, victims, recentCount: counts.recent });
  const { profiles } = plot;
  const render = createRender({ population, profiles, firstDay: day, habit: scenery.habit });
  const clerk = createClerk({ population, profiles, firstDay: day, ledger, render });
  const startMs = startOfDayMs(day - historyDays);
  const opening = hasReferences ? openingRecords(scenery, plot, startMs, days) : undefined;
  const records = opening ? mergedByTime(plot.records, opening.later) : [];
  const queue: PlannedQueue = { payments: plot.payments, records, paid: 0, referred: 0 };

  for (const record of opening?.first ?? []) yield clerk.refer(record, startMs);
  for (const { stretch, phase } of stretchesOf(counts, day, days)) {
    for (const timeMs of eventTimes(stretch, random)) {
      yield* dueUntil(timeMs, queue, clerk);
      const payment =
        phase === 'daily' ? commerce.daily(timeMs) : phase === 'recent' ? commerce.recent(timeMs) : commerce.early();
      const isSettled = !(phase === 'daily' && payment.channel === 'ebank' && random.chance(failedShare));
      yield clerk.post(payment, timeMs, isSettled);
      if (isSettled && phase === 'daily') commerce.settled(payment);
    }
  }
  yield* dueUntil(Number.MAX_SAFE_INTEGER, queue, clerk);
}

/** Throws `RangeError` that names every option out of its bounds. */
function checkOptions({ accounts, transactions, seed, days = 1 }: BankDayOptions): void {
  const wrong = [
    outside('accounts', accounts, accountsMin, accountsMax),
    outside('transactions', transactions, transactionsMin, transactionsMax),
    outside('seed', seed, 0, 4_294_967_295),
    outside('days', days, 1, daysMax),
  ].filter((message) => message !== undefined);
  if (wrong.length > 0) throw new RangeError(wrong.join('; '));
}

function outside(name: string, value: number, min: number, max: number): string | undefined {
  return Number.isInteger(value) && value >= min && value <= max
    ? undefined
    : `${name}: expected a whole number from ${min} to ${max}, found ${value}`;
}

interface World {
  readonly scenery: Scenery;
  readonly plot: Plot;
}

function createWorld(options: BankDayOptions): World {
  const { accounts, transactions, seed, day, days = 1, plants = classicPlants } = options;
  const plan = {
    seed,
    accounts,
    pairHistory: Math.floor(transactions * historyShare * (1 - earlyShare) * regularShare * 0.94),
    salariesPerDay: (transactions * (1 - historyShare) * salaryShare) / days,
  };
  const uncast = plainScenery(createPopulation({ ...plan, cast: 0 }), day);
  const play = (sets: number): Plot => planPlot({ plants, sets, days }, uncast);
  // Once for 8,000 transactions, as far as the accounts reach and most of the business is honest.
  const one = play(1);
  const byAccounts = Math.floor((accounts * castShareMax) / Math.max(1, one.profiles.size));
  const byPayments = Math.floor((transactions * plantedShareMax) / Math.max(1, one.payments.length));
  const plot = play(Math.max(1, Math.min(Math.round(transactions / transactionsPerSet), byAccounts, byPayments)));
  return { scenery: plainScenery(createPopulation({ ...plan, cast: plot.profiles.size }), day), plot };
}

interface Counts {
  readonly early: number;
  readonly recent: number;
  readonly daily: number;
}

/** Payments of ordinary business in each phase: what the schemes leave of the total. */
function ordinaryCounts(transactions: number, plot: Plot, day: number): Counts {
  const planted = plot.payments.length;
  const plantedBefore = plot.payments.filter(({ timeMs }) => dayNumber(timeMs) < day).length;
  const history = Math.max(0, Math.round(transactions * historyShare) - plantedBefore);
  const early = Math.round(history * earlyShare);
  return { early, recent: history - early, daily: transactions - planted - history };
}

type Phase = keyof Counts;

function stretchesOf(counts: Counts, day: number, days: number): readonly { stretch: Stretch; phase: Phase }[] {
  const quiet = (weekday: number, weight: number): number => (isWeekend(weekday) ? weight * 0.15 : weight);
  const growing = (at: number): number => quiet(at, at < day - 90 ? 1 : 2);
  const recentFrom = day - recentDays;
  return [
    { phase: 'early', stretch: { from: day - historyDays, to: recentFrom, count: counts.early, weight: (at) => quiet(at, 1) } },
    { phase: 'recent', stretch: { from: recentFrom, to: day, count: counts.recent, weight: growing } },
    { phase: 'daily', stretch: { from: day, to: day + days, count: counts.daily, weight: (at) => quiet(at, 1) } },
  ];
}
