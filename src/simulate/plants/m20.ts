import { clock, minuteMs, type Plant } from './stage.js';

/** Hidden place: a payment by way of a listed proxy, or a session that changes its address four times or more. */
export const m20: Plant = {
  typology: 'M20',
  daysBefore: 15,
  plan({ random, day, victim, shell, card, pay, record, device }) {
    const firm = random.chance(0.5) ? victim().account : shell();
    const machine = device();
    const startMs = clock(day, random.within(9.5, 21));
    const isProxy = random.chance(0.6);
    if (isProxy) {
      record({ type: 'list', list: 'proxy-ips', action: 'add', entries: [machine.ip] }, clock(day - random.between(2, 14), 3));
    } else {
      const session = `s-${machine.id}`;
      const addresses = random.between(4, 6);
      for (let i = 0; i < addresses; i++) {
        const step = i === 0 ? 'login' : i === addresses - 1 ? 'checker' : 'maker';
        const timeMs = startMs - (addresses - i) * random.between(1, 3) * minuteMs;
        record({ type: 'login', account: firm, session, step, device: { ...machine, ip: device().ip }, province: 41 }, timeMs);
      }
    }
    const count = random.between(1, 3);
    for (let i = 0; i < count; i++) {
      const amountFen = random.between(20, 320) * 100_000;
      pay({ from: firm, to: card(), amountFen, timeMs: startMs + i * 6 * minuteMs, remark: '往来款', device: machine });
    }
  },
};
