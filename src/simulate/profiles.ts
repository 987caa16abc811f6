import { dayNumber, formatDay } from '../domain/bank-day.js';
import type { Identity } from './identity.js';
import { personName } from './names.js';
import { hash32 } from './random.js';
import type { StagedProfile } from './reference-line.js';

/** What the register and the bank know of an enterprise besides its account. */
export interface ProfileFacts {
  readonly seed: number;
  readonly account: number;
  readonly identity: Identity;
  /** What it turns over in a month, in fen. */
  readonly monthlyFen: number;
}

/** Trades by what their names hold, with their class of GB/T 4754; the first that fits. */
const industries: readonly (readonly [word: RegExp, code: string])[] = [
  [/百货|超市|便利店|药房|汽车配件/, 'F52'],
  [/餐饮/, 'H62'],
  [/生活服务/, 'O80'],
  [/电子商务|网络/, 'I64'],
  [/建筑|工程/, 'E48'],
  [/装饰/, 'E50'],
  [/物流/, 'G54'],
  [/农业/, 'A05'],
  [/食品|粮油/, 'C14'],
  [/机械|五金/, 'C34'],
  [/电子/, 'C39'],
  [/化工/, 'C26'],
  [/纺织/, 'C17'],
  [/包装/, 'C29'],
  [/医疗/, 'C35'],
  [/能源|环保/, 'C38'],
  [/传媒/, 'R87'],
  [/教育/, 'P83'],
  [/人力资源|财税|律师/, 'L72'],
  [/物业|园区/, 'K70'],
];

/** The profile of an enterprise as nobody would look at it twice. */
export function plainProfile({ seed, account, identity, monthlyFen }: ProfileFacts): StagedProfile {
  const hash = hash32(seed, account, 91);
  const openedDay = dayNumber(Date.parse(`${identity.openedOn ?? '2020-01-01'}T00:00:00+08:00`));
  const registeredDay = openedDay - 3 - (hash % 40);
  return {
    type: 'profile',
    account,
    name: identity.name,
    ...(identity.creditCode ? { creditCode: identity.creditCode } : {}),
    capitalFen: Math.max(10_000_000, Math.ceil((monthlyFen * (0.5 + (hash % 100) / 50)) / 10_000_000) * 10_000_000),
    monthlyRevenueFen: Math.ceil(monthlyFen / 1_000_000) * 1_000_000,
    industry: industries.find(([word]) => word.test(identity.name))?.[1] ?? 'F51',
    address: `${regionName(identity)}创业路${account + 1}号`,
    region: identity.region,
    legalRep: personName(hash),
    legalRepId: `lr-${account.toString(36)}-${(hash % 46_656).toString(36)}`,
    legalRepBirthYear: 1_965 + (hash % 32),
    legalRepRegion: identity.region,
    // No mobile number of the mainland begins with 100.
    phone: `100${String(account).padStart(8, '0')}`,
    status: 'active',
    licenceUntil: formatDay(openedDay + 7_300 + (hash % 3_000)),
    registeredOn: formatDay(registeredDay),
    basicAccountOn: formatDay(openedDay),
    insuredStaff: 3 + (hash % 40),
    approvalLimitFen: 5_000_000 + (hash % 5) * 5_000_000,
  };
}

function regionName({ name, region }: Identity): string {
  return `${region}-${name.slice(0, 2)}`;
}
