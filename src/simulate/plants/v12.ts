import { clock, type Plant } from './stage.js';

/** A single large first payment to a company that the enterprise has never dealt with, larger than all it has paid before. */
export const v12: Plant = {
  typology: 'V12',
  plan({ random, day, victim, shell, pay }) {
    const robbed = victim();
    const amountFen = Math.max(26_000_000, Math.round((robbed.scaleFen * random.within(13, 18)) / 100_000) * 100_000);
    const remark = random.pick(['设备款', '预付货款', '工程款']);
    pay({
      from: robbed.account,
      to: shell({ ageDays: random.between(120, 700) }),
      amountFen,
      timeMs: clock(day, random.within(9, 17)),
      remark,
    });
  },
};
