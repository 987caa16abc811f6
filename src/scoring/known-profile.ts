import { dayMs } from '../domain/bank-day.js';
import { enterpriseStatuses, type Profile } from '../domain/reference.js';

/** A profile as the engine asks it. Numbers are NaN and texts '' where the record leaves them out; days count from 1970-01-01. */
export interface KnownProfile {
  readonly id: string;
  readonly timeMs: number;
  /** The bank that reported it. */
  readonly bank: string;
  readonly name: string;
  readonly creditCode: string;
  readonly capitalFen: number;
  readonly monthlyRevenueFen: number;
  readonly industry: string;
  readonly address: string;
  /** First two digits of the region (GB/T 2260). */
  readonly province: number;
  readonly legalRep: string;
  readonly legalRepId: string;
  readonly legalRepBirthYear: number;
  readonly legalRepProvince: number;
  readonly phone: string;
  readonly agent: string;
  /** 0 unknown, else 1 + index into `enterpriseStatuses`. */
  readonly status: number;
  readonly licenceUntilDay: number;
  readonly registeredDay: number;
  readonly basicAccountDay: number;
  readonly insuredStaff: number;
  readonly approvalLimitFen: number;
  readonly related: ReadonlySet<string>;
  readonly employees: ReadonlySet<string>;
}

export function knownProfile(profile: Profile): KnownProfile {
  return {
    id: profile.id,
    timeMs: Date.parse(profile.time),
    bank: profile.bank ?? '',
    name: profile.name ?? '',
    creditCode: profile.creditCode ?? '',
    capitalFen: profile.capitalFen ?? NaN,
    monthlyRevenueFen: profile.monthlyRevenueFen ?? NaN,
    industry: profile.industry ?? '',
    address: profile.address ?? '',
    province: provinceOf(profile.region),
    legalRep: profile.legalRep ?? '',
    legalRepId: profile.legalRepId ?? '',
    legalRepBirthYear: profile.legalRepBirthYear ?? NaN,
    legalRepProvince: provinceOf(profile.legalRepRegion),
    phone: profile.phone ?? '',
    agent: profile.agent ?? '',
    status: profile.status === undefined ? 0 : 1 + enterpriseStatuses.indexOf(profile.status),
    licenceUntilDay: dayOf(profile.licenceUntil),
    registeredDay: dayOf(profile.registeredOn),
    basicAccountDay: dayOf(profile.basicAccountOn),
    insuredStaff: profile.insuredStaff ?? NaN,
    approvalLimitFen: profile.approvalLimitFen ?? NaN,
    related: setOf(profile.related),
    employees: setOf(profile.employees),
  };
}

/** About what a profile takes, in bytes. */
export function profileBytes(profile: KnownProfile): number {
  let bytes = 26 * 8;
  for (const value of Object.values(profile) as (string | number | ReadonlySet<string>)[]) {
    if (typeof value === 'string') bytes += textBytes(value);
    else if (typeof value === 'object') for (const text of value) bytes += textBytes(text) + 32;
  }
  return bytes;
}

/** A profile that was stored and read again, without an empty set of its own. Earlier releases stored no bank. */
export function storedProfile(profile: Omit<KnownProfile, 'bank'> & { readonly bank?: string }): KnownProfile {
  const { related, employees, bank = '' } = profile;
  return {
    ...profile,
    bank,
    related: related.size === 0 ? nobody : related,
    employees: employees.size === 0 ? nobody : employees,
  };
}

const nobody: ReadonlySet<string> = new Set();
const setOf = (texts: readonly string[] | undefined): ReadonlySet<string> =>
  texts === undefined || texts.length === 0 ? nobody : new Set(texts);
const dayOf = (date: string | undefined): number => (date === undefined ? NaN : Date.parse(date) / dayMs);
const provinceOf = (region: string | undefined): number => (region === undefined ? NaN : Number(region.slice(0, 2)));
const textBytes = (text: string): number => (text === '' ? 0 : 16 + text.length * 2);
