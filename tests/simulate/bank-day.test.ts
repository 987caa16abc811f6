import { describe, expect, it } from 'vitest';
import { dayNumber } from '../../src/domain/bank-day.js';
import { checkBankNumber } from '../../src/domain/bank-number.js';
import { checkCreditCode } from '../../src/domain/credit-code.js';
import { type Party, type Transaction, transactionSchema } from '../../src/domain/transaction.js';
import { type BankDayOptions, simulateBankDay } from '../../src/simulate/bank-day.js';
import type { Typology } from '../../src/simulate/payment.js';
import { balanceOf, checks, classicTypologies, openBooks } from './definitions.js';

const wednesday = Math.floor(Date.UTC(2026, 6, 1) / 86_400_000);
const sampleOptions: BankDayOptions = { accounts: 12_000, transactions: 33_000, seed: 20_260_701, day: wednesday };

function run(options: BankDayOptions) {
  const records = [...simulateBankDay(options)];
  const transactions = records.map(({ json }) => transactionSchema.parse(JSON.parse(Buffer.from(json).toString('utf8'))));
  return { records, transactions };
}

const { records, transactions } = run(sampleOptions);
const timesMs = transactions.map(({ time }) => Date.parse(time));
const labels = records.flatMap(({ label }) => (label ? [label] : []));
const byId = new Map(transactions.map((transaction) => [transaction.id, transaction]));

describe('a simulated bank day', () => {
  it('is the same byte for byte when it is made again, and another with another seed', () => {
    const small = { accounts: 2_000, transactions: 6_000, day: wednesday };
    const text = (seed: number) => [...simulateBankDay({ ...small, seed })].map(({ json }) => Buffer.from(json).toString('utf8'));
    expect(text(5)).toEqual(text(5));
    const other = text(6);
    expect(text(5).filter((line, i) => line === other[i])).toHaveLength(0);
  });

  it('has exactly the number of transactions asked for, each with an id of its own', () => {
    expect(transactions).toHaveLength(33_000);
    expect(byId.size).toBe(33_000);
  });

  it('is in order of time and ends within the day', () => {
    expect(timesMs.every((timeMs, i) => i === 0 || timeMs >= (timesMs[i - 1] ?? 0))).toBe(true);
    expect(dayNumber(timesMs.at(-1) ?? 0)).toBe(wednesday);
    expect(dayNumber(timesMs[0] ?? 0)).toBeGreaterThanOrEqual(wednesday - 400);
  });

  it('has a day that is busy in the morning and the afternoon and quiet at night, and a history of a third of its size', () => {
    const ofDay = timesMs.filter((timeMs) => dayNumber(timeMs) === wednesday);
    expect(ofDay.length).toBeGreaterThanOrEqual(22_000);
    expect((33_000 - ofDay.length) / ofDay.length).toBeGreaterThan(0.3);
    expect((33_000 - ofDay.length) / ofDay.length).toBeLessThan(0.4);
    const between = (from: number, to: number) =>
      ofDay.filter((timeMs) => {
        const hour = (timeMs / 3_600_000 + 8) % 24;
        return hour >= from && hour < to;
      }).length /
      (to - from);
    expect(between(9, 11)).toBeGreaterThan(2 * between(12, 13));
    expect(between(14, 16)).toBeGreaterThan(2 * between(12, 13));
    expect(between(12, 13)).toBeGreaterThan(5 * between(0, 6));
  });

  it('spreads over the days asked for, with little on a weekend', () => {
    const week = run({ accounts: 3_000, transactions: 12_000, seed: 3, day: wednesday, days: 5 });
    const counts = [0, 1, 2, 3, 4].map(
      (i) => week.transactions.filter(({ time }) => dayNumber(Date.parse(time)) === wednesday + i).length,
    );
    expect(counts.slice(0, 3).every((count) => count > 1_500)).toBe(true);
    expect(counts.slice(3).every((count) => count > 0 && count < 800)).toBe(true);
  });

  it('keeps every balance: after each transaction it is the one before, less what was paid, more what came in', () => {
    const before = new Map<string, number>();
    const wrong: string[] = [];
    let compared = 0;
    for (const { id, status, amountFen, payer, payee } of transactions) {
      const effectFen = status === 'settled' ? amountFen : 0;
      for (const [party, changeFen] of [
        [payer, -effectFen],
        [payee, effectFen],
      ] as const) {
        const known = before.get(party.account);
        const expected = known === undefined ? undefined : known + changeFen;
        if (party.balanceFen !== undefined && expected !== undefined) compared++;
        if (party.balanceFen !== undefined && expected !== undefined && expected !== party.balanceFen) wrong.push(id);
        const now = party.balanceFen ?? expected;
        if (now !== undefined) before.set(party.account, now);
      }
    }
    expect(compared).toBeGreaterThan(15_000);
    expect(wrong).toEqual([]);
    expect(transactions.every(({ payer }) => payer.balanceFen !== undefined && payer.balanceFen >= 0)).toBe(true);
  });

  it('refuses options out of bounds and names all of them', () => {
    const make = (options: Partial<BankDayOptions>) => [...simulateBankDay({ ...sampleOptions, ...options })];
    expect(() => make({ accounts: 999, transactions: 1_999, days: 0 })).toThrow(
      /accounts: .*999; transactions: .*1999; days: .*0/,
    );
    expect(() => make({ seed: 1.5 })).toThrow(/seed: expected a whole number/);
  });

  it('works at its smallest and where few of many accounts move', () => {
    expect(run({ accounts: 1_000, transactions: 2_000, seed: 5, day: wednesday }).transactions).toHaveLength(2_000);
    expect(run({ accounts: 200_000, transactions: 2_000, seed: 5, day: wednesday }).transactions).toHaveLength(2_000);
    expect(run({ accounts: 1_000, transactions: 20_000, seed: 5, day: wednesday }).transactions).toHaveLength(20_000);
  });
});

describe('the parties of a simulated bank day', () => {
  const parties = new Map<string, Party>();
  for (const { payer, payee } of transactions) {
    parties.set(payee.account, { ...payee, ...parties.get(payee.account) });
    parties.set(payer.account, { ...parties.get(payer.account), ...payer });
  }
  const corporate = [...parties.values()].filter(({ kind }) => kind === 'corporate');
  const personal = [...parties.values()].filter(({ kind }) => kind === 'personal');

  it('are at least two thousand enterprises on the day, in all eighteen cities of Henan', () => {
    const onDay = transactions.filter((_, i) => dayNumber(timesMs[i] ?? 0) === wednesday);
    const accounts = new Set(
      onDay
        .flatMap(({ payer, payee }) => [payer, payee])
        .filter(({ kind }) => kind === 'corporate')
        .map(({ account }) => account),
    );
    expect(accounts.size).toBeGreaterThanOrEqual(2_000);
    expect(new Set(corporate.map(({ region }) => region)).size).toBeGreaterThanOrEqual(18);
    expect(corporate.filter(({ name }) => name?.endsWith('有限公司')).length).toBeGreaterThanOrEqual(2_000);
  });

  it('have bank numbers and credit codes whose check characters are right', () => {
    const banks = new Set([...parties.values()].map(({ bank = '' }) => bank));
    expect(banks.size).toBeGreaterThan(100);
    for (const bank of banks) expect(checkBankNumber(bank), bank).toEqual({ kind: 'valid' });
    const codes = corporate.flatMap(({ creditCode }) => (creditCode ? [creditCode] : []));
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(checkCreditCode(code), code).toEqual({ kind: 'valid' });
  });

  it('have corporate accounts of 12 to 25 digits and cards of 16 to 19 digits with a Luhn digit', () => {
    expect(corporate.every(({ account }) => /^\d{12,25}$/.test(account))).toBe(true);
    expect(personal.length).toBeGreaterThan(3_000);
    expect(personal.every(({ account }) => /^62\d{14,17}$/.test(account) && luhnSum(account) % 10 === 0)).toBe(true);
  });

  it('name one holder an account, always the same', () => {
    const facts = new Map<string, string>();
    for (const party of transactions.flatMap(({ payer, payee }) => [payer, payee])) {
      const fact = [party.name, party.kind, party.bank, party.region].join('|');
      expect(facts.get(party.account) ?? fact).toBe(fact);
      facts.set(party.account, fact);
    }
  });

  it('never trade before their account was opened', () => {
    const early = transactions.filter(({ time, payer, payee }) =>
      [payer, payee].some(({ openedOn }) => openedOn !== undefined && openedOn > time.slice(0, 10)),
    );
    expect(early).toEqual([]);
  });

  it('use only addresses that nobody can have', () => {
    const addresses = transactions.flatMap(({ device }) => (device?.ip ? [device.ip] : []));
    expect(addresses.length).toBeGreaterThan(5_000);
    expect(addresses.every((ip) => /^(24\d|25[0-5])(\.\d{1,3}){3}$/.test(ip))).toBe(true);
  });
});

describe('the planted schemes', () => {
  const books = openBooks(transactions);
  const schemes = new Map<number, { typology: Typology; transactions: Transaction[] }>();
  for (const { label, scheme } of records) {
    if (!label || scheme === undefined) continue;
    const transaction = byId.get(label.transaction);
    const entry = schemes.get(scheme) ?? { typology: label.typology, transactions: [] };
    if (transaction) entry.transactions.push(transaction);
    schemes.set(scheme, entry);
  }

  it('are labelled on transactions that exist, each once, a small part of the whole', () => {
    expect(labels.every(({ transaction }) => byId.has(transaction))).toBe(true);
    expect(new Set(labels.map(({ transaction }) => transaction)).size).toBe(labels.length);
    expect(labels.length / transactions.length).toBeLessThan(0.03);
  });

  it.each(classicTypologies)(
    'hold at least three cases of %s, and each meets the definition of the catalogue on one of its own transactions',
    (typology) => {
      const cases = [...schemes.values()].filter((scheme) => scheme.typology === typology);
      expect(cases.length).toBeGreaterThanOrEqual(3);
      for (const scheme of cases) {
        const ids = new Set(scheme.transactions.map(({ id }) => id));
        const accounts = new Set(scheme.transactions.flatMap(({ payer, payee }) => [payer.account, payee.account]));
        const holds = [...accounts].some((account) =>
          (books.legs.get(account) ?? []).some(
            (entry) => ids.has(entry.transaction.id) && checks[typology](books, account, entry),
          ),
        );
        expect(holds, `${typology}: ${[...ids].join(' ')}`).toBe(true);
      }
    },
  );

  it('are played by accounts of their own: ordinary business meets them only in the enterprises they rob', () => {
    const planted = new Set(labels.map(({ transaction }) => transaction));
    const ordinary = new Set<string>();
    for (const { id, payer, payee } of transactions) if (!planted.has(id)) ordinary.add(payer.account).add(payee.account);
    const shared = [...schemes.values()].map((scheme) => ({
      typology: scheme.typology,
      accounts: new Set(
        scheme.transactions
          .flatMap(({ payer, payee }) => [payer.account, payee.account])
          .filter((account) => ordinary.has(account)),
      ),
    }));
    for (const { typology, accounts } of shared) expect(accounts.size).toBe(typology.startsWith('V') ? 1 : 0);
  });

  it('tell the balance of the mule on every leg', () => {
    const mules = [...schemes.values()].filter(({ typology }) => typology.startsWith('M'));
    const legs = mules.flatMap((scheme) => scheme.transactions.flatMap(({ payer, payee }) => [payer, payee]));
    expect(legs.length).toBeGreaterThan(500);
    expect(legs.every(({ balanceFen }) => balanceFen !== undefined)).toBe(true);
  });

  it('rob enterprises that have paid at least ten times before, so that their norm is known', () => {
    for (const { typology, transactions: own } of schemes.values()) {
      if (!typology.startsWith('V')) continue;
      const robbed =
        own.find(({ payer, payee }) => payer.kind === 'corporate' && payee.account !== payer.account)?.payer.account ?? '';
      const before = (books.legs.get(robbed) ?? []).filter(
        ({ timeMs, transaction }) => dayNumber(timeMs) < wednesday && transaction.payer.account === robbed,
      );
      expect(before.length, typology).toBeGreaterThanOrEqual(10);
    }
  });

  it('are hidden among harmless look-alikes: shops, salaries and sweeps that fit a definition but keep a balance', () => {
    const planted = new Set(labels.map(({ transaction }) => transaction));
    for (const typology of ['M01', 'M02', 'M03'] as const) {
      const alike = new Set<string>();
      for (const [account, entries] of books.legs) {
        for (const entry of entries) {
          if (planted.has(entry.transaction.id) || entry.transaction.payer.kind !== 'corporate') continue;
          if (!checks[typology](books, account, entry)) continue;
          alike.add(account);
          if (entry.transaction.payer.account === account) {
            expect(balanceOf(entry, account)).toBeGreaterThan(0.2 * entry.transaction.amountFen);
          }
        }
      }
      expect(alike.size, typology).toBeGreaterThan(10);
    }
  });

  it.each(['V01', 'V11', 'V12', 'M04', 'M07', 'M08', 'M16'] as const)(
    'leave hardly an ordinary account that fits %s',
    (typology) => {
      const planted = new Set(labels.map(({ transaction }) => transaction));
      const alike = [...books.legs].filter(([account, entries]) =>
        entries.some((entry) => !planted.has(entry.transaction.id) && checks[typology](books, account, entry)),
      );
      expect(alike.length).toBeLessThanOrEqual(2);
    },
  );
});

function luhnSum(digits: string): number {
  let sum = 0;
  Array.from(digits)
    .toReversed()
    .forEach((digit, i) => {
      const doubled = Number(digit) * (i % 2 === 0 ? 1 : 2);
      sum += doubled > 9 ? doubled - 9 : doubled;
    });
  return sum;
}
