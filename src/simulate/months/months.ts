import { startOfDayMs } from '../../domain/bank-day.js';
import { createClerk, dueUntil, mergedByTime, type PlannedQueue, type SimulatedLine } from '../clerk.js';
import { createLedger, type Ledger } from '../ledger.js';
import type { Payment } from '../payment.js';
import { plants as allPlants } from '../plants/index.js';
import { type Plant, planPlot, type Plot } from '../plants/stage.js';
import { openingBalanceFen, type Population, roleOf, scaleFen } from '../population.js';
import { createRandom, hash32 } from '../random.js';
import type { AnyStagedRecord } from '../reference-line.js';
import { createRender } from '../render.js';
import { openingRecords } from '../scenery.js';
import { dueDates, type IsWorkingDay, workingDayFrom } from './almanac.js';
import { planDues, planEarly } from './dues.js';
import type { Intent, Page } from './intent.js';
import { planLastSeason, planLookAlikes, seasonGapDays } from './look-alikes.js';
import { planOrdinary } from './ordinary-days.js';
import { loginOf, originOf, phoneOf, tellsLogins } from './origins.js';
import { accountChangeOf, townLists, townScenery } from './scenery.js';
import { historyMonths } from './standing.js';
import { createTills, planStartups } from './tills.js';
import { createTown, seasonStart, staffOf, tradeOf } from './town.js';

/** What to simulate. The same options give the same bytes; how many transactions there are follows from the firms' business. */
export interface MonthsOptions {
  /** All accounts there are; one in five is an enterprise's. */
  readonly accounts: number;
  readonly seed: number;
  /** Day number of the first day. */
  readonly day: number;
  readonly days: number;
  /** Schemes to plant; all where left out. */
  readonly plants?: readonly Plant[];
  /** How often each is planted; about once for 40,000 days of an enterprise where left out. */
  readonly sets?: number;
  /** Reference records among the transactions; they are there where left out. */
  readonly hasReferences?: boolean;
  /** Public holidays; where left out, Monday to Friday are working days. */
  readonly isWorkingDay?: IsWorkingDay;
}

export const monthsAccountsMin = 3_000;
export const monthsDaysMax = 366;
/** Days of history before the first day: few firms at first, then every regular relation a few times. */
const historyDays = 400;
/** So many days hold every date up to the 28th. */
const daysPerMonth = 31;
const thinDays = historyMonths * daysPerMonth;
const enterpriseDaysPerSet = 40_000;
const castShareMax = 0.3;
const failedShare = 0.003;

/**
 * Months of business of the enterprises of a province in order of time, with a thin history before them. Memory is bounded
 * by the accounts and one day's payments. Throws `RangeError` for options out of bounds and for too few accounts.
 */
export function* simulateMonths(options: MonthsOptions): Generator<SimulatedLine> {
  checkOptions(options);
  const { seed, day: firstDay, days, hasReferences = true, isWorkingDay = isWeekday } = options;
  const { population, plot, scenery } = createWorld(options);
  const ledger = createLedger(options.accounts, (account) => plot.openings.get(account) ?? openingFen(population, account));
  for (const [account, lossFen] of plot.losses) ledger.endow(account, openingFen(population, account) + lossFen, lossFen);
  const victims = new Set([...plot.losses.keys()].filter((account) => account < population.firms));
  const profiles = new Map([...scenery.profiles, ...plot.profiles]);
  const render = createRender({ population, profiles, firstDay, habit: scenery.habit, isThorough: true });
  const clerk = createClerk({ population, profiles, firstDay, ledger, render });
  const startMs = startOfDayMs(firstDay - historyDays);
  const opening = hasReferences ? openingRecords(scenery, plot, startMs, days) : undefined;
  const records = opening ? mergedByTime(plot.records, opening.later) : [];
  const queue: PlannedQueue = { payments: plot.payments, records, paid: 0, referred: 0 };
  const knownPairs = new Uint8Array(population.pairs + population.firms * 3);
  const tills = createTills();
  const deferred = new Map<number, Intent[]>();

  if (opening) {
    for (const record of [...townLists(population), ...opening.first]) yield clerk.refer(record, startMs);
  }
  for (let day = firstDay - historyDays; day < firstDay + days; day++) {
    const random = createRandom(hash32(seed, day, 171));
    const events: Event[] = [];
    const page: Page = {
      population,
      victims,
      random,
      day,
      isWorkingDay: isWorkingDay(day),
      workingDayFrom: (from) => workingDayFrom(from, isWorkingDay),
      due: dueDates(day, isWorkingDay),
      isHistory: day < firstDay,
      monthsBack: (of) => Math.ceil((firstDay - of) / daysPerMonth),
      isKnownPair,
      add: (intent) => void events.push({ timeMs: intent.timeMs, intent }),
      later(laterDay, intent) {
        const list = deferred.get(laterDay);
        if (list) list.push(intent);
        else deferred.set(laterDay, [intent]);
      },
    };
    for (const intent of deferred.get(day) ?? []) page.add(intent);
    deferred.delete(day);
    if (day < firstDay - thinDays) planEarly(page);
    else planDues(page);
    planLastSeason(page, firstDay);
    if (day >= firstDay) {
      planOrdinary(page);
      planLookAlikes(page);
      tills.plan(page);
      planStartups(page, firstDay, days);
      if (hasReferences) events.push(...recordsOf({ ...page, random: createRandom(hash32(seed, day, 172)) }, events));
    } else if (day >= firstDay - thinDays) tills.planThin(page);
    events.sort((a, b) => a.timeMs - b.timeMs);
    for (const { timeMs, intent, record } of events) {
      yield* dueUntil(timeMs, queue, clerk);
      if (record) yield clerk.refer(record, timeMs);
      const payment = intent && paymentOf(intent, day);
      if (!intent || !payment) continue;
      const isSettled = !(day >= firstDay && payment.channel === 'ebank' && random.chance(failedShare));
      yield clerk.post(payment, timeMs, isSettled);
      if (!isSettled) continue;
      intent.onPaid?.(payment.amountFen);
      const trade = payment.payee < population.firms ? tradeOf(payment.payee) : 'ordinary';
      if (trade === 'subsidiary' || trade === 'marketplace') tills.took(payment.payee, payment.amountFen);
    }
  }
  yield* dueUntil(Number.MAX_SAFE_INTEGER, queue, clerk);

  function isKnownPair(pair: number): boolean {
    if (knownPairs[pair] === 1) return true;
    knownPairs[pair] = 1;
    return false;
  }

  /** Between its last season and the next one a seasonal firm has no business at all. */
  function isAsleep(account: number, day: number): boolean {
    const isOpen = account >= population.firms || victims.has(account);
    const start = isOpen ? undefined : seasonStart(population, account, firstDay, days);
    return start !== undefined && day < start && day >= firstDay - thinDays - seasonGapDays;
  }

  /** What becomes of an intent; undefined where the payer has too little. */
  function paymentOf(intent: Intent, day: number): Payment | undefined {
    if (isAsleep(intent.payer, day) || isAsleep(intent.payee, day)) return undefined;
    const { payer, payee, remark, channel, share, isWhole, isDuty, operator } = intent;
    const wantFen = typeof intent.wantFen === 'number' ? intent.wantFen : intent.wantFen();
    const amountFen = Math.min(wantFen, spendableFen(ledger, population, payer, share, isDuty === true));
    if (amountFen < 500 || (isWhole && amountFen < wantFen) || amountFen < wantFen * 0.3) return undefined;
    const device = intent.device ?? deviceAt(population, payer, day, channel);
    return { payer, payee, amountFen, remark, channel, ...(device && { device }), ...(operator !== undefined && { operator }) };
  }
}

/** About how many transactions there will be. */
export function estimatedTransactions({ accounts, days }: Pick<MonthsOptions, 'accounts' | 'days'>): number {
  return Math.round(accounts * 0.17 * (52 + 3.1 * days));
}

interface Event {
  readonly timeMs: number;
  readonly intent?: Intent;
  readonly record?: AnyStagedRecord;
}

/** An enterprise keeps ten usual payments for bad days. */
function spendableFen(ledger: Ledger, population: Population, payer: number, share: number, isDuty: boolean): number {
  const cushionFen = payer < population.firms && !isDuty ? scaleFen(population, payer) * 10 : 0;
  return Math.floor((ledger.availableFen(payer) - cushionFen) * share);
}

function deviceAt(population: Population, payer: number, day: number, channel: Payment['channel']): Payment['device'] {
  if (payer >= population.firms) return undefined;
  if (channel === 'mobile') return phoneOf(population, payer);
  return channel === 'ebank' || channel === 'batch' ? originOf(population, payer, day).device : undefined;
}

function recordsOf(page: Page, events: readonly Event[]): Event[] {
  return [...changes(page), ...logins(page, events)];
}

function* changes(page: Page): Generator<Event> {
  if (!page.isWorkingDay) return;
  for (let firm = 0; firm < page.population.firms; firm++) {
    const event = page.random.chance(0.0003) ? accountChangeOf(page, firm) : undefined;
    if (event) yield event;
  }
}

/** The login before the first payment of the day that a firm makes on line, for those whose banks tell it. */
function logins({ population, day, random }: Page, events: readonly Event[]): Event[] {
  const first = new Map<number, number>();
  for (const { intent } of events) {
    if (!intent || intent.payer >= population.firms || intent.device) continue;
    if ((intent.channel !== 'ebank' && intent.channel !== 'batch') || !tellsLogins(population, intent.payer)) continue;
    first.set(intent.payer, Math.min(intent.timeMs, first.get(intent.payer) ?? Number.POSITIVE_INFINITY));
  }
  return [...first].map(([firm, firstMs]) => ({
    timeMs: firstMs - random.between(120, 900) * 1_000,
    record: loginOf(population, firm, day, originOf(population, firm, day)),
  }));
}

function openingFen(population: Population, account: number): number {
  const role = roleOf(population, account);
  const ownFen = openingBalanceFen(population, account);
  // Those elsewhere are large: what they take in and spend otherwise does not pass here.
  if (role === 'idle') return 20_000_000_000 + ownFen * 100;
  return role === 'firm' ? ownFen + staffOf(population, account) * 1_500_000 : ownFen;
}

function isWeekday(day: number): boolean {
  const weekday = (day + 4) % 7;
  return weekday !== 0 && weekday !== 6;
}

/** Throws `RangeError` that names every option out of its bounds. */
function checkOptions({ accounts, seed, days, sets = 1 }: MonthsOptions): void {
  const bounds = [
    ['accounts', accounts, monthsAccountsMin, 10_000_000],
    ['seed', seed, 0, 4_294_967_295],
    ['days', days, 1, monthsDaysMax],
    ['schemes', sets, 0, 10_000],
  ] as const;
  const wrong = bounds
    .filter(([, value, min, max]) => !(Number.isInteger(value) && value >= min && value <= max))
    .map(([name, value, min, max]) => `${name}: expected a whole number from ${min} to ${max}, found ${value}`);
  if (wrong.length > 0) throw new RangeError(wrong.join('; '));
}

interface World {
  readonly population: Population;
  readonly plot: Plot;
  readonly scenery: ReturnType<typeof townScenery>;
}

function createWorld({ accounts, seed, day: firstDay, days, plants = allPlants, sets: wanted }: MonthsOptions): World {
  const uncast = townScenery(createTown({ seed, accounts, cast: 0 }), firstDay, days);
  const play = (sets: number): Plot => planPlot({ plants, sets, days }, uncast);
  const castMax = accounts * castShareMax;
  const usual = Math.max(1, Math.round((uncast.population.firms * days) / enterpriseDaysPerSet));
  const one = wanted === 0 ? 0 : play(1).profiles.size;
  const sets = wanted ?? Math.max(1, Math.min(usual, Math.floor(castMax / Math.max(1, one))));
  if (one * sets > castMax) {
    throw new RangeError(
      `the schemes need about ${one * sets} of ${accounts} accounts: ask for more accounts, or for fewer schemes`,
    );
  }
  const plot = play(sets);
  const population = createTown({ seed, accounts, cast: plot.profiles.size });
  return { population, plot, scenery: townScenery(population, firstDay, days) };
}
