import { clock, minuteMs, type Plant } from './stage.js';

/** Wages for people who are on no payroll: equal sums for two or four dozen cards, most of which pass them on the same day. */
export const m39: Plant = {
  typology: 'M39',
  daysBefore: 2,
  plan({ random, day, shell, card, pay, profile }) {
    const firm = shell({ ageDays: random.between(60, 500) });
    profile(firm, { insuredStaff: random.between(0, 4), industry: random.pick(['F51', 'I64', 'L72', 'F51']) });
    const workers = Array.from({ length: random.between(24, 46) }, () => card());
    const commons = random.chance(0.75) ? [card()] : [card(), card()];
    const wageFen = random.between(40, 95) * 10_000;
    const startMs = clock(day, random.within(9, 12));
    pay({
      from: shell(),
      to: firm,
      amountFen: wageFen * workers.length + 500_000,
      timeMs: startMs - 40 * minuteMs,
      remark: '货款',
    });
    const forwardShare = random.within(0.6, 1);
    workers.forEach((worker, i) => {
      const amountFen = random.chance(0.8) ? wageFen : wageFen + random.between(-3, 3) * 5_000;
      const timeMs = startMs + i * 2_000;
      pay({ from: firm, to: worker, amountFen, timeMs, remark: random.pick(['工资', '工资', '代发工资']), channel: 'batch' });
      if (i >= workers.length * forwardShare) return;
      const backFen = Math.floor((amountFen * random.within(0.86, 0.99)) / 1_000) * 1_000;
      const backMs = timeMs + random.between(15, 500) * minuteMs;
      pay({
        from: worker,
        to: commons[i % commons.length]!,
        amountFen: backFen,
        timeMs: backMs,
        remark: random.pick(['', '往来款']),
        channel: 'mobile',
      });
    });
  },
};
