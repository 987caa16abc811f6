import { distantCities } from '../places.js';
import { type Currency, fenPer100 } from '../exchange.js';
import { clock, type Plant } from './stage.js';

/**
 * Underground bank: a trading shell takes what whole thousands of dollars or euros cost that day, and pays nearly as much to
 * somebody else within hours. The foreign side is settled abroad.
 */
export const m26: Plant = {
  typology: 'M26',
  daysBefore: 24,
  plan({ random, day, shell, cards, pay, profile }) {
    const dealer = shell({ ageDays: random.between(60, 500) });
    profile(dealer, { industry: 'F517', insuredStaff: random.between(0, 2), capitalFen: 100_000_000 });
    const buyers = cards(random.between(5, 9));
    const sellers = Array.from({ length: random.between(2, 4) }, () => shell({ place: random.pick(distantCities) }));
    const deals = random.between(8, 16);
    const plainShare = random.within(0, 0.25);
    for (let i = 0; i < deals; i++) {
      const dealDay = day - Math.floor(((deals - 1 - i) * 22) / deals);
      const currency = random.pick<Currency>(['USD', 'USD', 'USD', 'EUR', 'GBP']);
      const units = random.between(2, 18) * 5_000;
      const exactFen = (units * fenPer100(currency, dealDay)) / 100;
      const isPlain = random.chance(plainShare);
      const paidFen = isPlain ? Math.round(exactFen / 100_000) * 100_000 : Math.round(exactFen * random.within(0.9995, 1.0005));
      const hour = random.within(9, 13);
      const remark = random.pick(['货款', '往来款', '']);
      pay({ from: random.pick(buyers), to: dealer, amountFen: paidFen, timeMs: clock(dealDay, hour), remark });
      if (random.chance(0.12)) continue;
      const outFen = Math.round(paidFen * random.within(0.985, 0.998));
      pay({
        from: dealer,
        to: random.pick(sellers),
        amountFen: outFen,
        timeMs: clock(dealDay, hour + random.within(0.5, 8)),
        remark: '货款',
      });
    }
  },
};
