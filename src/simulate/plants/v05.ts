import { distantCities } from '../places.js';
import { clock, minuteMs, type Plant, splitFen } from './stage.js';

/**
 * The owner believes that turnover for a loan is made up: strangers pay into an account opened weeks ago, or left alone for
 * most of a year, and whoever holds the token passes each sum on within the hour.
 */
export const v05: Plant = {
  typology: 'V05',
  daysBefore: 10,
  plan({ random, day, shell, card, cards, device, identity, habit, record, pay }) {
    const isFresh = random.chance(0.75);
    const used = shell({ ageDays: isFresh ? random.between(5, 27) : random.between(500, 1_400) });
    if (!isFresh) {
      const lastMs = clock(day - random.between(200, 330), 10);
      pay({ from: used, to: shell(), amountFen: random.between(5, 90) * 10_000, timeMs: lastMs, remark: '货款' });
    }
    const home = Number(identity(used).region.slice(0, 2));
    const away = random.pick(distantCities);
    const hand = random.chance(0.7) ? device() : habit(used).device;
    const days = random.between(1, 3);
    const exits = [shell({ place: random.pick(distantCities) }), shell(), card({ place: random.pick(distantCities) })];
    const payers = cards(random.between(4, 8));
    const amounts = splitFen(random, random.between(1_200, 9_000) * 10_000 * payers.length, payers.length);
    payers.forEach((payer, i) => {
      const turnDay = day - (days - 1) + Math.floor((i * days) / payers.length);
      const timeMs = clock(turnDay, 8.5 + ((i % 4) + random.within(0, 0.4)) * 2);
      const amountFen = amounts[i] ?? 0;
      const isRemote = hand !== habit(used).device;
      if (random.chance(0.7)) {
        const province = isRemote ? Number(away.region.slice(0, 2)) : home;
        record({ type: 'login', account: used, session: `turn-${i}`, step: 'login', device: hand, province }, timeMs + minuteMs);
      }
      pay({ from: payer, to: used, amountFen, timeMs, remark: random.pick(['货款', '往来款', '借款', '']) });
      pay({
        from: used,
        to: exits[i % exits.length] ?? 0,
        amountFen: amountFen - random.between(0, 3) * 10_000,
        timeMs: timeMs + random.between(6, 70) * minuteMs,
        remark: random.pick(['货款', '采购款', '往来款']),
        device: hand,
      });
    });
  },
};
