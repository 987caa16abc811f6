import { clock, minuteMs, type Plant } from './stage.js';

/**
 * Fund-raising: forty to ninety people bring mostly round sums within a month and are paid interest every month; most of the
 * money leaves for the boss.
 */
export const m25: Plant = {
  typology: 'M25',
  daysBefore: 86,
  plan({ random, day, shell, card, pay }) {
    const firm = shell({ ageDays: random.between(150, 600) });
    const boss = card();
    const depositors = Array.from({ length: random.between(random.chance(0.75) ? 55 : 34, 90) }, () => card());
    const roundShare = random.within(0.66, 0.95);
    const rate = random.within(0.008, 0.03);
    const paidShare = random.within(0.6, 0.95);
    const payoutDays = random.chance(0.5) ? [31, 0] : [56, 28, 0];
    const remark = random.pick(['借款', '投资款', '认购款', '入股款', '']);
    depositors.forEach((depositor, i) => {
      const amountFen = random.chance(roundShare) ? random.between(1, 10) * 1_000_000 : random.between(11, 95) * 50_000;
      const depositDay = day - random.between(58, 85);
      pay({ from: depositor, to: firm, amountFen, timeMs: clock(depositDay, random.within(9, 18)), remark });
      if (i >= depositors.length * paidShare) return;
      for (const back of payoutDays) {
        const interestFen = Math.round((amountFen * rate) / 100) * 100;
        const timeMs = clock(day - back, 10) + i * minuteMs;
        pay({ from: firm, to: depositor, amountFen: interestFen, timeMs, remark: random.pick(['收益', '利息', '分红', '']) });
      }
    });
    for (const back of [70, 60, 54]) {
      const amountFen = random.between(20, 40) * 1_000_000;
      pay({ from: firm, to: boss, amountFen, timeMs: clock(day - back, 16), remark: '往来款' });
    }
  },
};
