import { dayNumber } from '../../src/domain/bank-day.js';
import { currencies, fenPer100 } from '../../src/simulate/exchange.js';
import type { PlannedPayment } from '../../src/simulate/payment.js';
import {
  day,
  distinct,
  hour,
  hourOf,
  longestPaths,
  minute,
  payeesOf,
  payersOf,
  share,
  type Story,
  sum,
  variation,
  windows,
  yuan,
} from './story.js';
import { isNight, roundShare } from './victim-definitions.js';

const isLucky = ({ amountFen }: PlannedPayment): boolean => /666|888|999|1314|520/.test(String(amountFen));
const legsOf = (story: Story, account: number): PlannedPayment[] =>
  story.payments.filter(({ payer, payee }) => payer === account || payee === account);
/** Some account of the story for which it holds. */
const some = (holds: (story: Story, account: number) => boolean) => (story: Story) =>
  story.accounts.some((account) => holds(story, account));
const listed = (story: Story, list: string): readonly (number | string)[] =>
  story.records.flatMap(({ record }) => (record.type === 'list' && record.list === list ? record.entries : []));
const personal = (story: Story, payments: readonly PlannedPayment[], side: 'payer' | 'payee') =>
  payments.filter((payment) => story.isPerson(payment[side]));
/** The catalogue's patterns of accounts, networks and crimes, in their slow and obvious form over a planned story. */
export const muleDefinitions: Readonly<Record<string, (story: Story) => boolean>> = {
  M06: some((story, account) => {
    const legs = legsOf(story, account);
    if (legs.some(({ amountFen, timeMs }) => amountFen >= 500_000 * yuan && hourOf(timeMs) < 5)) return true;
    return windows(legs, day).some((list) => list.length >= 10 && share(list, isNight) >= 0.5);
  }),
  M09: some((story, account) => {
    const out = personal(story, story.out(account), 'payee');
    const isOdd = out.some(
      ({ amountFen, remark }) => amountFen > 50_000 * yuan && !/工资|劳务|报销|差旅|分红|借款归还/.test(remark),
    );
    const isScattered = windows(out, 7 * day).some((list) => payeesOf(list) >= 5 && sum(list) >= 200_000 * yuan);
    return !story.isPerson(account) && (isOdd || isScattered || windows(out, day).some((list) => sum(list) >= 500_000 * yuan));
  }),
  M10: some((story, account) =>
    windows(personal(story, story.in(account), 'payer'), 7 * day).some(
      (list) =>
        payersOf(list) >= 20 &&
        distinct(list.map(({ payer }) => story.identity(payer).region.slice(0, 2))) >= 3 &&
        roundShare(list, 100) >= 0.5,
    ),
  ),
  M11: some((story, account) => {
    const last = legsOf(story, account).slice(-20);
    const tails = last.filter(({ amountFen }) => amountFen % 100 !== 0);
    if (last.length < 20) return false;
    return (
      roundShare(last, 1_000) >= 0.7 ||
      share(last, isLucky) >= 0.3 ||
      distinct(tails.map(({ amountFen }) => amountFen % 100)) >= 12
    );
  }),
  M13: (story) =>
    longestPaths(story.payments, 72 * hour, { least: 0.85, most: 1.02 }).some((path) => {
      const back = path.findIndex(({ payer }) => payer === path.at(-1)!.payee);
      const first = path[back];
      const circle = story.profile(path[0]!.payer);
      const isKin =
        story.identity(path.at(-1)!.payee).name === circle.legalRep ||
        story.profile(path.at(-1)!.payee).legalRepId === circle.legalRepId;
      const start = first ?? (isKin ? path[0] : undefined);
      if (!start) return false;
      const kept = path.at(-1)!.amountFen / start.amountFen;
      return path.length <= 6 + back + 1 && kept >= 0.85 && kept <= 1.02 && path.at(-1)!.timeMs - start.timeMs <= 72 * hour;
    }),
  M14: (story) => longestPaths(story.payments, 30 * minute, { least: 0.8, most: 1.02 }).some(({ length }) => length >= 3),
  M15: (story) => {
    const cases = story.records.flatMap(({ record }) => (record.type === 'case-account' ? record.account : []));
    const sources = new Set([...cases, ...listed(story, 'case-accounts')]);
    return story.payments.some(({ payer }) => sources.has(payer));
  },
  M17: (story) =>
    windows(story.payments, 7 * day).some((list) => {
      const firms = (key: (payment: PlannedPayment) => string | undefined): number =>
        Math.max(0, ...list.map((one) => (key(one) ? payersOf(list.filter((other) => key(other) === key(one))) : 0)));
      return (
        firms(({ device }) => device?.mac) >= 3 ||
        firms(({ device }) => device?.id) >= 3 ||
        firms(({ device }) => device?.ip) >= 5
      );
    }),
  M18: (story) => {
    const operators = story.payments.filter(({ operator }) => operator !== undefined);
    const isOneOperator = operators.some(
      ({ operator }) => payersOf(operators.filter((other) => other.operator === operator)) >= 3,
    );
    const profiles = story.accounts.map((account) => story.profile(account));
    const opened = story.records.flatMap(({ record }) => (record.type === 'profile' ? record : []));
    const isOneFact = (['agent', 'phone', 'legalRepId'] as const).some((key) =>
      [...profiles, ...opened].some((profile) => story.sharing(key, profile[key]) >= 3),
    );
    return isOneOperator || isOneFact;
  },
  M19: (story) =>
    story.records.some(({ record, timeMs }) => {
      if (record.type !== 'login') return false;
      const isFar = record.province !== undefined && record.province !== 41;
      return isFar && sum(story.out(record.account, timeMs, timeMs + hour)) >= 50_000 * yuan;
    }),
  M20: (story) => {
    const proxies = new Set(listed(story, 'proxy-ips'));
    const sessions = story.records.flatMap(({ record }) => (record.type === 'login' ? record : []));
    const ips = (session: string | undefined): number =>
      distinct(sessions.filter((login) => login.session === session).map(({ device }) => device?.ip));
    return (
      story.payments.some(({ device }) => proxies.has(device?.ip ?? '')) || sessions.some(({ session }) => ips(session) >= 4)
    );
  },
  M21: some((story, account) => {
    const { capitalFen = Infinity, monthlyRevenueFen = Infinity } = story.profile(account);
    return windows(legsOf(story, account), 30 * day).some(
      (list) => sum(list) >= 10 * capitalFen && sum(list) >= 5 * monthlyRevenueFen,
    );
  }),
  M22: some((story, account) => {
    if (story.isPerson(account)) return false;
    const { insuredStaff, address, legalRepId } = story.profile(account);
    const points =
      (story.sharing('address', address) >= 5 ? 20 : 0) +
      (story.sharing('legalRepId', legalRepId) >= 3 ? 20 : 0) +
      (insuredStaff === 0 ? 15 : 0) +
      (story.ageDays(account, story.payments.at(-1)!.timeMs) < 180 ? 10 : 0) +
      // No tax, wages or utilities are paid, though it turns over half a million.
      (sum(legsOf(story, account)) >= 500_000 * yuan ? 15 : 0);
    return points >= 60;
  }),
  M23: (story) => {
    const known = new Set([
      ...['case-accounts', 'black', 'blacklist'].flatMap((list) => listed(story, list)),
      ...story.records.flatMap(({ record }) => (record.type === 'case-account' ? record.account : [])),
    ]);
    return story.payments.some((payment) =>
      [payment.payer, payment.payee].some((account) => known.has(account) || known.has(story.identity(account).name)),
    );
  },
  M24: (story) =>
    story.payments.some(({ payer, payee, amountFen, timeMs }) => {
      const { related = [], legalRep } = story.profile(payer);
      const circle = story.accounts.filter(
        (account) =>
          related.includes(account) ||
          related.includes(story.identity(account).name) ||
          story.identity(account).name === legalRep,
      );
      return circle.some((kin) => {
        const back = sum(story.in(kin, timeMs, timeMs + 15 * day));
        return kin !== payee && back >= 0.85 * amountFen && back <= 0.98 * amountFen;
      });
    }),
  M25: some((story, account) => {
    const savers = personal(story, story.in(account), 'payer');
    const interest = story.out(account).filter(({ payee }) => savers.some(({ payer }) => payer === payee));
    const months = distinct(interest.map(({ timeMs }) => Math.floor(dayNumber(timeMs) / 28)));
    return payersOf(savers) >= 30 && roundShare(savers, 10_000) >= 0.6 && months >= 2;
  }),
  M26: some((story, account) => {
    const legs = legsOf(story, account);
    const isForeign = ({ amountFen, timeMs }: PlannedPayment): boolean =>
      currencies.some((currency) => {
        const units = (amountFen * 100) / fenPer100(currency, dayNumber(timeMs));
        const round = Math.round(units / 100) * 100;
        return round > 0 && Math.abs(units - round) <= 0.001 * round;
      });
    const isMirrored = legs.some((one) =>
      legs.some(
        (other) =>
          one.payee === account &&
          other.payer === account &&
          Math.abs(other.timeMs - one.timeMs) <= day &&
          Math.abs(other.amountFen - one.amountFen) <= 0.05 * one.amountFen,
      ),
    );
    return share(legs, isForeign) >= 0.3 || isMirrored;
  }),
  M27: some((story, account) =>
    windows(personal(story, story.in(account), 'payer'), day).some(
      (list) => list.length >= 100 && payersOf(list) >= 50 && share(list, ({ amountFen }) => amountFen <= 5_000 * yuan) >= 0.9,
    ),
  ),
  M28: some((story, account) => {
    const entries = personal(story, story.in(account), 'payer');
    const modal = Math.max(0, ...entries.map(({ amountFen }) => entries.filter((other) => other.amountFen === amountFen).length));
    const paid = story.out(account).filter(({ payee }) => entries.some(({ payer }) => payer === payee));
    return payersOf(entries) >= 30 && modal >= 0.5 * entries.length && paid.length > 0;
  }),
  M29: (story) =>
    story.accounts.some((office) =>
      windows(story.in(office), day).some((deposits) => {
        const amount = deposits.at(-1)!.amountFen;
        const equal = deposits.filter(({ amountFen }) => Math.abs(amountFen - amount) <= 0.01 * amount);
        const sources = equal.map(({ payer, timeMs }) =>
          story.in(payer, timeMs - 72 * hour, timeMs).map((funding) => funding.payer),
        );
        const isFunded = sources.flat().some((source) => sources.filter((own) => own.includes(source)).length >= 3);
        const isOneMachine = equal.some(
          ({ device }) => device && payersOf(equal.filter((other) => other.device?.mac === device.mac)) >= 3,
        );
        return payersOf(equal) >= 3 && (isFunded || isOneMachine);
      }),
    ),
  M30: (story) => {
    const opened = story.records.filter(({ record }) => record.type === 'account-change' && record.what === 'opened');
    const who = ({ record }: (typeof opened)[number]) =>
      record.type === 'account-change' ? [record.legalRepId, record.agent] : [];
    return opened.some((one) => {
      const own = opened.filter((other) => who(other).some((name) => name !== undefined && who(one).includes(name)));
      return own.length >= 5 || own.filter(({ timeMs }) => timeMs <= one.timeMs && timeMs > one.timeMs - 30 * day).length >= 3;
    });
  },
  M31: some((story, account) => {
    const changes = story.records.filter(({ record }) => record.type === 'account-change' && record.account === account);
    const isBusy = changes.some(
      ({ timeMs }) => changes.filter((other) => other.timeMs <= timeMs && other.timeMs > timeMs - 90 * day).length >= 3,
    );
    const legs = legsOf(story, account);
    const last = legs.at(-1);
    const isBurnt = windows(legs, 15 * day).some((list) => sum(list) >= 1_000_000 * yuan);
    const isClosed = changes.some(
      ({ record, timeMs }) => record.type === 'account-change' && record.what === 'closed' && last && timeMs > last.timeMs,
    );
    return isBusy || (isBurnt && isClosed);
  }),
  M32: (story) =>
    story.payments.some(({ payer, payee }) => {
      const pair = story.payments.filter((payment) => payment.payer === payer && payment.payee === payee);
      return windows(pair, 7 * day).some((list) => list.length >= 5 && variation(list) <= 0.05);
    }),
  M33: some((story, account) => windows(legsOf(story, account), hour).some(({ length }) => length >= 20)),
  M34: (story) =>
    story.payments.some(({ payer, payee, timeMs }) => {
      const sameDay = (payments: PlannedPayment[]) =>
        sum(payments.filter((other) => dayNumber(other.timeMs) === dayNumber(timeMs)));
      const line = (account: number) => (story.isPerson(account) ? 500_000 : 2_000_000) * yuan;
      return sameDay(story.out(payer)) >= line(payer) || sameDay(story.in(payee)) >= line(payee);
    }),
  M35: some((story, account) => {
    const cash = story
      .out(account)
      .filter(({ channel, remark }) => channel === 'atm' || channel === 'counter' || /取现|现金/.test(remark));
    return (
      cash.some(({ timeMs }) => story.in(account, timeMs - 2 * hour, timeMs).length > 0) &&
      windows(cash, day).some((list) => sum(list) >= 50_000 * yuan)
    );
  }),
  M36: (story) => {
    const traders = new Set(listed(story, 'otc'));
    return story.payments.some(
      ({ payee, remark }) => traders.has(payee) || traders.has(story.identity(payee).name) || /USDT|U商|币|OTC/i.test(remark),
    );
  },
  M37: (story) =>
    story.payments.some(({ payee, amountFen, timeMs, remark }) => {
      const spent = story.out(payee, timeMs, timeMs + 7 * day);
      return /贷款|放款/.test(remark) && sum(spent) >= 0.5 * amountFen;
    }),
  M38: some((story, account) => {
    const { approvalLimitFen: limit = Infinity } = story.profile(account);
    const out = personal(story, story.out(account), 'payee');
    const below = out.filter(({ amountFen }) => amountFen >= 0.9 * limit && amountFen <= limit);
    const isLent = out.some(
      ({ payee, amountFen, timeMs }) => amountFen >= 50_000 * yuan && story.out(payee, timeMs + 90 * day).length > 0,
    );
    return windows(below, 30 * day).some(({ length }) => length >= 3) || isLent;
  }),
  M39: some((story, account) => {
    const wages = personal(story, story.out(account), 'payee');
    const forwarded = wages.filter(
      ({ payee, amountFen, timeMs }) => sum(story.out(payee, timeMs, timeMs + day)) >= 0.8 * amountFen,
    );
    return payeesOf(wages) >= 20 && forwarded.length >= 0.5 * wages.length;
  }),
  M40: (story) =>
    story.records.some(({ record, timeMs }) => {
      if (record.type !== 'stop-pay') return false;
      const stopped = record.account;
      return story.payments.some(({ payer, timeMs: at, device }) => {
        const isKin =
          story.profile(payer).legalRepId === story.profile(stopped).legalRepId ||
          (story.profile(payer).agent !== undefined && story.profile(payer).agent === story.profile(stopped).agent) ||
          (device !== undefined && story.out(stopped).some((other) => other.device?.mac === device.mac));
        return payer !== stopped && isKin && at > timeMs && at <= timeMs + day;
      });
    }),
  M41: (story) =>
    story.payments.some(({ payer, amountFen, timeMs }) => {
      const { status, licenceUntil } = story.profile(payer, timeMs);
      const isExpired = licenceUntil !== undefined && Date.parse(licenceUntil) < timeMs;
      return (isExpired || (status !== undefined && status !== 'active')) && amountFen >= 50_000 * yuan;
    }),
  M42: (story) =>
    story.payments.some(({ payer, payee, amountFen, timeMs }) => {
      const before = story.payments.some((other) => other.payer === payer && other.payee === payee && other.timeMs < timeMs);
      return !before && amountFen >= 500_000 * yuan && !story.isPerson(payer);
    }),
};
