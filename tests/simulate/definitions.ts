import { dayNumber } from '../../src/domain/bank-day.js';
import type { Transaction } from '../../src/domain/transaction.js';

export const classicTypologies = ['V01', 'V11', 'V12', 'M01', 'M02', 'M03', 'M04', 'M05', 'M07', 'M08', 'M12', 'M16'] as const;
export type ClassicTypology = (typeof classicTypologies)[number];

/**
 * The twelve patterns of the catalogue in their slow and obvious form: everything is looked up again in plain lists.
 * A check answers whether the pattern holds for an account on the leg of `now`.
 */
export interface Books {
  /** Settled transactions in order of time, by account. */
  readonly legs: ReadonlyMap<string, readonly Entry[]>;
}

export interface Entry {
  readonly timeMs: number;
  readonly transaction: Transaction;
}

export type Check = (books: Books, account: string, now: Entry) => boolean;

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const yuan = 100;

export function openBooks(transactions: readonly Transaction[]): Books {
  const legs = new Map<string, Entry[]>();
  for (const transaction of transactions) {
    if (transaction.status !== 'settled') continue;
    const entry = { timeMs: Date.parse(transaction.time), transaction };
    for (const account of [transaction.payer.account, transaction.payee.account]) {
      const entries = legs.get(account);
      if (entries) entries.push(entry);
      else legs.set(account, [entry]);
    }
  }
  return { legs };
}

/** The account's legs up to and including `now`, not older than `windowMs`. */
function within(books: Books, account: string, now: Entry, windowMs: number): Entry[] {
  const entries = books.legs.get(account) ?? [];
  const upTo = entries.slice(0, entries.indexOf(now) + 1);
  return upTo.filter(({ timeMs }) => timeMs > now.timeMs - windowMs);
}

const creditsOf = (entries: readonly Entry[], account: string): Transaction[] =>
  entries.map(({ transaction }) => transaction).filter(({ payee }) => payee.account === account);
const debitsOf = (entries: readonly Entry[], account: string): Transaction[] =>
  entries.map(({ transaction }) => transaction).filter(({ payer }) => payer.account === account);
const sum = (transactions: readonly Transaction[]): number => transactions.reduce((total, { amountFen }) => total + amountFen, 0);
const distinct = (values: readonly unknown[]): number => new Set(values).size;
const payersOf = (transactions: readonly Transaction[]): number => distinct(transactions.map(({ payer }) => payer.account));
const payeesOf = (transactions: readonly Transaction[]): number => distinct(transactions.map(({ payee }) => payee.account));

export function balanceOf({ transaction }: Entry, account: string): number {
  const party = transaction.payer.account === account ? transaction.payer : transaction.payee;
  return party.balanceFen ?? Number.NaN;
}

function isNewPayee(books: Books, account: string, now: Entry, days: number): boolean {
  const before = within(books, account, now, days * day).filter((entry) => entry !== now);
  return !debitsOf(before, account).some(({ payee }) => payee.account === now.transaction.payee.account);
}

function ageDays(openedOn: string | undefined, now: Entry): number {
  return openedOn === undefined ? 0 : dayNumber(now.timeMs) - Math.floor(Date.parse(openedOn) / day);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Five working days are taken as the five days before and the day itself at most: narrower than the definition. */
const fiveWorkingDays = 5 * day;

const debitAmountsBefore = (books: Books, account: string, now: Entry, days: number): number[] =>
  debitsOf(within(books, account, now, days * day), account)
    .filter((transaction) => transaction !== now.transaction)
    .map(({ amountFen }) => amountFen);

export const checks: Readonly<Record<ClassicTypology, Check>> = {
  V01(books, account, now) {
    const { payer, payee, amountFen } = now.transaction;
    if (payer.account !== account || payer.kind !== 'corporate' || !isNewPayee(books, account, now, 180)) return false;
    const isDoubtful = payee.kind === 'personal' || ageDays(payee.openedOn, now) <= 90;
    const median = quantile(debitAmountsBefore(books, account, now, 90), 0.5);
    const before = balanceOf(now, account) + amountFen;
    return isDoubtful && (amountFen >= Math.max(100_000 * yuan, 5 * median) || amountFen >= 0.5 * before);
  },
  V11(books, account, now) {
    const { payer, payee, amountFen, remark = '' } = now.transaction;
    if (payer.account !== account || !/退款|退回|误转|退货款/.test(remark)) return false;
    return !creditsOf(within(books, account, now, 30 * day), account).some(
      (credit) => credit.payer.account === payee.account && Math.abs(credit.amountFen - amountFen) <= 0.01 * amountFen,
    );
  },
  V12(books, account, now) {
    const { payer, amountFen } = now.transaction;
    if (payer.account !== account || !isNewPayee(books, account, now, 365)) return false;
    return amountFen >= 200_000 * yuan && amountFen >= quantile(debitAmountsBefore(books, account, now, 365), 0.99);
  },
  M01(books, account, now) {
    const entries = within(books, account, now, fiveWorkingDays);
    const credits = creditsOf(entries, account);
    const debits = debitsOf(entries, account);
    if (debits.length === 0 || credits.length < 3 || payersOf(credits) < 5) return false;
    return credits.length / debits.length >= 3 && sum(debits) >= 0.8 * sum(credits) && payeesOf(debits) <= 3;
  },
  M02(books, account, now) {
    const entries = within(books, account, now, fiveWorkingDays);
    const credits = creditsOf(entries, account);
    const debits = debitsOf(entries, account);
    if (credits.length === 0 || debits.length < 3 || payeesOf(debits) < 5) return false;
    return debits.length / credits.length >= 3 && sum(debits) >= 0.8 * sum(credits) && payersOf(credits) <= 3;
  },
  M03(books, account, now) {
    const entries = within(books, account, now, day);
    const passed = entries.filter((credit) => {
      if (credit.transaction.payee.account !== account) return false;
      const after = entries.filter(({ timeMs }) => timeMs >= credit.timeMs && timeMs <= credit.timeMs + 30 * minute);
      return sum(debitsOf(after, account)) >= 0.9 * credit.transaction.amountFen;
    });
    return passed.length >= 3 || passed.some(({ transaction }) => transaction.amountFen >= 100_000 * yuan);
  },
  M04(books, account, now) {
    const today = dayNumber(now.timeMs);
    const entries = within(books, account, now, 8 * day);
    const emptied = [1, 2, 3, 4, 5, 6, 7].filter((back) => {
      const ofDay = entries.filter(({ timeMs }) => dayNumber(timeMs) === today - back);
      const last = ofDay.at(-1);
      const turnover = sum(ofDay.map(({ transaction }) => transaction));
      const kept = Math.max(0.01 * sum(creditsOf(ofDay, account)), 1_000 * yuan);
      return last !== undefined && turnover >= 500_000 * yuan && balanceOf(last, account) <= kept;
    });
    return emptied.length >= 3;
  },
  M05(books, account, now) {
    const { payer, payee, amountFen } = now.transaction;
    if (payee.account !== account || amountFen < 50_000 * yuan) return false;
    const ofPair = (books.legs.get(account) ?? []).filter(
      ({ transaction }) => transaction.payer.account === payer.account && transaction.payee.account === payee.account,
    );
    const first = ofPair[0];
    return first !== undefined && first.transaction.amountFen <= 100 * yuan && now.timeMs - first.timeMs <= day;
  },
  M07(books, account, now) {
    const entries = books.legs.get(account) ?? [];
    const upTo = entries.slice(0, entries.indexOf(now) + 1);
    const recent = upTo.filter(({ timeMs }) => timeMs > now.timeMs - fiveWorkingDays);
    const before = upTo.at(-recent.length - 1);
    const first = recent[0];
    if (!before || !first || first.timeMs - before.timeMs < 180 * day) return false;
    return recent.length >= 10 || sum(recent.map(({ transaction }) => transaction)) >= 500_000 * yuan;
  },
  M08(books, account, now) {
    const { payer, payee } = now.transaction;
    const openedOn = payer.account === account ? payer.openedOn : payee.openedOn;
    const all = within(books, account, now, 15 * day).map(({ transaction }) => transaction);
    return openedOn !== undefined && ageDays(openedOn, now) <= 15 && sum(all) >= 1_000_000 * yuan;
  },
  M12(books, account, now) {
    const ofDay = within(books, account, now, day).filter(({ timeMs }) => dayNumber(timeMs) === dayNumber(now.timeMs));
    const limit = (now.transaction.payer.kind === 'corporate' ? 2_000_000 : 500_000) * yuan;
    const split = debitsOf(ofDay, account).filter(({ amountFen }) => amountFen >= 0.7 * limit && amountFen < limit);
    return split.length >= 3 && sum(split) >= limit;
  },
  M16(books, account, now) {
    const entries = within(books, account, now, day);
    const small = creditsOf(entries, account).filter(
      ({ amountFen, payer }) => payer.kind === 'personal' && amountFen >= 100 * yuan && amountFen <= 5_000 * yuan,
    );
    const round = small.filter(({ amountFen }) => amountFen % (100 * yuan) === 0);
    const debits = debitsOf(entries, account);
    const provinces = distinct(small.map(({ payer }) => payer.region?.slice(0, 2)));
    const hours = distinct(entries.map(({ timeMs }) => Math.floor(timeMs / hour)));
    if (small.length < 30 || round.length <= small.length / 2 || payersOf(small) < 20 || provinces < 5 || hours < 16)
      return false;
    return debits.length > 0 && payeesOf(debits) <= 3 && balanceOf(now, account) <= 0.05 * sum(small);
  },
};
