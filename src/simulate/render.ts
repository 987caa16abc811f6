import { dayNumber, formatDay, startOfDayMs } from '../domain/bank-day.js';
import { type CastProfile, type Identity, identityOf, isBalanceKnown, isOpeningKnown } from './identity.js';
import { createLine, type Line } from './line.js';
import { personName } from './names.js';
import type { Payment } from './payment.js';
import { type Population, roleOf } from './population.js';
import { hash32, itemAt } from './random.js';

export interface Posting {
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
  /** `{"account":…,"region":…` without the closing brace, as its own bank reports it. */
  readonly own: Uint8Array;
  /** The same as another bank knows it: less, and less still in a terse bank's report. */
  readonly foreign: Uint8Array;
  readonly foreignTerse: Uint8Array;
  /** Whether its bank reports tersely: no defaults, neither device id nor operator, no credit code of other banks' customers. */
  readonly isTerse: boolean;
  readonly isBalanceKnown: boolean;
  /** Device and operator of a payment made on line; an enterprise has two operators who take turns. */
  readonly origins: readonly [Uint8Array, Uint8Array];
}

/** Accounts whose fragments are kept; a direct-mapped cache, so that memory stays bounded whatever the population. */
const cacheSize = 65_536;
const verboseBanks = new Set(['102', '105', '313']);
const documentationNets = ['203.0.113', '198.51.100', '192.0.2'] as const;

export function createRender(population: Population, profiles: ReadonlyMap<number, CastProfile>, today: number): Render {
  const cache: (Fragments | undefined)[] = Array.from({ length: Math.min(cacheSize, population.accounts) });
  const line = createLine();
  const writeTime = createTimeWriter(line);
  const remarkOf = createRemarks();

  function fragmentsOf(account: number): Fragments {
    const slot = account % cache.length;
    const cached = cache[slot];
    if (cached?.account === account) return cached;
    return (cache[slot] = makeFragments(population, account, identityOf(population, profiles, today, account)));
  }

  function writeParties(posting: Posting, payer: Fragments, payee: Fragments): void {
    const isOwn = payer.bank === payee.bank;
    line.ascii(',"payer":');
    line.bytes(payer.own);
    line.ascii(',"balanceFen":');
    line.integer(posting.payerBalanceFen);
    line.ascii('},"payee":');
    line.bytes(isOwn ? payee.own : payer.isTerse ? payee.foreignTerse : payee.foreign);
    if (isOwn || payee.isBalanceKnown) {
      line.ascii(',"balanceFen":');
      line.integer(posting.payeeBalanceFen);
    }
    line.ascii('}');
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
    line.bytes(remarkOf(payment.remark));
    if (payment.channel === 'ebank' || payment.channel === 'mobile')
      line.bytes(payer.origins[payment.amountFen % 2 === 0 ? 0 : 1]);
    line.ascii('}');
    return line.take();
  };
}

function makeFragments(population: Population, account: number, identity: Identity): Fragments {
  const opened = identity.openedOn ? `,"openedOn":"${identity.openedOn}"` : '';
  const foreignOpened = isOpeningKnown(population, account) ? opened : '';
  const head = `{"account":"${identity.account}","name":"${identity.name}","kind":"${identity.kind}","bank":"${identity.bank}"`;
  const code = identity.creditCode ? `,"creditCode":"${identity.creditCode}"` : '';
  const region = `,"region":"${identity.region}"`;
  const isTerse = !verboseBanks.has(identity.bank.slice(0, 3));
  return {
    account,
    bank: identity.bank,
    own: utf8(head + code + region + opened),
    foreign: utf8(head + code + region + foreignOpened),
    foreignTerse: utf8(head + region + foreignOpened),
    isTerse,
    isBalanceKnown: isBalanceKnown(population, account),
    origins: originsOf(population, account, identity.kind, isTerse),
  };
}

function originsOf(
  population: Population,
  account: number,
  kind: Identity['kind'],
  isTerse: boolean,
): readonly [Uint8Array, Uint8Array] {
  const hash = hash32(population.seed, account, 71);
  const id = hash.toString(16).padStart(8, '0');
  const ip = `"ip":"${itemAt(documentationNets, hash)}.${1 + ((hash >>> 4) % 254)}"`;
  // Locally administered addresses belong to no maker; the block reserved for documents holds only 256.
  const mac = `,"mac":"02:00:${id.slice(0, 2)}:${id.slice(2, 4)}:${id.slice(4, 6)}:${id.slice(6)}"`;
  const device = `,"device":{${isTerse ? '' : `"id":"${id}",`}${ip}${kind === 'corporate' ? mac : ''}}`;
  if (isTerse || kind === 'personal') return [utf8(device), utf8(device)];
  const operator = (turn: number): Uint8Array => utf8(`${device},"operator":"${personName(hash32(hash, 72, turn))}"`);
  return [operator(0), operator(roleOf(population, account) === 'cast' ? 0 : 1)];
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

function createRemarks(): (remark: string) => Uint8Array {
  const known = new Map<string, Uint8Array>([['', new Uint8Array(0)]]);
  return (remark) => {
    let bytes = known.get(remark);
    if (bytes === undefined) known.set(remark, (bytes = utf8(`,"remark":"${remark}"`)));
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
