import { henanCities } from '../places.js';
import { itemAt } from '../random.js';
import { clock, type Plant } from './stage.js';

/** Counties with their city's place in the list of places. */
const counties = [
  { region: '410122', city: 0 },
  { region: '410324', city: 2 },
  { region: '411324', city: 12 },
  { region: '411729', city: 16 },
] as const;

/**
 * Protection money: a local gang has the building sites of one county pay the same "fee" every month to one man, for two or
 * three months. The sums differ by next to nothing.
 */
export const v16: Plant = {
  typology: 'V16',
  daysBefore: 75,
  plan({ random, day, shell, card, pay }) {
    const { region, city } = random.pick(counties);
    const place = itemAt(henanCities, city);
    const boss = card({ place, region });
    const sites = Array.from({ length: random.between(6, 9) }, () => shell({ place, region }));
    const feeFen = random.between(6, 60) * 100_000;
    const spread = random.chance(0.9) ? 0.03 : 0.1;
    const remark = random.pick(['管理费', '卫生费', '砂石款', '土方款', '劳务费', '过路费']);
    const months = random.between(2, 3);
    for (let month = 0; month < months; month++) {
      sites.forEach((site, i) => {
        const payDay = day - (months - 1 - month) * 30 - ((sites.length - 1 - i) % 3);
        const amountFen = Math.round((feeFen * random.within(1 - spread, 1 + spread)) / 10_000) * 10_000;
        pay({ from: site, to: boss, amountFen, timeMs: clock(payDay, random.within(8.5, 17)), remark });
      });
    }
  },
};
