import { clock, type Plant } from './stage.js';

/** Out of scale: a firm of small capital and revenue moves many times both within a month, nearly all of it to persons. */
export const m21: Plant = {
  typology: 'M21',
  daysBefore: 26,
  plan({ random, day, shell, cards, pay, profile }) {
    const firm = shell();
    const capitalFen = random.pick([100, 200, 300, 500]) * 100_000;
    const monthlyRevenueFen = random.between(30, 150) * 100_000;
    profile(firm, { capitalFen, monthlyRevenueFen, industry: random.pick(['L725', 'M749', 'I651', 'F529']) });
    const payers = [shell(), shell(), shell()];
    const people = cards(4);
    const wantFen = Math.max(capitalFen * random.within(12, 24), monthlyRevenueFen * random.within(7, 16), 150_000_000) / 2;
    const days = random.between(12, 22);
    for (let i = 0; i < days; i++) {
      const amountFen = Math.floor((wantFen * random.within(0.8, 1.3)) / days / 10_000) * 10_000;
      const onDay = day - (days - 1 - i);
      const inMs = clock(onDay, random.within(9, 14));
      pay({ from: random.pick(payers), to: firm, amountFen, timeMs: inMs, remark: random.pick(['货款', '服务费']) });
      const outFen = Math.floor((amountFen * random.within(0.96, 0.995)) / 10_000) * 10_000;
      pay({
        from: firm,
        to: random.pick(people),
        amountFen: outFen,
        timeMs: inMs + random.within(0.3, 2) * hourMs,
        remark: '往来款',
      });
    }
  },
};

const hourMs = 3_600_000;
