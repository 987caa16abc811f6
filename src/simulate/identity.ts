import { formatDay } from '../domain/bank-day.js';
import { bankNumberCheckDigit } from '../domain/bank-number.js';
import { creditCodeCheckCharacter, organisationCheckCharacter } from '../domain/credit-code.js';
import { enterpriseName, personName, retailTrades } from './names.js';
import { type Bank, banks, distantCities, henanCities, henanCity, type Place } from './places.js';
import { institutionKinds, institutionsPerKind, isRetailer, type Population, roleOf } from './population.js';
import { hash32, itemAt } from './random.js';

/** What a bank knows about an account. */
export interface Identity {
  readonly account: string;
  readonly name: string;
  readonly kind: 'corporate' | 'personal';
  readonly bank: string;
  readonly creditCode?: string;
  readonly region: string;
  readonly openedOn?: string;
}

/** What a planted scheme says about one of its accounts. */
export interface CastProfile {
  readonly kind: 'corporate' | 'personal';
  readonly place: Place;
  /** Day number on which the account was opened. */
  readonly openedDay: number;
  /** What the scheme wants otherwise than it would fall out by itself. */
  readonly name?: string;
  readonly creditCode?: string;
  /** Six digits; the place's own where it is left out. */
  readonly region?: string;
}

/** `today` is the day number of the first simulated day; enterprises in business opened long before it. */
export function identityOf(
  population: Population,
  profiles: ReadonlyMap<number, CastProfile>,
  today: number,
  account: number,
): Identity {
  const hash = hash32(population.seed, account, 41);
  const bank = itemAt(banks, hash32(population.seed, account, 42));
  const profile = profiles.get(account);
  if (profile) {
    const { kind, place, openedDay, name, creditCode: code, region } = profile;
    const plain =
      kind === 'corporate'
        ? corporate(account, hash, bank, place, enterpriseName(place.name, hash), openedDay)
        : personal(account, hash, bank, place);
    return { ...plain, ...(name && { name }), ...(code && { creditCode: code }), ...(region && { region }) };
  }
  const city = henanCity(hash);
  switch (roleOf(population, account)) {
    case 'firm': {
      const name = isRetailer(account) ? enterpriseName(city.name, hash, retailTrades) : enterpriseName(city.name, hash);
      return corporate(account, hash, bank, city, name, today - 420 - (hash % 5_000));
    }
    case 'startup':
      return corporate(account, hash, bank, city, enterpriseName(city.name, hash), today - 4 - (hash % 20));
    case 'idle':
      return corporate(account, hash, bank, city, enterpriseName(city.name, hash), today - 200 - (hash % 4_000));
    case 'institution':
      return institution(population, account, hash);
    default:
      return personal(account, hash, bank, hash32(hash, 43) % 7 === 0 ? itemAt(distantCities, hash >>> 5) : city);
  }
}

/** Whether other banks know when this corporate account was opened: of nine in ten they do. */
export function isOpeningKnown(population: Population, account: number): boolean {
  return roleOf(population, account) === 'cast' || hash32(population.seed, account, 44) % 10 !== 0;
}

/** Whether the balance comes along also when the account only receives and another bank reports. */
export function isBalanceKnown(population: Population, account: number): boolean {
  return roleOf(population, account) === 'cast' || hash32(population.seed, account, 45) % 10 < 3;
}

function corporate(account: number, hash: number, bank: Bank, place: Place, name: string, openedDay: number): Identity {
  return {
    account: corporateAccount(account, bank, place),
    name,
    kind: 'corporate',
    bank: bankNumber(bank, place, hash),
    creditCode: creditCode(place.region, account),
    region: place.region,
    openedOn: formatDay(openedDay),
  };
}

function personal(account: number, hash: number, bank: Bank, place: Place): Identity {
  return {
    account: cardNumber(account, bank),
    name: personName(hash),
    kind: 'personal',
    bank: bankNumber(bank, place, hash),
    region: place.region,
  };
}

function institution(population: Population, account: number, hash: number): Identity {
  const number = account - population.idleEnd;
  const place = itemAt(henanCities, number);
  const kind = itemAt(institutionKinds, Math.floor(number / institutionsPerKind));
  const name = {
    treasury: `国家金库${place.name}市中心支库待报解预算收入`,
    insurance: `${place.name}市社会保险基金财政专户`,
    utility: `${place.name}市公用事业代收费专户`,
    fees: `银行结算业务手续费收入${place.name}专户`,
    tender: `${place.name}市公共资源交易中心投标保证金专户`,
    licensed: `${place.name}市中原豫盈资产管理有限公司`,
    lender: `银行贷款发放与归还${place.name}专户`,
    securities: `中州豫信证券客户交易结算资金${place.name}专户`,
  }[kind];
  const bank = itemAt(banks, kind === 'treasury' ? 0 : hash);
  return corporate(account, hash, bank, place, name, 12_000 + (hash % 4_000));
}

/** At most 10 banks × 32 areas × 60 branches. */
const bankNumbers = new Map<string, string>();

function bankNumber(bank: Bank, place: Place, hash: number): string {
  const first11 = `${bank.code}${place.bankArea}${String(hash32(hash, 46) % 60).padStart(4, '0')}`;
  let number = bankNumbers.get(first11);
  if (number === undefined) bankNumbers.set(first11, (number = first11 + bankNumberCheckDigit(first11)));
  return number;
}

const spread = 100_000_000;

/** Eight digits that no other account has: multiplication by a number coprime to 10 permutes 0 … 10^8 − 1. */
function serial(account: number): string {
  return String((account * 7_368_787 + 12_345_679) % spread).padStart(8, '0');
}

function corporateAccount(account: number, bank: Bank, place: Place): string {
  const head = bank.accountDigits > 15 ? `${bank.code}${place.bankArea}` : place.bankArea;
  return head + serial(account).padStart(bank.accountDigits - head.length, '0');
}

/** A card number of 16 or 19 digits with its Luhn digit. */
function cardNumber(account: number, bank: Bank): string {
  const body = `62${bank.code}${bank.accountDigits % 2 === 0 ? '00' : '00000'}${serial(account)}`;
  let sum = 0;
  for (let i = 0; i < body.length; i++) {
    const digit = Number(body[body.length - 1 - i]);
    const doubled = i % 2 === 0 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return body + String((10 - (sum % 10)) % 10);
}

const codeAlphabet = '0123456789ABCDEFGHJKLMNPQRTUWXY';

function creditCode(region: string, account: number): string {
  let rest = (account * 48_271 + 3_000_000) % 31 ** 6;
  let body = '';
  for (let i = 0; i < 6; i++) {
    body += codeAlphabet[rest % 31];
    rest = Math.floor(rest / 31);
  }
  const organisation = `MA${body}`;
  const first17 = `91${region}${organisation}${organisationCheckCharacter(organisation)}`;
  return first17 + creditCodeCheckCharacter(first17);
}
