import { clock, minuteMs, type Plant } from './stage.js';

const goods = ['货款', '材料款', '设备款', '往来款'] as const;

/** A circle: money leaves a firm, runs over two to four others and is back within hours or days, a little less of it. */
export const m13: Plant = {
  typology: 'M13',
  daysBefore: 4,
  plan({ random, day, shell, pay }) {
    const firm = shell();
    const others = Array.from({ length: random.between(2, 4) }, () => shell());
    const path = [firm, ...others, firm];
    // One in four takes its time, as one does who fears to be seen.
    const hours = random.chance(0.25) ? random.within(40, 66) : random.within(2, 22);
    let amountFen = random.chance(0.15) ? random.between(65, 110) * 100_000 : random.between(200, 2_400) * 100_000;
    const endMs = clock(day, random.within(9, 19));
    const rounds = hours < 22 && random.chance(0.4) ? 2 : 1;
    for (let round = 0; round < rounds; round++) {
      const startMs = endMs - (rounds - round) * hours * 60 * minuteMs;
      for (let hop = 0; hop + 1 < path.length; hop++) {
        const timeMs = startMs + ((hop + random.within(0.05, 0.9)) / (path.length - 1)) * hours * 60 * minuteMs;
        pay({ from: path[hop]!, to: path[hop + 1]!, amountFen, timeMs, remark: random.pick(goods) });
        amountFen = Math.floor((amountFen * random.within(0.972, 0.999)) / 10_000) * 10_000;
      }
    }
  },
};
