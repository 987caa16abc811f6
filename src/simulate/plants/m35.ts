import { henanCities } from '../places.js';
import { itemAt } from '../random.js';
import { clock, minuteMs, type Plant } from './stage.js';

/** Fraud money is drawn as cash within an hour or so: over the counter, or at machines of several cities. */
export const m35: Plant = {
  typology: 'M35',
  plan({ random, day, shell, card, victim, pay }) {
    const mule = random.chance(0.7) ? card() : shell();
    const takenFen = random.between(6, 18) * 1_000_000;
    const timeMs = clock(day, random.within(9, 15));
    pay({
      from: random.chance(0.5) ? victim().account : shell(),
      to: mule,
      amountFen: takenFen,
      timeMs,
      remark: random.pick(['货款', '往来款', '']),
    });
    const tills = Array.from({ length: random.between(1, 3) }, (_, i) => {
      const place = itemAt(henanCities, random.below(6) + i * 6);
      return shell({ place, name: `${place.name}示范银行现金业务户`, ageDays: 4_000 });
    });
    const isMachine = random.chance(0.5);
    let leftFen = takenFen;
    let atMs = timeMs + random.between(8, 45) * minuteMs;
    while (leftFen > takenFen * 0.1 && atMs < timeMs + 115 * minuteMs) {
      const wantFen = isMachine ? random.between(186, 200) * 10_000 : random.pick([4_900_000, 4_950_000, 6_000_000, 8_000_000]);
      const amountFen = Math.min(wantFen, Math.floor(leftFen / 10_000) * 10_000);
      const channel = isMachine ? 'atm' : 'counter';
      pay({ from: mule, to: random.pick(tills), amountFen, timeMs: atMs, remark: isMachine ? '' : '取现', channel });
      leftFen -= amountFen;
      atMs += random.between(4, 18) * minuteMs;
    }
  },
};
