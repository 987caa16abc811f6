import type { Random } from '../random.js';
import { clock, minuteMs, type Plant } from './stage.js';

/** Marked amounts: strangers pay orders that are round, lucky, or told apart by their cents. */
export const m11: Plant = {
  typology: 'M11',
  daysBefore: 1,
  plan({ random, day, shell, card, cards, pay }) {
    const mule = shell();
    const players = cards(random.between(13, 18));
    const exit = card();
    const amountOf = random.pick([roundFen, luckyFen, taggedFen()]);
    const startMs = clock(day, random.within(8, 11));
    const stepMinutes = random.within(6, 14);
    const count = random.between(26, 44);
    let heldFen = 0;
    for (let i = 0; i < count; i++) {
      const timeMs = startMs + i * stepMinutes * minuteMs;
      const amountFen = amountOf(random);
      heldFen += amountFen;
      pay({ from: players[i % players.length]!, to: mule, amountFen, timeMs, remark: '', channel: 'mobile' });
      if (i % 12 !== 11) continue;
      const outFen = Math.floor(heldFen / 100_000) * 100_000;
      if (outFen > 0) pay({ from: mule, to: exit, amountFen: outFen, timeMs: timeMs + 2 * minuteMs, remark: '' });
      heldFen -= outFen;
    }
  },
};

function roundFen(random: Random): number {
  return random.chance(0.85) ? random.between(1, 9) * 100_000 : random.between(3, 90) * 10_000;
}

function luckyFen(random: Random): number {
  return random.chance(0.55) ? random.pick([666, 888, 999, 1_314, 520, 6_666, 8_888]) * 100 : random.between(300, 4_000) * 100;
}

/** Orders of one price, each with cents of its own. */
function taggedFen(): (random: Random) => number {
  let order = 0;
  return (random) => {
    const isOrder = random.chance(0.8);
    return isOrder ? 50_000 + 1 + ((order++ * 37) % 99) : random.between(200, 3_000) * 100;
  };
}
