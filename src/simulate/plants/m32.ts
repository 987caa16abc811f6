import { distantCities } from '../places.js';
import { clock, type Plant } from './stage.js';

/** One stranger sends the same sum again and again within a few days; the money moves on. */
export const m32: Plant = {
  typology: 'M32',
  daysBefore: 6,
  plan({ random, day, shell, card, pay }) {
    const mule = shell();
    const payer = random.chance(0.6) ? card({ place: random.pick(distantCities) }) : shell();
    const exits = [card(), card()];
    const times = random.chance(0.9) ? random.between(6, 14) : 5;
    const baseFen = random.between(8, 98) * 50_000;
    const spread = random.chance(0.85) ? random.within(0, 0.04) : 0.075;
    for (let i = 0; i < times; i++) {
      const amountFen = Math.round((baseFen * random.within(1 - spread, 1 + spread)) / 10_000) * 10_000;
      const onDay = day - (i % 2);
      const timeMs = clock(onDay, 8.5 + (i / times) * 10 + random.within(0, 0.6));
      pay({ from: payer, to: mule, amountFen, timeMs, remark: random.pick(['货款', '往来款', '']) });
      if (!random.chance(0.7)) continue;
      const outFen = Math.floor((amountFen * random.within(0.9, 0.99)) / 10_000) * 10_000;
      pay({
        from: mule,
        to: random.pick(exits),
        amountFen: outFen,
        timeMs: timeMs + random.between(5, 90) * 60_000,
        remark: '往来款',
      });
    }
  },
};
