import { clock, type Plant } from './stage.js';

/** A clerk pays himself and his wife just below the sum that somebody else must approve, or borrows the firm's money for months. */
export const m38: Plant = {
  typology: 'M38',
  daysBefore: 118,
  plan({ random, day, victim, person, pay, profile }) {
    const robbed = victim();
    const clerk = person();
    const wife = person();
    const limitFen = random.pick([2_000_000, 3_000_000, 5_000_000, 10_000_000]);
    profile(robbed.account, { employees: [clerk], related: [wife], approvalLimitFen: limitFen });
    if (random.chance(0.3)) {
      const lentFen = random.between(6, 30) * 1_000_000;
      pay({
        from: robbed.account,
        to: clerk,
        amountFen: lentFen,
        timeMs: clock(day - random.between(93, 117), 10.5),
        remark: random.pick(['往来款', '借款']),
      });
      const backFen = Math.round(lentFen * random.pick([1, 1, 0.99]));
      pay({ from: clerk, to: robbed.account, amountFen: backFen, timeMs: clock(day, random.within(9, 17)), remark: '往来款' });
      return;
    }
    const times = random.between(3, 6);
    for (let i = 0; i < times; i++) {
      const amountFen = Math.floor((limitFen * random.within(0.91, 0.999)) / 10_000) * 10_000;
      const onDay = day - Math.floor(((times - 1 - i) * 24) / times);
      const to = random.chance(0.7) ? clerk : wife;
      const remark = random.pick(['材料款', '服务费', '咨询费', '往来款']);
      pay({ from: robbed.account, to, amountFen, timeMs: clock(onDay, random.within(9, 17)), remark });
    }
  },
};
