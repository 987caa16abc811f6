import { dayMs, dayNumber, startOfDayMs } from '../../domain/bank-day.js';
import { type Device, deviceOf, type Habit } from '../devices.js';
import { type CastProfile, type Identity, identityOf } from '../identity.js';
import { personName } from '../names.js';
import type { Channel, PlannedPayment, PlannedRecord, Typology } from '../payment.js';
import { distantCities, henanCity, type Place } from '../places.js';
import {
  institutionFor,
  type InstitutionKind,
  isPayrollFirm,
  isRetailer,
  isSubsidiary,
  pairNormFen,
  type Population,
  scaleFen,
  suppliersPerFirmMax,
  supplierOf,
} from '../population.js';
import { createRandom, hash32, itemAt, type Random } from '../random.js';
import type { AnyStagedRecord, StagedProfile } from '../reference-line.js';
import type { Scenery } from '../scenery.js';

/** One planted scheme: a file of this folder, named for the pattern of the catalogue that it follows. */
export interface Plant {
  readonly typology: Typology;
  /** Days before `stage.day` that the story takes; 7 where left out. A month is long enough for it where its days allow. */
  readonly daysBefore?: number;
  /** Writes the scheme's payments and records onto the stage, in any order. `stage.day` is the day on which it shows. */
  plan(stage: Stage): void;
}

/** What a scheme is played with. Accounts are handles: numbers that mean nothing by themselves. */
export interface Stage {
  readonly random: Random;
  /** Day number of the day on which the pattern completes: nothing happens after it. Payments may go back 400 days. */
  readonly day: number;
  /** A corporate account of the scheme. */
  readonly shell: (options?: ShellOptions) => number;
  /** A personal card of the scheme, or of somebody it has fooled. */
  readonly card: (options?: CardOptions) => number;
  /** `count` cards in `count` different provinces as far as they reach. */
  readonly cards: (count: number) => number[];
  /** An enterprise in ordinary business that this scheme robs, each only once. */
  readonly victim: () => Victim;
  /** A person in ordinary life (a customer, an employee, somebody who is fooled), each only once. */
  readonly person: () => number;
  /** A public or licensed account of ordinary life: treasury, tender deposits, securities … */
  readonly institution: (kind: InstitutionKind) => number;
  readonly pay: (payment: StagedPayment) => void;
  /** A reference record: accounts by their handles, without id and time. */
  readonly record: (record: AnyStagedRecord, timeMs: number) => void;
  /**
   * The profile of an enterprise as its bank would send it, with some things otherwise. Without a time it replaces the plain
   * one that every enterprise has; with one it is a later profile.
   */
  readonly profile: (account: number, changes?: Partial<Omit<StagedProfile, 'type' | 'account'>>, timeMs?: number) => void;
  /** Account number, holder's name, credit code, region of an account. */
  readonly identity: (account: number) => Identity;
  /** The machine and the two people an account usually pays with. */
  readonly habit: (account: number) => Habit;
  /** A machine that nobody else has. */
  readonly device: () => Required<Device>;
  /** The invented name of a person that nobody has met. */
  readonly personName: () => string;
}

export interface ShellOptions {
  /** Age in days on `stage.day`; between 100 and 900 where left out. */
  readonly ageDays?: number;
  readonly place?: Place;
  readonly name?: string;
  /** With the name of another shell's identity: a second account of the same enterprise. */
  readonly creditCode?: string;
  /** Six digits; the place's city where left out. */
  readonly region?: string;
}

export type CardOptions = Pick<ShellOptions, 'place' | 'name' | 'region'>;

export interface StagedPayment {
  readonly from: number;
  readonly to: number;
  readonly amountFen: number;
  readonly timeMs: number;
  readonly remark: string;
  readonly channel?: Channel;
  readonly device?: Device;
  readonly operator?: string;
  /**
   * As much more than `amountFen` as leaves this share of the payer's balance (0 … 1), to whole hundreds of yuan. For the last
   * payments of an account: what it pays later has to come in later.
   */
  readonly drainTo?: number;
}

export interface Victim {
  readonly account: number;
  /** Its usual payment. */
  readonly scaleFen: number;
  /** Whom it pays regularly, the most usual first; at least one. */
  readonly partners: readonly Partner[];
}

export interface Partner {
  readonly account: number;
  /** What it is usually paid. */
  readonly normFen: number;
}

/** What the schemes together need before the first transaction. */
export interface Plot {
  /** Sorted by time. */
  readonly payments: readonly PlannedPayment[];
  /** Sorted by time. */
  readonly records: readonly PlannedRecord[];
  /** Instead of the plain profile of these accounts. */
  readonly accountProfiles: ReadonlyMap<number, StagedProfile>;
  readonly profiles: ReadonlyMap<number, CastProfile>;
  /** Opening balance in fen of each cast account. */
  readonly openings: ReadonlyMap<number, number>;
  /** What each ordinary account pays into schemes, in fen. */
  readonly losses: ReadonlyMap<number, number>;
}

export interface PlotPlan {
  readonly plants: readonly Plant[];
  /** How often each plant is played. */
  readonly sets: number;
  readonly days: number;
}

/**
 * Plays every plant `sets` times, over the days in turn. Of the population only enterprises and persons counted from the first
 * are asked, so that it may have been made for a cast of another size.
 */
export function planPlot(plan: PlotPlan, scenery: Scenery): Plot {
  const { population } = scenery;
  const drama: Drama = {
    scenery,
    payments: [],
    records: [],
    profiles: new Map(),
    accountProfiles: new Map(),
    losses: new Map(),
    victims: victimsOf(population),
    persons: personsOf(population),
  };
  let scheme = 0;
  for (let set = 0; set < plan.sets; set++) {
    for (const plant of plan.plants) {
      scheme++;
      const random = createRandom(hash32(population.seed, 61, scheme));
      plant.plan(createStage(drama, plant, scheme, scenery.firstDay + dayOf(plan, plant, set, scheme), random));
    }
  }
  const { payments, records, profiles, accountProfiles, losses } = drama;
  payments.sort((a, b) => a.timeMs - b.timeMs || a.scheme - b.scheme);
  openInTime(payments, profiles);
  records.sort((a, b) => a.timeMs - b.timeMs || a.scheme - b.scheme);
  return { payments, records, profiles, accountProfiles, losses, openings: openingsFen(payments, profiles, population.seed) };
}

/** An account that is paid before the day it was to be opened on is opened on the day of that payment. */
function openInTime(payments: readonly PlannedPayment[], profiles: Map<number, CastProfile>): void {
  for (const { payer, payee, timeMs } of payments) {
    for (const account of [payer, payee]) {
      const profile = profiles.get(account);
      if (profile && profile.openedDay > dayNumber(timeMs)) profiles.set(account, { ...profile, openedDay: dayNumber(timeMs) });
    }
  }
}

/** A long story is told where it has room; of short days each is used in turn. */
function dayOf({ days }: PlotPlan, { daysBefore = 7 }: Plant, set: number, scheme: number): number {
  const room = Math.min(daysBefore, days - 1);
  return days < 8 ? set % days : room + ((scheme * 7 + set) % (days - room));
}

/** Enterprises of middling size that do nothing unusual of their own. */
function* victimsOf(population: Population): Generator<Victim, void> {
  const start = hash32(population.seed, 62) % population.firms;
  for (let i = 0; i < population.firms; i++) {
    const account = (start + i) % population.firms;
    const scale = scaleFen(population, account);
    const isPlain = !isPayrollFirm(account) && !isRetailer(account) && !isSubsidiary(account);
    if (isPlain && scale >= 1_500_000 && scale <= 6_000_000) {
      yield { account, scaleFen: scale, partners: partnersOf(population, account) };
    }
  }
}

function partnersOf(population: Population, firm: number): Partner[] {
  return Array.from({ length: suppliersPerFirmMax }, (_, slot) => firm + slot * population.firms)
    .filter((pair) => pair < population.pairs)
    .map((pair) => ({ account: supplierOf(population, pair), normFen: pairNormFen(population, pair) }));
}

function* personsOf(population: Population): Generator<number, void> {
  for (let person = population.institutionsEnd; person < population.castStart; person++) yield person;
}

interface Drama {
  readonly scenery: Scenery;
  readonly payments: PlannedPayment[];
  readonly records: PlannedRecord[];
  readonly profiles: Map<number, CastProfile>;
  readonly accountProfiles: Map<number, StagedProfile>;
  readonly losses: Map<number, number>;
  readonly victims: Iterator<Victim, void>;
  readonly persons: Iterator<number, void>;
}

/** Ordinary people that have to be left. */
const personsMin = 100;

/** Cast accounts are handed out from the end of the population downwards. */
function createStage(drama: Drama, { typology }: Plant, scheme: number, day: number, random: Random): Stage {
  const { scenery, payments, records, profiles, accountProfiles, losses } = drama;
  const { population, firstDay } = scenery;
  const { seed, accounts } = population;
  const made = { devices: 0, names: 0 };
  const somewhere = (): Place => henanCity(random.below(1 << 20));
  const identity = (account: number): Identity =>
    identityOf(population, profiles.has(account) ? profiles : scenery.profiles, firstDay, account);

  function join(profile: CastProfile): number {
    const account = accounts - 1 - profiles.size;
    if (account < population.institutionsEnd + personsMin) {
      throw new RangeError('the schemes need more accounts than there are: ask for more accounts, or for fewer schemes');
    }
    profiles.set(account, profile);
    return account;
  }
  const card = ({ place = somewhere(), ...named }: CardOptions = {}): number =>
    join({ kind: 'personal', place, openedDay: day - random.between(200, 3_000), ...named });

  return {
    random,
    day,
    card,
    shell: ({ ageDays = random.between(100, 900), place = somewhere(), ...named } = {}) =>
      join({ kind: 'corporate', place, openedDay: day - ageDays, ...named }),
    cards(count) {
      const start = random.below(distantCities.length);
      return Array.from({ length: count }, (_, i) => card({ place: itemAt(distantCities, start + i) }));
    },
    victim: () => nextOf(drama.victims, 'enterprises to rob'),
    person: () => nextOf(drama.persons, 'persons'),
    institution: (kind) => institutionFor(population, kind, random.below(population.firms)),
    pay({ from, to, amountFen, timeMs, remark, channel = 'ebank', device, operator, drainTo }) {
      if (!profiles.has(from)) losses.set(from, (losses.get(from) ?? 0) + amountFen);
      const own = { ...(device && { device }), ...(operator !== undefined && { operator }) };
      const extent = drainTo === undefined ? {} : { drainTo };
      const payment = { payer: from, payee: to, amountFen, timeMs: wholeSecond(timeMs), remark, channel, ...own, ...extent };
      payments.push({ ...payment, typology, scheme });
    },
    record: (record, timeMs) => void records.push({ record, timeMs: wholeSecond(timeMs), scheme }),
    profile(account, changes = {}, timeMs) {
      const profile = { ...scenery.profile(account, identity(account)), ...changes };
      if (timeMs === undefined) accountProfiles.set(account, profile);
      else records.push({ record: profile, timeMs: wholeSecond(timeMs), scheme });
    },
    identity,
    habit: scenery.habit,
    device: () => deviceOf(hash32(seed, scheme * 4_096 + made.devices++, 73)),
    personName: () => personName(hash32(seed, scheme * 4_096 + made.names++, 74)),
  };
}

function nextOf<T>(source: Iterator<T, void>, what: string): T {
  const found = source.next();
  if (found.done) throw new RangeError(`the population has too few ${what}: ask for more accounts or fewer transactions`);
  return found.value;
}

function wholeSecond(timeMs: number): number {
  return Math.floor(timeMs / 1_000) * 1_000;
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
