import { jaroWinkler } from '@skyra/jaro-winkler';
import type { PlannedPayment } from '../../src/simulate/payment.js';
import { scaleFen, suppliersPerFirmMax, supplierOf } from '../../src/simulate/population.js';
import { day, distinct, hour, hourOf, minute, payersOf, share, type Story, sum, variation, windows, yuan } from './story.js';

/**
 * The catalogue's patterns of enterprises that lose money, in their slow and obvious form over a planned story. What an enterprise
 * has done before the story (whom it has paid, how much) is ordinary business: there its usual payment stands for the norm.
 */
export const victimDefinitions: Readonly<Record<string, (story: Story) => boolean>> = {
  V02: (story) =>
    robbing(story).some(({ payer, payee }) => {
      const { population } = story.scenery;
      const partners = Array.from({ length: suppliersPerFirmMax }, (_, slot) =>
        supplierOf(population, payer + slot * population.firms),
      );
      const name = story.identity(payee).name;
      return partners.some((partner) => partner !== payee && jaroWinkler(story.identity(partner).name, name) >= 0.92);
    }),
  V03: (story) =>
    victims(story).some((victim) => {
      const paid = story.out(victim);
      const rising = paid.filter(({ amountFen }, i) => i > 0 && amountFen >= 1.5 * paid[i - 1]!.amountFen);
      const back = sum(story.in(victim));
      const isQuick = paid.at(-1)!.timeMs - paid[0]!.timeMs <= 14 * day;
      return paid.length >= 3 && rising.length >= 2 && back > 0 && back <= 0.2 * sum(paid) && isQuick;
    }),
  V04: (story) =>
    windows(robbing(story, /手续费|验资|保证金|解冻金|服务费|评估费|履约金|流水|包装费/), 72 * hour).some(
      ({ length }) => length >= 2,
    ),
  V05: (story) =>
    story.accounts.some((mule) => {
      if (story.isPerson(mule)) return false;
      const credits = story.in(mule).filter(({ payer }) => story.isPerson(payer));
      const passed = credits.filter(
        ({ timeMs, amountFen }) => sum(story.out(mule, timeMs, timeMs + 2 * hour)) >= 0.9 * amountFen,
      );
      return windows(passed, 72 * hour).some((list) => payersOf(list) >= 3);
    }),
  V06: (story) =>
    robbing(story, /保证金|押金|定金|履约金|诚意金/).some(
      ({ payee, timeMs }) => !story.isPublic(payee) && (story.isPerson(payee) || story.ageDays(payee, timeMs) < 180),
    ),
  V07: (story) =>
    robbing(story).some(({ payer, payee, timeMs }) => {
      const again = story.out(payer, timeMs + 1, timeMs + day).some((other) => other.payee === payee);
      return again && !story.identity(payee).region.startsWith('41');
    }),
  V08: (story) =>
    victims(story).some((victim) => {
      const strange = story.out(victim).filter(({ device, timeMs }) => {
        const isForeign = device !== undefined && device.mac !== story.scenery.habit(victim).device.mac;
        const isRemote = story.records.some(
          ({ record, timeMs: at }) => record.type === 'login' && record.isRemoteControlled === true && at <= timeMs,
        );
        return isForeign || isRemote;
      });
      return strange.some(({ timeMs }, i) => i > 0 && timeMs - strange[i - 1]!.timeMs <= 3 * minute);
    }),
  V09: (story) => robbing(story, /退税|税款|滞纳金|罚款|稽查|年检|企税办|汇算/).some(({ payee }) => !story.isPublic(payee)),
  V10: (story) =>
    windows(robbing(story), hour).some((list) => list.some(({ drainTo }) => drainTo !== undefined && drainTo <= 0.2)),
  V13: (story) =>
    robbing(story).some(({ payer, timeMs }) => {
      const changed = story.records.some(
        ({ record, timeMs: at }) =>
          record.type === 'account-change' && record.account === payer && at < timeMs && at >= timeMs - 15 * day,
      );
      const paid = story.out(payer, timeMs - 15 * day, timeMs);
      return changed && (sum(paid) >= 500_000 * yuan || paid.some(({ drainTo }) => drainTo !== undefined && drainTo <= 0.5));
    }),
  V14: (story) =>
    story.accounts.some((collector) => {
      const advances = story.in(collector).filter(({ remark }) => /定金|预付款|货款|订金/.test(remark));
      const left = story
        .out(collector)
        .filter(({ payee, channel }) => story.isPerson(payee) || channel === 'atm' || channel === 'counter');
      const isYoung = story.ageDays(collector, story.payments.at(-1)!.timeMs) <= 180;
      return isYoung && windows(advances, 30 * day).some((list) => payersOf(list) >= 5) && sum(left) >= 0.7 * sum(advances);
    }),
  V15: (story) =>
    victims(story).some((victim) => {
      const dealers = story.records.flatMap(({ record }) =>
        record.type === 'list' && record.list === 'otc' ? record.entries : [],
      );
      if (story.out(victim).some(({ payee }) => dealers.includes(payee))) return true;
      const paid = story.out(victim).filter(({ payee }) => story.isPerson(payee));
      return windows(paid, 30 * day).some(
        (list) =>
          list.length >= 2 &&
          distinct(list.map(({ payee }) => payee)) === 1 &&
          list.every(({ amountFen }) => amountFen % 100_000 === 0),
      );
    }),
  V16: (story) =>
    story.accounts.some((collector) => {
      const fees = story.in(collector);
      const regular = [...new Set(fees.map(({ payer }) => payer))].filter((payer) => {
        const own = fees.filter((fee) => fee.payer === payer);
        return own.some(({ timeMs }) => own.some((other) => other.timeMs - timeMs >= 20 * day)) && variation(own) <= 0.05;
      });
      return regular.length >= 5;
    }),
};

/** Enterprises of ordinary business that pay in the story. */
function victims(story: Story): number[] {
  return [...new Set(story.payments.map(({ payer }) => payer))].filter((payer) => story.isVictim(payer));
}

/** What they pay, of some remarks, more than a trifle of their usual payment. */
function robbing(story: Story, remark = /^/): PlannedPayment[] {
  const { population } = story.scenery;
  return story.payments.filter(
    (payment) =>
      story.isVictim(payment.payer) &&
      remark.test(payment.remark) &&
      payment.amountFen >= 0.02 * scaleFen(population, payment.payer),
  );
}

export const isNight = ({ timeMs }: PlannedPayment): boolean => hourOf(timeMs) >= 22 || hourOf(timeMs) < 6;
const isRound =
  (unitYuan: number) =>
  ({ amountFen }: PlannedPayment): boolean =>
    amountFen % (unitYuan * yuan) === 0;
export const roundShare = (payments: readonly PlannedPayment[], unitYuan: number): number => share(payments, isRound(unitYuan));
