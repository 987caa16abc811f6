import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/**
 * A young firm sells what it does not have: enterprises from several places prepay over three weeks, and each prepayment is on
 * its owners' cards, or drawn as cash, within two days. Two of the buyers are enterprises of ordinary business.
 */
export const v14: Plant = {
  typology: 'V14',
  daysBefore: 25,
  plan({ random, day, victim, shell, card, pay }) {
    const collector = shell({ ageDays: random.between(35, 170) });
    const owners = [card(), card({ place: random.pick(distantCities) })];
    const robbed = [victim(), victim()];
    const buyers = [
      ...Array.from({ length: random.between(4, 7) }, () =>
        shell(random.chance(0.5) ? { place: random.pick(distantCities) } : {}),
      ),
      ...robbed.map(({ account }) => account),
    ];
    const outShare = random.chance(0.9) ? random.within(0.88, 0.99) : random.within(0.6, 0.75);
    buyers.forEach((buyer, i) => {
      const payDay = day - Math.round(((buyers.length - 1 - i) * 21) / buyers.length);
      const amountFen = random.between(30, 150) * 100_000;
      const timeMs = clock(payDay, random.within(9, 15));
      pay({ from: buyer, to: collector, amountFen, timeMs, remark: random.pick(['定金', '预付款', '货款', '订金']) });
      if (payDay === day) return;
      const isCash = random.chance(0.2);
      pay({
        from: collector,
        to: owners[i % owners.length] ?? 0,
        amountFen: Math.round((amountFen * outShare) / 10_000) * 10_000,
        timeMs: clock(payDay + random.between(0, 1), 15.5 + random.within(0, 0.5)),
        remark: isCash ? '取现' : random.pick(['往来款', '货款', '备用金', '']),
        channel: isCash ? 'counter' : 'ebank',
      });
    });
  },
};
