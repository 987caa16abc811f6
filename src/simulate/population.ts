import { hash32 } from './random.js';

/**
 * Who there is: accounts are indexes 0 … accounts−1, laid out in ranges. What an account is (its name, its size, its
 * suppliers) follows from seed and index alone, so that a million accounts cost no memory until they move money.
 *
 * `[0, firms)` enterprises in business with a history · `[firms, startups end)` just opened · `[…, idle end)` enterprises
 * that only ever receive · institutions (treasuries, insurance, utilities, bank fees,
 * tender deposits, licensed finance, securities, lenders) · persons · `[castStart, accounts)`
 * the people and shells of the planted schemes.
 */
export interface Population {
  readonly seed: number;
  readonly accounts: number;
  readonly firms: number;
  readonly startupsEnd: number;
  readonly idleEnd: number;
  readonly institutionsEnd: number;
  /** Employees are the persons below this index; all persons shop. */
  readonly employeesEnd: number;
  readonly castStart: number;
  /** Pairs of an enterprise and one of its regular suppliers: pair p belongs to firm p mod `firms`. */
  readonly pairs: number;
  readonly employeesPerFirm: number;
}

export interface PopulationPlan {
  readonly seed: number;
  readonly accounts: number;
  /** Accounts kept for the planted schemes. */
  readonly cast: number;
  /** Payments of the history that go to regular suppliers. */
  readonly pairHistory: number;
  /** Salaries paid on one day. */
  readonly salariesPerDay: number;
}

const corporateShare = 0.2;
/** A regular pair has been seen at least this often before the first day. */
const paymentsPerPairMin = 2.1;
const suppliersPerFirmMin = 1.5;
export const suppliersPerFirmMax = 8;
export const institutionsPerKind = 18;
export const institutionKinds = [
  'treasury',
  'insurance',
  'utility',
  'fees',
  'tender',
  'licensed',
  'securities',
  'lender',
] as const;
export type InstitutionKind = (typeof institutionKinds)[number];

export function createPopulation(plan: PopulationPlan): Population {
  const corporate = Math.floor(plan.accounts * corporateShare);
  const startups = Math.max(3, Math.floor(corporate * 0.008));
  const pairsMax = Math.floor(plan.pairHistory / paymentsPerPairMin);
  const firms = Math.max(40, Math.min(corporate - startups, Math.floor(pairsMax / suppliersPerFirmMin)));
  const institutionsEnd = corporate + institutionKinds.length * institutionsPerKind;
  const castStart = plan.accounts - plan.cast;
  const persons = castStart - institutionsEnd;
  if (persons < 100) throw new RangeError(`${plan.accounts} accounts leave ${persons} persons: ask for more accounts`);
  const payrollFirms = Math.ceil(firms / payrollEvery);
  return {
    seed: plan.seed,
    accounts: plan.accounts,
    firms,
    startupsEnd: firms + startups,
    idleEnd: corporate,
    institutionsEnd,
    employeesEnd: institutionsEnd + Math.floor(persons * 0.6),
    castStart,
    pairs: Math.max(firms, Math.min(pairsMax, firms * suppliersPerFirmMax)),
    employeesPerFirm: Math.min(200, Math.max(8, Math.round(plan.salariesPerDay / payrollFirms))),
  };
}

export type Role = 'firm' | 'startup' | 'idle' | 'institution' | 'person' | 'cast';

export function roleOf(population: Population, account: number): Role {
  if (account < population.firms) return 'firm';
  if (account < population.startupsEnd) return 'startup';
  if (account < population.idleEnd) return 'idle';
  if (account < population.institutionsEnd) return 'institution';
  return account < population.castStart ? 'person' : 'cast';
}

/** Kinds of enterprises that behave in a way of their own; their remainders never meet. */
const payrollEvery = 25;
export const isPayrollFirm = (firm: number): boolean => firm % payrollEvery === 7;
export const payrollFirmAt = (turn: number): number => turn * payrollEvery + 7;
export const isRetailer = (firm: number): boolean => firm % 20 === 3;
export const retailerAt = (turn: number): number => turn * 20 + 3;
/** A subsidiary hands what it took in to its parent in the afternoon. */
export const isSubsidiary = (firm: number): boolean => firm % 50 === 11;
export const subsidiaryAt = (turn: number): number => turn * 50 + 11;

/** An enterprise's usual payment in fen: 5,000 to 800,000 yuan. */
export function scaleFen(population: Population, firm: number): number {
  const share = hash32(population.seed, firm, 31) / 4_294_967_296;
  const within = hash32(population.seed, firm, 32) / 4_294_967_296;
  const [low, high] = share < 0.35 ? [5_000, 30_000] : share < 0.87 ? [30_000, 200_000] : [200_000, 800_000];
  return Math.round(low + (high - low) * within * within) * 100;
}

/** The supplier of pair `pair`. Everybody sells to as many as he buys from, and never to himself. */
export function supplierOf(population: Population, pair: number): number {
  return ((pair % population.firms) + supplierOffset(population, Math.floor(pair / population.firms))) % population.firms;
}

/** Who regularly buys from `firm` (its customer through the first pair of each enterprise). */
export function customerOf(population: Population, firm: number): number {
  return customerAt(population, firm, 0);
}

/** Whose pair number `slot` ends at `firm`. */
export function customerAt(population: Population, firm: number, slot: number): number {
  return (((firm - supplierOffset(population, slot)) % population.firms) + population.firms) % population.firms;
}

/** What is usually paid between a regular pair, in fen. */
export function pairNormFen(population: Population, pair: number): number {
  const share = 0.5 + hash32(population.seed, pair, 33) / 4_294_967_296;
  return Math.round(scaleFen(population, pair % population.firms) * share);
}

function supplierOffset(population: Population, slot: number): number {
  return 1 + Math.floor(((slot + 1) / (suppliersPerFirmMax + 1)) * (population.firms - 1));
}

export function employeeOf(population: Population, payrollTurn: number, position: number): number {
  const employees = population.employeesEnd - population.institutionsEnd;
  return population.institutionsEnd + ((payrollTurn * population.employeesPerFirm + position) % employees);
}

/** The treasury, insurance fund, utility, fee … account that serves an enterprise. */
export function institutionFor(population: Population, kind: InstitutionKind, firm: number): number {
  const city = hash32(population.seed, firm, 34) % institutionsPerKind;
  return population.idleEnd + institutionKinds.indexOf(kind) * institutionsPerKind + city;
}

/** What an account holds before its first transaction, in fen. */
export function openingBalanceFen(population: Population, account: number): number {
  const share = hash32(population.seed, account, 35) / 4_294_967_296;
  switch (roleOf(population, account)) {
    case 'firm': {
      const payrollFen = isPayrollFirm(account) ? population.employeesPerFirm * 2_700_000 : 0;
      return Math.round(scaleFen(population, account) * (40 + share * 120)) + payrollFen;
    }
    case 'idle':
      return Math.round((20_000 + share * 2_000_000) * 100);
    case 'institution':
      return 100_000_000_000;
    case 'person':
      return Math.round((3_000 + share * share * share * 200_000) * 100);
    case 'startup':
      return Math.round((150_000 + share * 350_000) * 100);
    case 'cast':
      return 0;
  }
}

/** What an enterprise turns over in a usual month, in fen. */
export function monthlyFen(population: Population, account: number): number {
  if (account < population.firms) return scaleFen(population, account) * 25;
  return 20_000_000 + (hash32(population.seed, account, 36) % 180) * 1_000_000;
}
