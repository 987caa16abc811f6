import { clock, type Plant } from './stage.js';

/**
 * Pyramid selling: each newcomer pays one and the same fee; who brought him gets a fixed share of it, who stands above gets a
 * smaller one.
 */
export const m28: Plant = {
  typology: 'M28',
  daysBefore: 24,
  plan({ random, day, shell, card, pay }) {
    const firm = shell({ ageDays: random.between(60, 400) });
    const feeFen = random.pick([298_000, 380_000, 680_000, 980_000, 3_680_000]);
    const [direct, indirect] = random.pick([
      [0.1, 0.05],
      [0.2, 0.08],
      [0.3, 0.1],
    ] as const);
    const members = Array.from({ length: random.between(36, 70) }, () => card());
    const recruiterOf = members.map((_, i) => (i < 3 ? -1 : Math.floor(random.unit() ** 2.2 * Math.min(i, 18))));
    const doubleShare = random.within(0, 0.3);
    members.forEach((member, i) => {
      const joinDay = day - 22 + Math.floor((i * 21) / members.length);
      const paidFen = random.chance(doubleShare) ? feeFen * 2 : feeFen;
      pay({
        from: member,
        to: firm,
        amountFen: paidFen,
        timeMs: clock(joinDay, random.within(8.5, 14)),
        remark: random.pick(['产品款', '会员费', '']),
      });
      const recruiter = recruiterOf[i]!;
      const above = recruiter < 0 ? -1 : recruiterOf[recruiter]!;
      const timeMs = clock(joinDay, random.within(15, 21));
      const reward = random.pick(['推荐奖', '奖励', '']);
      if (recruiter >= 0)
        pay({ from: firm, to: members[recruiter]!, amountFen: Math.round(feeFen * direct), timeMs, remark: reward });
      if (above >= 0) pay({ from: firm, to: members[above]!, amountFen: Math.round(feeFen * indirect), timeMs, remark: reward });
    });
    pay({ from: firm, to: card(), amountFen: feeFen * 4, drainTo: 0.2, timeMs: clock(day, 22), remark: '往来款' });
  },
};
