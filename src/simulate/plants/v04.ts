import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/** A loan that never comes: service fee, deposit, proof of funds and unfreezing money are asked for one after another. */
export const v04: Plant = {
  typology: 'V04',
  daysBefore: 12,
  plan({ random, day, victim, shell, card, pay }) {
    const robbed = victim();
    const lender = random.chance(0.5)
      ? shell({ ageDays: random.between(15, 320), place: random.pick(distantCities) })
      : card({ place: random.pick(distantCities) });
    const helper = random.chance(0.5) ? lender : card({ place: random.pick(distantCities) });
    const asked = ['贷款服务费', '手续费', '保证金', '验资款', '包装费', '解冻金', '履约金'];
    const first = random.below(3);
    const fees = random.between(2, 4);
    // Most come within two days; now and then four days lie between one fee and the next.
    const slots = random.chance(0.9) ? [-46, -22, -5, 0] : [-270, -190, -96, 0];
    slots.slice(-fees).forEach((hours, i) => {
      pay({
        from: robbed.account,
        to: i % 2 === 0 ? lender : helper,
        amountFen: Math.round((robbed.scaleFen * random.within(0.15, 0.5) * (i + 1)) / 10_000) * 10_000,
        timeMs: clock(day, random.within(14.5, 16) + hours),
        remark: asked[first + i] ?? '保证金',
      });
    });
  },
};
