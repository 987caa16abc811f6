import { startOfDayMs } from '../domain/bank-day.js';
import { type Habit, habitOf } from './devices.js';
import { currencies, fenPer100 } from './exchange.js';
import { type CastProfile, type Identity, identityOf } from './identity.js';
import type { PlannedRecord } from './payment.js';
import type { Plot } from './plants/stage.js';
import { type InstitutionKind, institutionKinds, institutionsPerKind, monthlyFen, type Population } from './population.js';
import { plainProfile } from './profiles.js';
import type { AnyStagedRecord, StagedProfile } from './reference-line.js';

/** What is known of the accounts of ordinary life. */
export interface Scenery {
  readonly population: Population;
  readonly firstDay: number;
  /** Of ordinary accounts whose identity differs from the plain one. */
  readonly profiles: ReadonlyMap<number, CastProfile>;
  readonly habit: (account: number) => Habit;
  readonly profile: (account: number, identity: Identity) => StagedProfile;
}

export function plainScenery(population: Population, firstDay: number): Scenery {
  const { seed } = population;
  return {
    population,
    firstDay,
    profiles: new Map(),
    habit: (account) => habitOf(seed, account),
    profile: (account, identity) => plainProfile({ seed, account, identity, monthlyFen: monthlyFen(population, account) }),
  };
}

type OpeningRecord = Omit<PlannedRecord, 'scheme'>;

export interface OpeningRecords {
  /** At the first instant: not kept, made one by one. */
  readonly first: Iterable<AnyStagedRecord>;
  /** Of the accounts opened later, and the rates of the days; sorted by time. */
  readonly later: readonly OpeningRecord[];
}

/** What banks and centres send before anything else, and then as accounts are opened and rates are set. */
export function openingRecords(scenery: Scenery, plot: Plot, startMs: number, days: number): OpeningRecords {
  const { population, firstDay } = scenery;
  const cast = [...plot.profiles].filter(([, { kind }]) => kind === 'corporate');
  const openingMs = (day: number): number => startOfDayMs(day) + 8 * 3_600_000;
  const known = new Map([...scenery.profiles, ...plot.profiles]);

  function profile(account: number): StagedProfile {
    return plot.accountProfiles.get(account) ?? scenery.profile(account, identityOf(population, known, firstDay, account));
  }
  const isLate = (openedDay: number): boolean => openingMs(openedDay) > startMs;
  function* first(): Generator<AnyStagedRecord> {
    yield* lists(scenery, known);
    for (let account = 0; account < population.idleEnd; account++) {
      if (!isLate(scenery.profiles.get(account)?.openedDay ?? 0)) yield profile(account);
    }
    for (const [account, { openedDay }] of cast) if (!isLate(openedDay)) yield profile(account);
  }
  const opened = [...cast, ...scenery.profiles].filter(([, { openedDay }]) => isLate(openedDay));
  const later = [
    ...opened.map(([account, { openedDay }]) => ({ timeMs: openingMs(openedDay), record: profile(account) })),
    ...rates(firstDay, days),
  ];
  return { first: first(), later: later.toSorted((a, b) => a.timeMs - b.timeMs) };
}

/** Rates are set in the morning; those of the days before the first are there for the stories that begin earlier. */
function rates(firstDay: number, days: number): OpeningRecord[] {
  return Array.from({ length: days + 10 }, (_, i) => firstDay - 10 + i).flatMap((day) =>
    currencies.map((currency) => ({
      timeMs: startOfDayMs(day) + 9.25 * 3_600_000,
      record: { type: 'exchange-rate' as const, currency, fenPer100: fenPer100(currency, day) },
    })),
  );
}

const institutionLists = [
  ['treasury', 'treasury'],
  ['tender-accounts', 'tender'],
  ['licensed-institutions', 'licensed'],
  ['securities-accounts', 'securities'],
] as const satisfies readonly (readonly [string, InstitutionKind])[];

function* lists({ population, firstDay }: Scenery, known: ReadonlyMap<number, CastProfile>): Generator<AnyStagedRecord> {
  for (const [list, kind] of institutionLists) {
    const start = population.idleEnd + institutionKinds.indexOf(kind) * institutionsPerKind;
    const accounts = Array.from({ length: institutionsPerKind }, (_, i) => start + i);
    const names = accounts.map((account) => identityOf(population, known, firstDay, account).name);
    // Names as well as accounts: a payer knows only the name.
    yield { type: 'list', list, action: 'add', entries: [...accounts, ...new Set(names)] };
  }
}
