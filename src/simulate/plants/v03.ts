import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/**
 * Fake investment: a first stake, a small profit that comes back, and ever larger stakes within a fortnight. Most payees are
 * shells opened lately, some are cards; some say in the remark what it is for, some nothing.
 */
export const v03: Plant = {
  typology: 'V03',
  daysBefore: 14,
  plan({ random, day, victim, shell, card, pay }) {
    const robbed = victim();
    const place = random.pick(distantCities);
    const platform = random.chance(0.65) ? shell({ ageDays: random.between(20, 300), place }) : card({ place });
    const word = random.chance(0.6) ? random.pick(['投资款', '认购款', '充值', '理财本金', '会员费']) : '往来款';
    const stakes = random.between(3, 5);
    const growth = random.chance(0.9) ? random.within(1.6, 2.6) : random.within(1.25, 1.6);
    const gapDays = random.within(1, 12 / stakes);
    let stakeFen = random.between(60, 200) * 10_000;
    for (let i = 0; i < stakes; i++) {
      const stakeDay = day - Math.round((stakes - 1 - i) * gapDays);
      pay({
        from: robbed.account,
        to: platform,
        amountFen: stakeFen,
        timeMs: clock(stakeDay, random.within(9, 11)),
        remark: word,
      });
      if (i < stakes - 1 && (i === 0 || random.chance(0.5))) {
        const profitFen = Math.round((stakeFen * random.within(0.03, 0.12)) / 100) * 100;
        const timeMs = clock(stakeDay, random.within(11.5, 17));
        pay({
          from: platform,
          to: robbed.account,
          amountFen: profitFen,
          timeMs,
          remark: random.pick(['收益', '分红', '返利', '']),
        });
      }
      stakeFen = Math.round((stakeFen * growth * random.within(1, 1.15)) / 100_000) * 100_000;
    }
  },
};
