import { dayNumber } from '../../src/domain/bank-day.js';
import { type Identity, identityOf } from '../../src/simulate/identity.js';
import type { PlannedPayment } from '../../src/simulate/payment.js';
import type { Plot } from '../../src/simulate/plants/stage.js';
import { roleOf } from '../../src/simulate/population.js';
import type { AnyStagedRecord, StagedProfile } from '../../src/simulate/reference-line.js';
import type { Scenery } from '../../src/simulate/scenery.js';

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;
export const yuan = 100;

export interface TimedRecord {
  readonly record: AnyStagedRecord;
  readonly timeMs: number;
}

/** One playing of a scheme as it was planned, with what can be asked of its accounts. */
export interface Story {
  readonly scenery: Scenery;
  /** In order of time. */
  readonly payments: readonly PlannedPayment[];
  readonly records: readonly TimedRecord[];
  /** Accounts of the scheme, the robbed ones among them. */
  readonly accounts: readonly number[];
  readonly identity: (account: number) => Identity;
  readonly isPerson: (account: number) => boolean;
  /** An enterprise of ordinary business. */
  readonly isVictim: (account: number) => boolean;
  readonly isPublic: (account: number) => boolean;
  readonly ageDays: (account: number, timeMs: number) => number;
  /** As it is at an instant; the plain one where the scheme says nothing. */
  readonly profile: (account: number, timeMs?: number) => StagedProfile;
  /** Enterprises whose profiles hold the value, those that make no payment among them. */
  readonly sharing: (key: 'address' | 'legalRepId' | 'phone' | 'agent', value: string | undefined) => number;
  readonly out: (account: number, fromMs?: number, toMs?: number) => PlannedPayment[];
  readonly in: (account: number, fromMs?: number, toMs?: number) => PlannedPayment[];
}

export function storiesOf(scenery: Scenery, plot: Plot): Story[] {
  const known = new Map([...scenery.profiles, ...plot.profiles]);
  const { population, firstDay } = scenery;
  const identity = (account: number): Identity => identityOf(population, known, firstDay, account);
  const role = (account: number) => (plot.profiles.has(account) ? 'cast' : roleOf(population, account));
  const schemes = [...new Set([...plot.payments, ...plot.records].map(({ scheme }) => scheme))];
  return schemes.map((scheme): Story => {
    const payments = plot.payments.filter((payment) => payment.scheme === scheme);
    const records = plot.records.filter((record) => record.scheme === scheme);
    const within =
      (side: 'payer' | 'payee') =>
      (account: number, fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY) =>
        payments.filter((payment) => payment[side] === account && payment.timeMs >= fromMs && payment.timeMs <= toMs);
    return {
      scenery,
      payments,
      records,
      accounts: [...new Set(payments.flatMap(({ payer, payee }) => [payer, payee]))],
      identity,
      isPerson: (account) => identity(account).kind === 'personal',
      isVictim: (account) => role(account) === 'firm',
      isPublic: (account) => role(account) === 'institution',
      ageDays: (account, timeMs) => dayNumber(timeMs) - Math.floor(Date.parse(identity(account).openedOn ?? '2000-01-01') / day),
      profile(account, timeMs = Number.POSITIVE_INFINITY) {
        const later = records.findLast(
          ({ record, timeMs: at }) => record.type === 'profile' && record.account === account && at <= timeMs,
        );
        if (later?.record.type === 'profile') return later.record;
        return plot.accountProfiles.get(account) ?? scenery.profile(account, identity(account));
      },
      sharing(key, value) {
        const told = [
          ...plot.accountProfiles.values(),
          ...records.flatMap(({ record }) => (record.type === 'profile' ? record : [])),
        ];
        return value === undefined ? 0 : distinct(told.filter((one) => one[key] === value).map(({ account }) => account));
      },
      out: within('payer'),
      in: within('payee'),
    };
  });
}

export const sum = (payments: readonly PlannedPayment[]): number =>
  payments.reduce((total, { amountFen }) => total + amountFen, 0);
export const distinct = <T>(values: readonly T[]): number => new Set(values).size;
export const payersOf = (payments: readonly PlannedPayment[]): number => distinct(payments.map(({ payer }) => payer));
export const payeesOf = (payments: readonly PlannedPayment[]): number => distinct(payments.map(({ payee }) => payee));
export const share = <T>(items: readonly T[], holds: (item: T) => boolean): number =>
  items.length === 0 ? 0 : items.filter((item) => holds(item)).length / items.length;
export const hourOf = (timeMs: number): number => Math.floor(timeMs / hour + 8) % 24;

/** The windows of `ms` that end with each of the payments. */
export function windows(payments: readonly PlannedPayment[], ms: number): PlannedPayment[][] {
  return payments.map(({ timeMs }) => payments.filter((other) => other.timeMs <= timeMs && other.timeMs > timeMs - ms));
}

/** Standard deviation over mean of the amounts. */
export function variation(payments: readonly PlannedPayment[]): number {
  const mean = sum(payments) / payments.length;
  const square = payments.reduce((total, { amountFen }) => total + (amountFen - mean) ** 2, 0) / payments.length;
  return Math.sqrt(square) / mean;
}

/**
 * Paths of payments forward in time, each hop within `dwellMs` of the one before and keeping the shares of its amount; for every
 * payment the longest path that ends with it.
 */
export function longestPaths(
  payments: readonly PlannedPayment[],
  dwellMs: number,
  keep: { readonly least: number; readonly most: number },
): PlannedPayment[][] {
  const paths: PlannedPayment[][] = [];
  for (const payment of payments) {
    const before = paths.filter((path) => {
      const last = path.at(-1)!;
      const kept = payment.amountFen / last.amountFen;
      const waitedMs = payment.timeMs - last.timeMs;
      return last.payee === payment.payer && waitedMs >= 0 && waitedMs <= dwellMs && kept >= keep.least && kept <= keep.most;
    });
    const longest = before.reduce<PlannedPayment[]>((best, path) => (path.length > best.length ? path : best), []);
    paths.push([...longest, payment]);
  }
  return paths;
}
