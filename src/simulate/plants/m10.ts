import { clock, minuteMs, type Plant } from './stage.js';

/** Many individuals pay a company: two or three dozen people of many provinces send round sums within a week. */
export const m10: Plant = {
  typology: 'M10',
  plan({ random, day, shell, card, cards, pay, profile }) {
    const firm = shell();
    profile(firm, { industry: random.pick(['L729', 'F519', 'M751', 'L725']) });
    const people = cards(random.between(23, 32));
    const spread = random.between(3, 6);
    let totalFen = 0;
    people.forEach((person, i) => {
      const isRound = random.chance(0.85);
      const amountFen = random.between(40, 300) * 10_000 + (isRound ? 0 : random.between(1, 9_999));
      const timeMs = clock(day - Math.floor((spread * (people.length - 1 - i)) / people.length), random.within(8, 16));
      totalFen += amountFen;
      pay({
        from: person,
        to: firm,
        amountFen,
        timeMs,
        remark: random.pick(['投资款', '合作款', '转账', '']),
        channel: 'mobile',
      });
    });
    if (random.chance(0.3)) {
      const amountFen = random.between(20, 40) * 10_000;
      pay({ from: shell(), to: firm, amountFen, timeMs: clock(day - 2, random.within(9, 16)), remark: '货款' });
    }
    const outFen = Math.floor((totalFen * random.within(0.5, 0.95)) / 10_000) * 10_000;
    pay({
      from: firm,
      to: card(),
      amountFen: outFen,
      timeMs: clock(day, 16.5) + random.between(0, 180) * minuteMs,
      remark: '往来款',
    });
  },
};
