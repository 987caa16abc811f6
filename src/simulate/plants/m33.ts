import { clock, minuteMs, type Plant } from './stage.js';

/** A quiet account is worked by a program: twenty-five to seventy payments within three quarters of an hour. */
export const m33: Plant = {
  typology: 'M33',
  daysBefore: 22,
  plan({ random, day, shell, cards, pay }) {
    const mule = shell({ ageDays: random.between(40, 700) });
    const partner = shell();
    for (let i = 0; i < 8; i++) {
      const amountFen = random.between(20, 300) * 10_000;
      pay({ from: partner, to: mule, amountFen, timeMs: clock(day - 21 + i * 2, random.within(9, 17)), remark: '货款' });
    }
    const people = cards(random.between(18, 30));
    const legs = random.between(26, 70);
    const start = clock(day, random.within(9, 20));
    const isInOnly = random.chance(0.4);
    for (let i = 0; i < legs; i++) {
      const timeMs = start + (i / legs) * 45 * minuteMs + random.below(20_000);
      const amountFen = random.between(30, 80) * 10_000;
      const person = people[i % people.length]!;
      if (isInOnly || i % 2 === 0) pay({ from: person, to: mule, amountFen, timeMs, remark: '' });
      else pay({ from: mule, to: person, amountFen: amountFen - 10_000 * random.between(0, 9), timeMs, remark: '' });
    }
  },
};
