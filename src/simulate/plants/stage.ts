import { dayMs, startOfDayMs } from '../../domain/bank-day.js';
import type { CastProfile } from '../identity.js';
import type { Channel, PlannedPayment, Typology } from '../payment.js';
import { distantCities, henanCity, type Place } from '../places.js';
import { isPayrollFirm, isRetailer, isSubsidiary, type Population, scaleFen } from '../population.js';
import { createRandom, hash32, itemAt, type Random } from '../random.js';

/** One planted scheme: a file of this folder, named for the pattern of the catalogue that it follows. */
export interface Plant {
  readonly typology: Typology;
  /** Writes the scheme's payments onto the stage, in any order. `stage.day` is the day on which it shows. */
  plan(stage: Stage): void;
}

interface Stage {
  readonly random: Random;
  /** Day number of the day on which the pattern completes. */
  readonly day: number;
  /** A corporate account of the scheme. */
  readonly shell: (options?: ShellOptions) => number;
  /** A personal card of the scheme, or of somebody it has fooled. */
  readonly card: (place?: Place) => number;
  /** `count` cards in `count` different provinces as far as they reach. */
  readonly cards: (count: number) => number[];
  /** An enterprise in ordinary business that this scheme robs, each only once. */
  readonly victim: () => Victim;
  readonly pay: (payment: StagedPayment) => void;
}

interface ShellOptions {
  /** Age in days on `stage.day`; between 100 and 900 where left out. */
  readonly ageDays?: number;
  readonly place?: Place;
}

interface StagedPayment {
  readonly from: number;
  readonly to: number;
  readonly amountFen: number;
  readonly timeMs: number;
  readonly remark: string;
  readonly channel?: Channel;
}

/** What the schemes together need before the first transaction. */
export interface Plot {
  /** Sorted by time. */
  readonly payments: readonly PlannedPayment[];
  readonly profiles: ReadonlyMap<number, CastProfile>;
  /** Opening balance in fen of each cast account. */
  readonly openings: ReadonlyMap<number, number>;
  /** What each victim loses, in fen. */
  readonly losses: ReadonlyMap<number, number>;
}

/** Hands out accounts from the end of the population downwards. */
interface Casting {
  readonly accounts: number;
  readonly seed: number;
}

export interface PlotPlan extends Casting {
  readonly plants: readonly Plant[];
  /** How often each plant is played. */
  readonly sets: number;
  readonly firstDay: number;
  readonly days: number;
}

/** Plays every plant `sets` times, over the days in turn. `victims` gives enterprises to rob, each once. */
export function planPlot(plan: PlotPlan, victims: Iterator<Victim, void>): Plot {
  const payments: PlannedPayment[] = [];
  const profiles = new Map<number, CastProfile>();
  const losses = new Map<number, number>();
  let scheme = 0;
  for (let set = 0; set < plan.sets; set++) {
    for (const plant of plan.plants) {
      scheme++;
      const random = createRandom(hash32(plan.seed, 61, scheme));
      const day = plan.firstDay + (set % plan.days);
      plant.plan(createStage(plan, plant.typology, scheme, day, random, { payments, profiles, losses, victims }));
    }
  }
  payments.sort((a, b) => a.timeMs - b.timeMs || a.scheme - b.scheme);
  return { payments, profiles, losses, openings: openingsFen(payments, profiles, plan.seed) };
}

export interface Victim {
  readonly account: number;
  readonly scaleFen: number;
}

/** Enterprises of middling size that do nothing unusual of their own. */
export function* victimsOf(population: Population): Generator<Victim, void> {
  const start = hash32(population.seed, 62) % population.firms;
  for (let i = 0; i < population.firms; i++) {
    const account = (start + i) % population.firms;
    const scale = scaleFen(population, account);
    const isPlain = !isPayrollFirm(account) && !isRetailer(account) && !isSubsidiary(account);
    if (isPlain && scale >= 1_500_000 && scale <= 6_000_000) yield { account, scaleFen: scale };
  }
}

interface Shared {
  readonly payments: PlannedPayment[];
  readonly profiles: Map<number, CastProfile>;
  readonly losses: Map<number, number>;
  readonly victims: Iterator<Victim, void>;
}

function createStage(casting: Casting, typology: Typology, scheme: number, day: number, random: Random, shared: Shared): Stage {
  const { payments, profiles, losses, victims } = shared;

  function join(profile: CastProfile): number {
    const account = casting.accounts - 1 - profiles.size;
    profiles.set(account, profile);
    return account;
  }
  const card = (place: Place = henanCity(random.below(1 << 20))): number =>
    join({ kind: 'personal', place, openedDay: day - random.between(200, 3_000) });

  return {
    random,
    day,
    card,
    shell: ({ ageDays = random.between(100, 900), place = henanCity(random.below(1 << 20)) } = {}) =>
      join({ kind: 'corporate', place, openedDay: day - ageDays }),
    cards(count) {
      const start = random.below(distantCities.length);
      return Array.from({ length: count }, (_, i) => card(itemAt(distantCities, start + i)));
    },
    victim() {
      const found = victims.next();
      if (found.done)
        throw new RangeError('the population has too few enterprises to rob: ask for more accounts or fewer transactions');
      return found.value;
    },
    pay({ from, to, amountFen, timeMs, remark, channel = 'ebank' }) {
      if (!profiles.has(from)) losses.set(from, (losses.get(from) ?? 0) + amountFen);
      const wholeMs = Math.floor(timeMs / 1_000) * 1_000;
      payments.push({ payer: from, payee: to, amountFen, timeMs: wholeMs, remark, channel, typology, scheme });
    },
  };
}

/** Each cast account begins with what its first payments need beyond what it has received by then, and a little of its own. */
function openingsFen(
  payments: readonly PlannedPayment[],
  profiles: ReadonlyMap<number, CastProfile>,
  seed: number,
): Map<number, number> {
  const balance = new Map<number, number>();
  const lowest = new Map<number, number>();
  const isPaid = new Set<number>();
  for (const { payer, payee, amountFen } of payments) {
    const left = (balance.get(payer) ?? 0) - amountFen;
    balance.set(payer, left);
    lowest.set(payer, Math.min(lowest.get(payer) ?? 0, left));
    balance.set(payee, (balance.get(payee) ?? 0) + amountFen);
    isPaid.add(payee);
  }
  const openings = new Map<number, number>();
  for (const account of profiles.keys()) {
    // Whoever only pays is a person or firm that has been fooled, with savings left; the others are kept empty.
    const ownFen = isPaid.has(account) ? hash32(seed, account, 63) % 30_000 : 500_000 + (hash32(seed, account, 63) % 8_000_000);
    openings.set(account, ownFen - (lowest.get(account) ?? 0));
  }
  return openings;
}

/** An instant: `clock(day, 9.5)` is half past nine. */
export function clock(day: number, hour: number): number {
  return startOfDayMs(day) + Math.round((hour * dayMs) / 24);
}

export const minuteMs = 60_000;

/** `parts` amounts of whole hundreds of yuan that sum to about `totalFen`, the smallest at least half of the largest. */
export function splitFen(random: Random, totalFen: number, parts: number): number[] {
  const weights = Array.from({ length: parts }, () => random.within(0.75, 1.25));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => Math.floor((totalFen * weight) / sum / 10_000) * 10_000);
}

export const sumFen = (amounts: readonly number[]): number => amounts.reduce((sum, amount) => sum + amount, 0);
