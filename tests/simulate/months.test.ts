import { describe, expect, it } from 'vitest';
import { dayNumber } from '../../src/domain/bank-day.js';
import { type Reference, referenceSchema } from '../../src/domain/reference.js';
import { type Transaction, transactionSchema } from '../../src/domain/transaction.js';
import type { SimulatedLine } from '../../src/simulate/clerk.js';
import { type MonthsOptions, simulateMonths } from '../../src/simulate/months/months.js';
import { m04 } from '../../src/simulate/plants/m04.js';
import { v01 } from '../../src/simulate/plants/v01.js';
import { groupBy } from './group-by.js';

const firstDay = Math.floor(Date.UTC(2026, 6, 1) / 86_400_000);
const options: MonthsOptions = { accounts: 6_000, seed: 20_260_701, day: firstDay, days: 24, sets: 1 };
/** A holiday of three days in the middle, as no calendar has it. */
const holiday = new Set([firstDay + 14, firstDay + 15, firstDay + 16]);
const isWorkingDay = (day: number): boolean => (day + 3) % 7 < 5 && !holiday.has(day);

interface Line {
  readonly transaction?: Transaction;
  readonly reference?: Reference;
  readonly isPlanted: boolean;
}

const all = [...simulateMonths({ ...options, isWorkingDay })];
const lines = all.map(({ json, isReference, label }): Line => {
  const value: unknown = JSON.parse(Buffer.from(json).toString('utf8'));
  const isPlanted = label !== undefined;
  return isReference
    ? { reference: referenceSchema.parse(value), isPlanted }
    : { transaction: transactionSchema.parse(value), isPlanted };
});
const transactions = lines.flatMap(({ transaction }) => transaction ?? []);
const references = lines.flatMap(({ reference }) => reference ?? []);
const ordinary = lines.flatMap(({ transaction, isPlanted }) => (transaction && !isPlanted ? transaction : []));
const labels = all.flatMap(({ label }) => label ?? []);
const dayOf = ({ time }: { time: string }): number => dayNumber(Date.parse(time));
const month = ordinary.filter((transaction) => dayOf(transaction) >= firstDay);

describe('simulated months', () => {
  const small = { accounts: 3_000, day: firstDay, days: 2, plants: [v01, m04] };
  const textOf = (more: Partial<MonthsOptions>, isWanted: (line: SimulatedLine) => boolean = () => true): string =>
    [...simulateMonths({ ...small, seed: 5, ...more })]
      .filter(isWanted)
      .map(({ json }) => Buffer.from(json).toString('utf8'))
      .join('\n');
  const usual = textOf({});

  it('are the same byte for byte when they are made again, and others with another seed', () => {
    expect(textOf({}) === usual).toBe(true);
    const other = new Set(textOf({ seed: 6 }).split('\n'));
    const common = usual.split('\n').filter((line) => line.includes('"amountFen"') && other.has(line));
    expect(common).toEqual([]);
  });

  it('hold the same transactions with and without reference records', () => {
    const without = textOf({ hasReferences: false });
    expect(without.includes('"type"')).toBe(false);
    expect(without === textOf({}, ({ isReference }) => !isReference)).toBe(true);
  });

  it('are one stream in order of time that ends on the last day', () => {
    const timesMs = lines.map(({ transaction, reference }) => Date.parse((transaction ?? reference)!.time));
    expect(timesMs.findIndex((timeMs, i) => i > 0 && timeMs < timesMs[i - 1]!)).toBe(-1);
    expect(dayNumber(timesMs.at(-1)!)).toBe(firstDay + 23);
  });

  it('give every transaction and every record an id of its own', () => {
    expect(new Set(transactions.map(({ id }) => id)).size).toBe(transactions.length);
    expect(new Set(references.map(({ id }) => id)).size).toBe(references.length);
  });

  it('keep every balance, and none falls below zero', () => {
    const before = new Map<string, number>();
    const wrong: string[] = [];
    for (const { id, status, amountFen, payer, payee } of transactions) {
      const effectFen = status === 'settled' ? amountFen : 0;
      for (const [party, changeFen] of [[payer, -effectFen] as const, [payee, effectFen] as const]) {
        const known = before.get(party.account);
        const expected = known === undefined ? undefined : known + changeFen;
        if (party.balanceFen !== undefined && expected !== undefined && expected !== party.balanceFen) wrong.push(id);
        if ((party.balanceFen ?? 0) < 0) wrong.push(id);
        const now = party.balanceFen ?? expected;
        if (now !== undefined) before.set(party.account, now);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('never trade before an account was opened', () => {
    const early = transactions.filter(({ time, payer, payee }) =>
      [payer, payee].some(({ openedOn }) => openedOn !== undefined && openedOn > time.slice(0, 10)),
    );
    expect(early.map(({ id }) => id)).toEqual([]);
  });

  it('refuse options out of bounds and name all of them', () => {
    const make = (wrong: Partial<MonthsOptions>) => [...simulateMonths({ ...options, ...wrong })];
    expect(() => make({ accounts: 99, days: 0, seed: -1 })).toThrow(/accounts: .*99; seed: .*-1; days: .*0/);
    expect(() => make({ accounts: 3_000, sets: 40 })).toThrow(/ask for more accounts, or for fewer schemes|too few enterprises/);
  });
});

describe('the ordinary business of simulated months', () => {
  const remarked = (remark: RegExp): Transaction[] => month.filter((transaction) => remark.test(transaction.remark ?? ''));

  it('carries no label', () => {
    const planted = new Set(labels.map(({ transaction }) => transaction));
    expect(ordinary.some(({ id }) => planted.has(id))).toBe(false);
    expect(ordinary.length + planted.size).toBe(transactions.length);
  });

  it('rests on days off: offices pay nothing, shops sell on', () => {
    const offices = month.filter(({ channel, remark }) => channel === 'ebank' && !/退/.test(remark ?? ''));
    expect(offices.filter((transaction) => !isWorkingDay(dayOf(transaction))).map(({ id }) => id)).toEqual([]);
    const sales = remarked(/消费/);
    expect(sales.filter((transaction) => holiday.has(dayOf(transaction))).length).toBeGreaterThan(100);
  });

  it('pays taxes to the treasury in the middle of the month, from the 8th to the next working day after the 15th', () => {
    const taxes = remarked(/税款|所得税/);
    expect(taxes.length).toBeGreaterThan(300);
    expect(taxes.every(({ payee }) => payee.name?.includes('国家金库'))).toBe(true);
    const dates = taxes.map(({ time }) => Number(time.slice(8, 10)));
    expect(Math.min(...dates)).toBeGreaterThanOrEqual(8);
    // The 15th to the 19th are a holiday and a weekend.
    expect(Math.max(...dates)).toBe(20);
  });

  it('pays salaries in runs to the same people as in the months before', () => {
    const before = new Set(ordinary.filter(({ remark, time }) => /工资/.test(remark ?? '') && time < '2026-07-01').map(pairOf));
    const salaries = remarked(/工资/);
    const known = salaries.filter((salary) => before.has(pairOf(salary)));
    expect(salaries.length).toBeGreaterThan(1_000);
    expect(known.length / salaries.length).toBeGreaterThan(0.95);
    const runs = groupBy(salaries, ({ payer, time }) => payer.account + time.slice(0, 10));
    expect(Math.max(...[...runs.values()].map((run) => run.length))).toBeGreaterThan(40);
  });

  it('pays its regular suppliers: hardly a large payment goes to somebody new', () => {
    const seen = new Set<string>();
    const large = ordinary.filter((transaction) => {
      const isNew = !seen.has(pairOf(transaction));
      seen.add(pairOf(transaction));
      return isNew && transaction.amountFen >= 20_000_000 && /货款|款$|费$/.test(transaction.remark ?? '');
    });
    const suspicious = large.filter(({ time, payer }) => time >= '2026-07-01' && !/国家金库|贷款/.test(payer.name ?? ''));
    expect(suspicious.length).toBeLessThan(60);
    expect(suspicious.length).toBeGreaterThan(3);
  });

  it('refunds what was paid, to the fen and to who paid it', () => {
    const refunds = remarked(/退款|退货款|保证金退还/);
    expect(refunds.length).toBeGreaterThan(30);
    const paid = new Set(month.map(({ payer, payee, amountFen }) => `${payer.account} ${payee.account} ${amountFen}`));
    const without = refunds.filter(({ payer, payee, amountFen }) => !paid.has(`${payee.account} ${payer.account} ${amountFen}`));
    expect(without.map(({ id }) => id)).toEqual([]);
  });

  it('has the harmless look-alikes of the patterns', () => {
    const sales = groupBy(remarked(/消费/), ({ payee, time }) => `${payee.name} ${time.slice(0, 10)}`);
    const busiest = [...sales].filter(([, list]) => list.length >= 60);
    expect(busiest.some(([name]) => name.includes('电子商务'))).toBe(true);
    const night = remarked(/消费/).filter(({ time }) => Number(time.slice(11, 13)) < 4);
    expect(groupBy(night, ({ payee }) => payee.account).size).toBeGreaterThan(3);
    expect(remarked(/投标保证金/).every(({ payee }) => payee.name?.includes('公共资源交易中心'))).toBe(true);
    for (const remark of [
      /案款托管/,
      /^案款$/,
      /资金归集/,
      /平台结算款/,
      /贷款发放/,
      /贷款利息/,
      /房屋租金/,
      /投标保证金/,
      /分红/,
      /投资款/,
    ]) {
      expect(remarked(remark).length, String(remark)).toBeGreaterThan(0);
    }
  });

  it('names machine and operator of nearly every payment that an enterprise makes on line, mostly the same ones', () => {
    const online = month.filter(
      ({ payer, channel }) => payer.kind === 'corporate' && (channel === 'ebank' || channel === 'batch'),
    );
    expect(online.filter(({ device }) => device?.ip && device.mac).length / online.length).toBeGreaterThan(0.97);
    expect(online.filter(({ operator }) => operator).length / online.length).toBeGreaterThan(0.7);
    const machines = groupBy(online, ({ payer }) => payer.account);
    const steady = [...machines.values()].filter((list) => new Set(list.map(({ device }) => device?.mac)).size === 1);
    expect(steady.length / machines.size).toBeGreaterThan(0.75);
  });

  it('shares addresses in parks and machines at bookkeeping agents, and says so in lists', () => {
    const listed = (name: string) =>
      new Set(references.flatMap((record) => (record.type === 'list' && record.list === name ? record.entries : [])));
    const firms = (key: (transaction: Transaction) => string | undefined) => {
      const using = groupBy(
        month.filter(({ payer, device }) => payer.kind === 'corporate' && device),
        (transaction) => key(transaction) ?? '',
      );
      return [...using].filter(([value, list]) => value && new Set(list.map(({ payer }) => payer.account)).size >= 4);
    };
    const sharedIps = firms(({ device }) => device?.ip).map(([ip]) => ip);
    const harmless = new Set([...listed('nat-ips'), ...listed('bookkeeping-agents')]);
    expect(sharedIps.length).toBeGreaterThan(3);
    expect(sharedIps.filter((ip) => !harmless.has(ip))).toEqual([]);
    const sharedMachines = firms(({ device }) => device?.mac).map(([mac]) => mac);
    expect(sharedMachines.length).toBeGreaterThan(3);
    expect(sharedMachines.filter((mac) => !listed('bookkeeping-agents').has(mac))).toEqual([]);
  });
});

describe('the reference records of simulated months', () => {
  const byType = groupBy(references, ({ type }) => type);

  it('begin with lists and the profile of every enterprise that trades', () => {
    const profiled = new Set(
      (byType.get('profile') ?? []).flatMap((record) => (record.type === 'profile' ? record.account : [])),
    );
    const traders = transactions
      .flatMap(({ payer, payee }) => [payer, payee])
      .filter(({ kind, name }) => kind === 'corporate' && !/专户|待报解|资产管理/.test(name ?? ''));
    expect([...new Set(traders.map(({ account }) => account))].filter((account) => !profiled.has(account))).toEqual([]);
    expect(lines[0]?.reference?.type).toBe('list');
  });

  it('name the right credit code, name and division', () => {
    const parties = new Map(transactions.flatMap(({ payer, payee }) => [payer, payee]).map((party) => [party.account, party]));
    const compared = (byType.get('profile') ?? []).filter((record) => {
      if (record.type !== 'profile') return false;
      const party = parties.get(record.account);
      if (!party) return false;
      expect(record.name).toBe(party.name);
      if (party.creditCode) expect(record.creditCode).toBe(party.creditCode);
      return true;
    });
    expect(compared.length).toBeGreaterThan(500);
  });

  it('tell logins before the payments, the rates of every day, and what changes at an account', () => {
    const logins = byType.get('login') ?? [];
    expect(logins.length).toBeGreaterThan(1_000);
    const rates = (byType.get('exchange-rate') ?? []).filter((record) => dayOf(record) >= firstDay);
    expect(rates).toHaveLength(24 * 5);
    expect((byType.get('account-change') ?? []).length).toBeGreaterThan(0);
  });
});

describe('the planted schemes of simulated months', () => {
  const cases = groupBy(labels, ({ scheme }) => scheme);
  const byId = new Map(transactions.map((transaction) => [transaction.id, transaction]));

  it('are labelled with the accounts of the case, and no two share one', () => {
    const owner = new Map<string, number>();
    const shared: string[] = [];
    for (const { scheme, transaction, accounts } of labels) {
      const { payer, payee } = byId.get(transaction)!;
      expect([payer.account, payee.account]).toEqual(expect.arrayContaining([...accounts]));
      for (const account of accounts) {
        if ((owner.get(account) ?? scheme) !== scheme) shared.push(account);
        owner.set(account, scheme);
      }
    }
    expect(shared).toEqual([]);
    expect(cases.size).toBeGreaterThan(40);
  });

  it('are a small part of the whole, and end within the days', () => {
    expect(labels.length / transactions.length).toBeLessThan(0.05);
    for (const list of cases.values()) {
      const last = dayOf(byId.get(list.at(-1)!.transaction)!);
      expect(last).toBeGreaterThanOrEqual(firstDay);
      expect(last).toBeLessThan(firstDay + 24);
    }
  });

  it('are only those asked for, as often as asked for', () => {
    const some = [...simulateMonths({ accounts: 3_000, seed: 3, day: firstDay, days: 2, plants: [v01, m04], sets: 2 })];
    const schemes = groupBy(
      some.flatMap(({ label }) => label ?? []),
      ({ typology }) => typology,
    );
    expect([...schemes.keys()].toSorted()).toEqual(['M04', 'V01']);
    for (const list of schemes.values()) expect(new Set(list.map(({ scheme }) => scheme)).size).toBe(2);
    const none = [...simulateMonths({ accounts: 3_000, seed: 3, day: firstDay, days: 2, sets: 0 })];
    expect(none.some(({ label }) => label)).toBe(false);
  });
});

function pairOf({ payer, payee }: Transaction): string {
  return `${payer.account} ${payee.account}`;
}
