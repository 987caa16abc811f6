import { type Device, deviceOf, type Habit, habitOf, usualDeviceOf } from '../devices.js';
import type { CastProfile } from '../identity.js';
import { enterpriseName, personName } from '../names.js';
import { henanCity } from '../places.js';
import {
  institutionKinds,
  institutionsPerKind,
  isPayrollFirm,
  isRetailer,
  isSubsidiary,
  type Population,
  suppliersPerFirmMax,
} from '../population.js';
import { hash32 } from '../random.js';

/**
 * The enterprises of a simulated month and what they are to one another. All of it follows from seed and index, as in a
 * bank day; the ranges are the same, but the enterprises that only receive are here the customers and suppliers elsewhere,
 * whose own business nobody sees.
 */

export interface TownPlan {
  readonly seed: number;
  readonly accounts: number;
  readonly cast: number;
}

const corporateShare = 0.2;
const elsewhereShare = 0.15;

export function createTown({ seed, accounts, cast }: TownPlan): Population {
  const corporate = Math.floor(accounts * corporateShare);
  const startups = Math.max(3, Math.floor(corporate * 0.012));
  const firms = corporate - startups - Math.floor(corporate * elsewhereShare);
  const institutionsEnd = corporate + institutionKinds.length * institutionsPerKind;
  const castStart = accounts - cast;
  const persons = castStart - institutionsEnd;
  if (persons < firms)
    throw new RangeError(`${accounts} accounts leave ${persons} persons for ${firms} enterprises: ask for more accounts`);
  return {
    seed,
    accounts,
    firms,
    startupsEnd: firms + startups,
    idleEnd: corporate,
    institutionsEnd,
    employeesEnd: institutionsEnd + Math.floor(persons * 0.8),
    castStart,
    pairs: firms * suppliersPerFirmMax,
    employeesPerFirm: 0,
  };
}

/** What an enterprise is, besides an ordinary one. */
export type Trade = 'ordinary' | 'factory' | 'shop' | 'night-shop' | 'subsidiary' | 'school' | 'escrow' | 'marketplace';

export function tradeOf(firm: number): Trade {
  if (isPayrollFirm(firm)) return 'factory';
  if (isRetailer(firm)) return firm % 100 === 43 ? 'night-shop' : 'shop';
  if (!isSubsidiary(firm)) return 'ordinary';
  switch (firm % 200) {
    case 61:
      return 'escrow';
    case 161:
      return 'marketplace';
    default:
      return firm % 1_000 === 211 ? 'school' : 'subsidiary';
  }
}

/** How many people a firm employs. */
export function staffOf({ seed }: Population, firm: number): number {
  const hash = hash32(seed, firm, 111);
  return tradeOf(firm) === 'factory' ? 25 + (hash % 56) : 2 + (hash % 4);
}

/** An employee; the first is the owner, who takes a salary like the others. */
export function employeeAt(population: Population, firm: number, position: number): number {
  const { institutionsEnd, employeesEnd, seed } = population;
  const start = tradeOf(firm) === 'factory' ? hash32(seed, firm, 112) : firm * 3;
  return institutionsEnd + ((start + position) % (employeesEnd - institutionsEnd));
}

/** Somebody elsewhere that a firm sells to or buys from. */
export function elsewhere({ seed, startupsEnd, idleEnd }: Population, firm: number, slot: number): number {
  return startupsEnd + (hash32(seed, firm * 8 + slot, 113) % (idleEnd - startupsEnd));
}

export interface Landlord {
  readonly account: number;
  readonly isPerson: boolean;
}

export function landlordOf({ seed, firms, employeesEnd, castStart }: Population, firm: number): Landlord {
  const hash = hash32(seed, firm, 114);
  const isPerson = hash % 10 < 3;
  // Landlords among the firms are the ordinary ones of remainder 0.
  const account = isPerson ? employeesEnd + (hash % (castStart - employeesEnd)) : (Math.floor((hash % firms) / 10) * 10) % firms;
  return { account: account === firm ? (firm + 10) % firms : account, isPerson };
}

/** Firms of one industrial park go to the internet through one address. */
const parkShare = 12;
const firmsPerPark = 400;

export function parkOf({ seed, firms }: Population, firm: number): number | undefined {
  const hash = hash32(seed, firm, 115);
  return hash % parkShare === 0 ? (hash >>> 8) % parkCount(firms) : undefined;
}

const parkCount = (firms: number): number => Math.max(1, Math.floor(firms / firmsPerPark));

/** Small firms whose taxes a bookkeeping agent pays, all from the agent's machine. */
const agentShare = 9;
const firmsPerAgent = 120;

export function agentOf({ seed, firms }: Population, firm: number): Agent | undefined {
  const hash = hash32(seed, firm, 116);
  if (hash % agentShare !== 0 || tradeOf(firm) !== 'ordinary') return undefined;
  return agentAt(seed, (hash >>> 8) % agentCount(firms));
}

const agentCount = (firms: number): number => Math.max(1, Math.floor(firms / firmsPerAgent));

export interface Agent {
  readonly name: string;
  readonly operator: string;
  readonly device: Required<Device>;
}

function agentAt(seed: number, number: number): Agent {
  const hash = hash32(seed, number, 117);
  return {
    name: enterpriseName(henanCity(hash).name, hash, ['财税咨询']),
    operator: personName(hash32(hash, 118)),
    device: deviceOf(hash32(hash, 119)),
  };
}

export function agentsOf({ seed, firms }: Population): Agent[] {
  return Array.from({ length: agentCount(firms) }, (_, number) => agentAt(seed, number));
}

const parkAddress = (seed: number, park: number): string => deviceOf(hash32(seed, park, 120)).ip;

export function parkAddresses({ seed, firms }: Population): string[] {
  return Array.from({ length: parkCount(firms) }, (_, park) => parkAddress(seed, park));
}

/** The machine that an account usually pays with. */
export function townDevice(population: Population, account: number): Required<Device> {
  const { seed, firms } = population;
  const own = usualDeviceOf(seed, account);
  if (account >= firms) return own;
  if (sharesCentre(account)) return deviceOf(hash32(seed, Math.floor(account / firmsPerCentre), 123));
  const park = parkOf(population, account);
  return park === undefined ? own : { ...own, ip: parkAddress(seed, park) };
}

export function townHabit(population: Population, account: number): Habit {
  return { ...habitOf(population.seed, account), device: townDevice(population, account) };
}

/** The first subsidiaries of a group have one office that pays for them all, from one machine. */
const firmsPerCentre = 1_000;

export function sharesCentre(firm: number): boolean {
  return isSubsidiary(firm) && firm % firmsPerCentre < 200;
}

export function centreDevices({ seed, firms }: Population): Required<Device>[] {
  return Array.from({ length: Math.ceil(firms / firmsPerCentre) }, (_, centre) => deviceOf(hash32(seed, centre, 123)));
}

const factoryTrades = ['机械设备', '纺织品', '食品', '电子科技', '包装材料'] as const;

/** Names that tell the trade, and opening days of the new firms: what differs from the plain identities. */
export function townProfiles(population: Population, firstDay: number, days: number): Map<number, CastProfile> {
  const profiles = new Map<number, CastProfile>();
  const { seed, firms, startupsEnd, idleEnd } = population;
  for (let firm = startupsEnd; firm < idleEnd; firm++) {
    const hash = hash32(seed, firm, 41);
    profiles.set(firm, { kind: 'corporate', place: henanCity(hash), openedDay: firstDay - 900 - (hash % 4_000) });
  }
  for (let firm = 0; firm < startupsEnd; firm++) {
    const hash = hash32(seed, firm, 41);
    const place = henanCity(hash);
    const trade = firm < firms ? tradeOf(firm) : 'ordinary';
    const openedDay = firm < firms ? firstDay - 420 - (hash % 5_000) : startupDay(population, firm, firstDay, days);
    const name = nameOf(trade, place.name, hash);
    if (name !== undefined || firm >= firms) profiles.set(firm, { kind: 'corporate', place, openedDay, ...(name && { name }) });
  }
  return profiles;
}

/** The day on which a new firm opens its account: from three weeks before the first day on. */
export function startupDay({ seed }: Population, firm: number, firstDay: number, days: number): number {
  return firstDay - 20 + (hash32(seed, firm, 121) % (days + 15));
}

function nameOf(trade: Trade, city: string, hash: number): string | undefined {
  switch (trade) {
    case 'factory':
      return enterpriseName(city, hash, factoryTrades);
    case 'marketplace':
      return enterpriseName(city, hash, ['电子商务']);
    case 'escrow':
      return `${enterpriseName(city, hash, ['律师']).replace(/(股份)?有限公司$/, '')}事务所`;
    case 'school':
      return enterpriseName(city, hash, ['职业教育培训']);
    case 'night-shop':
      return enterpriseName(city, hash, ['餐饮管理', '便利店连锁']);
    default:
      return undefined;
  }
}

export const merchantsPerMarketplace = 12;

/** The merchants that a marketplace settles with every day: ordinary firms. */
export function merchantOf({ seed, firms }: Population, marketplace: number, slot: number): number {
  const merchant = hash32(seed, marketplace * 32 + slot, 122) % firms;
  return merchant === marketplace ? (merchant + 1) % firms : merchant;
}

/** A seasonal firm: it rests for more than half a year until its season begins, on one of the days. */
export function seasonStart({ seed }: Population, firm: number, firstDay: number, days: number): number | undefined {
  if (firm % 500 !== 77 || tradeOf(firm) !== 'ordinary') return undefined;
  return firstDay + (hash32(seed, firm, 124) % days);
}
