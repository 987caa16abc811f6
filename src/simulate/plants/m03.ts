import { clock, minuteMs, type Plant } from './stage.js';

/** Fast in, fast out: four or five large credits, each gone within minutes. */
export const m03: Plant = {
  typology: 'M03',
  plan({ random, day, shell, card, pay }) {
    const mule = shell();
    const exits = [card(), card()];
    const rounds = random.between(4, 5);
    const firstHour = random.within(9, 11);
    for (let i = 0; i < rounds; i++) {
      const amountFen = random.between(120, 380) * 100_000;
      const timeMs = clock(day, firstHour + i * 1.4);
      pay({ from: random.chance(0.5) ? shell() : card(), to: mule, amountFen, timeMs, remark: '货款' });
      const outFen = Math.floor((amountFen * random.within(0.97, 0.995)) / 10_000) * 10_000;
      const outMs = timeMs + random.between(1, 14) * minuteMs;
      pay({ from: mule, to: random.pick(exits), amountFen: outFen, timeMs: outMs, remark: '往来款' });
    }
  },
};
