import { dayNumber, formatDay, startOfDayMs } from '../domain/bank-day.js';
import type { Habit } from './devices.js';
import { type CastProfile, type Identity, identityOf, isBalanceKnown, isOpeningKnown } from './identity.js';
import { createLine, type Line } from './line.js';
import type { Payment } from './payment.js';
import { type Population, roleOf } from './population.js';

interface Posting {
  readonly payment: Payment;
  readonly id: string;
  readonly timeMs: number;
  readonly isSettled: boolean;
  /** Balances after the transaction, in fen. */
  readonly payerBalanceFen: number;
  readonly payeeBalanceFen: number;
}

/** A transaction as one line of JSON in UTF-8, without the line's end. */
export type Render = (posting: Posting) => Uint8Array;

/** The unchanging parts of an account's JSON, in UTF-8. */
interface Fragments {
  readonly account: number;
  readonly bank: string;
  /** `{"account":…,"bank":…` · `"creditCode"` · `"region"` · `"openedOn"`, without the closing brace. */
  readonly party: Uint8Array;
  /** Where the credit code and the region begin in `party`. */
  readonly codeAt: number;
  readonly regionAt: number;
  /** Up to where another bank knows the party. */
  readonly foreignEnd: number;
  /** Whether its bank reports tersely: no defaults, neither device id nor operator, no credit code of other banks' customers. */
  readonly isTerse: boolean;
  readonly isBalanceKnown: boolean;
  readonly isCorporate: boolean;
  /** Device and operator of a payment made on line, made at the first; an enterprise has two operators who take turns. */
  origins: Origins | undefined;
}

/** Accounts whose fragments are kept; a direct-mapped cache, so that memory stays bounded whatever the population. */
const cacheSize = 65_536;
const notVerbose = (bank: string): boolean => !['102', '105', '313'].includes(bank);
const terseBanks = (bank: string): boolean => bank === '402' || bank === '314';

export interface RenderParts {
  readonly population: Population;
  /** Of accounts whose identity differs from the plain one. */
  readonly profiles: ReadonlyMap<number, CastProfile>;
  readonly firstDay: number;
  readonly habit: (account: number) => Habit;
  /** Most banks report tersely, without device ids and operators, and say nothing of batches; where left out they do. */
  readonly isThorough?: boolean;
}

export function createRender({ population, profiles, firstDay, habit, isThorough = false }: RenderParts): Render {
  const cache: (Fragments | undefined)[] = Array.from({ length: Math.min(cacheSize, population.accounts) });
  const line = createLine();
  const writeTime = createTimeWriter(line);
  const remarkOf = createRemarks();

  function fragmentsOf(account: number): Fragments {
    const slot = account % cache.length;
    const cached = cache[slot];
    if (cached?.account === account) return cached;
    return (cache[slot] = makeFragments(population, account, identityOf(population, profiles, firstDay, account), isThorough));
  }

  function writeParties(posting: Posting, payer: Fragments, payee: Fragments): void {
    const isOwn = payer.bank === payee.bank;
    line.ascii(',"payer":');
    line.bytes(payer.party, 0, payer.party.length);
    line.ascii(',"balanceFen":');
    line.integer(posting.payerBalanceFen);
    line.ascii('},"payee":');
    const isCodeKnown = isOwn || !payer.isTerse;
    line.bytes(payee.party, 0, isCodeKnown ? payee.regionAt : payee.codeAt);
    line.bytes(payee.party, payee.regionAt, isOwn ? payee.party.length : payee.foreignEnd);
    if (isOwn || payee.isBalanceKnown) {
      line.ascii(',"balanceFen":');
      line.integer(posting.payeeBalanceFen);
    }
    line.ascii('}');
  }

  function writeOrigin({ payment }: Posting, payer: Fragments): void {
    const isOnLine = payment.channel === 'ebank' || payment.channel === 'mobile' || (isThorough && payment.channel === 'batch');
    if (!isOnLine && !payment.device) return;
    if (payment.device || payment.operator !== undefined) {
      const origin = ownOrigin(habit(payer.account), payer, payment);
      line.bytes(origin, 0, origin.length);
      return;
    }
    payer.origins ??= originsOf(habit(payer.account), payer, roleOf(population, payer.account) === 'cast');
    const origin = payer.origins[payment.amountFen % 2 === 0 ? 0 : 1];
    line.bytes(origin, 0, origin.length);
  }

  return (posting) => {
    const { payment, isSettled } = posting;
    const payer = fragmentsOf(payment.payer);
    line.ascii('{"id":"');
    line.ascii(posting.id);
    line.ascii('","time":"');
    writeTime(posting.timeMs);
    line.ascii('","amountFen":');
    line.integer(payment.amountFen);
    if (!payer.isTerse) line.ascii(',"currency":"CNY"');
    if (!isSettled) line.ascii(',"status":"failed"');
    else if (!payer.isTerse) line.ascii(',"status":"settled"');
    writeParties(posting, payer, fragmentsOf(payment.payee));
    if (!payer.isTerse) {
      line.ascii(',"bank":"');
      line.ascii(payer.bank);
      line.ascii('"');
    }
    line.ascii(',"channel":"');
    line.ascii(payment.channel);
    line.ascii('"');
    const remark = remarkOf(payment.remark);
    line.bytes(remark, 0, remark.length);
    writeOrigin(posting, payer);
    line.ascii('}');
    return line.take();
  };
}

function makeFragments(population: Population, account: number, identity: Identity, isThorough: boolean): Fragments {
  const head = `{"account":"${identity.account}","name":${JSON.stringify(identity.name)},"kind":"${identity.kind}","bank":"${identity.bank}"`;
  const code = identity.creditCode ? `,"creditCode":"${identity.creditCode}"` : '';
  const region = `,"region":"${identity.region}"`;
  const opened = identity.openedOn ? `,"openedOn":"${identity.openedOn}"` : '';
  const party = utf8(head + code + region + opened);
  const openedAt = party.length - opened.length;
  const regionAt = openedAt - region.length;
  return {
    account,
    bank: identity.bank,
    party,
    codeAt: regionAt - code.length,
    regionAt,
    foreignEnd: isOpeningKnown(population, account) ? party.length : openedAt,
    isTerse: (isThorough ? terseBanks : notVerbose)(identity.bank.slice(0, 3)),
    isBalanceKnown: isBalanceKnown(population, account),
    isCorporate: identity.kind === 'corporate',
    origins: undefined,
  };
}

type Origins = readonly [Uint8Array, Uint8Array];

function originsOf({ device, operators }: Habit, { isCorporate, isTerse }: Fragments, isAlone: boolean): Origins {
  const { id, ip, mac } = device;
  const known = utf8(`,"device":${JSON.stringify({ ...(isTerse ? {} : { id }), ip, ...(isCorporate ? { mac } : {}) })}`);
  if (isTerse || !isCorporate) return [known, known];
  const by = (operator: string): Uint8Array => Buffer.concat([known, operatorOf(operator)]);
  return [by(operators[0]), by(operators[isAlone ? 0 : 1])];
}

/** Device and operator that a payment brings itself; its bank tells them even where it is terse otherwise. */
function ownOrigin(habit: Habit, { isCorporate }: Fragments, { device, operator }: Payment): Uint8Array {
  const by = operator ?? (isCorporate ? habit.operators[0] : undefined);
  const told = utf8(`,"device":${JSON.stringify(device ?? habit.device)}`);
  return by === undefined ? told : Buffer.concat([told, operatorOf(by)]);
}

function operatorOf(name: string): Uint8Array {
  return utf8(`,"operator":${JSON.stringify(name)}`);
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

function createRemarks(): (remark: string) => Uint8Array {
  const known = new Map<string, Uint8Array>([['', new Uint8Array(0)]]);
  return (remark) => {
    let bytes = known.get(remark);
    if (bytes === undefined) known.set(remark, (bytes = utf8(`,"remark":${JSON.stringify(remark)}`)));
    return bytes;
  };
}

/** Writes ISO 8601 in Asia/Shanghai; the date is formatted once a day. */
function createTimeWriter(line: Line): (timeMs: number) => void {
  let day = Number.NaN;
  let date = '';
  return (timeMs) => {
    if (dayNumber(timeMs) !== day) {
      day = dayNumber(timeMs);
      date = `${formatDay(day)}T`;
    }
    const second = Math.floor((timeMs - startOfDayMs(day)) / 1_000);
    line.ascii(date);
    line.twoDigits(Math.floor(second / 3_600));
    line.ascii(':');
    line.twoDigits(Math.floor(second / 60) % 60);
    line.ascii(':');
    line.twoDigits(second % 60);
    line.ascii('+08:00');
  };
}
