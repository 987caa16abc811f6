import { clock, minuteMs, type Plant } from './stage.js';

/** A gambling site's account: small stakes of many people through a night, many small payouts, logins from abroad. */
export const m27: Plant = {
  typology: 'M27',
  daysBefore: 2,
  plan({ random, day, shell, cards, card, pay, record, device }) {
    const site = shell({ ageDays: random.between(20, 300) });
    const machine = device();
    const players = cards(random.between(60, 95));
    const stakes = random.between(115, 220);
    const isLate = random.chance(0.85);
    const start = isLate ? clock(day - 1, 19.5) : clock(day - 1, 17);
    const spanMs = (isLate ? 8 : 10) * 60 * minuteMs;
    if (random.chance(0.6))
      record({ type: 'login', account: site, session: 'night', step: 'login', device: machine, province: 0 }, start - minuteMs);
    for (let i = 0; i < stakes; i++) {
      const amountFen = random.between(1, random.chance(0.8) ? 20 : 50) * 10_000;
      const from = i < players.length ? players[i]! : random.pick(players);
      pay({
        from,
        to: site,
        amountFen,
        timeMs: start + random.within(0, 1) * spanMs,
        remark: random.pick(['', '', '货款', '充值']),
      });
    }
    const payouts = Math.round(stakes * random.within(0.36, 0.6));
    for (let i = 0; i < payouts; i++) {
      const amountFen = random.between(1, 25) * 10_000;
      const to = i < 30 ? players[i]! : random.pick(players);
      const timeMs = start + random.within(0.15, 1) * spanMs;
      pay({ from: site, to, amountFen, timeMs, remark: '', device: machine });
    }
    pay({ from: site, to: card(), amountFen: 500_000, drainTo: 0.1, timeMs: start + spanMs + 10 * minuteMs, remark: '往来款' });
  },
};
