import { clock, minuteMs, type Plant } from './stage.js';

/** Tokens in other hands: a login from abroad, from a distant province or faster than one can travel, then a large payment. */
export const m19: Plant = {
  typology: 'M19',
  daysBefore: 30,
  plan(stage) {
    const { random, day, victim, card, shell, pay, record, device, habit } = stage;
    const firm = victim();
    const times = random.between(3, 6);
    for (let i = 0; i < times; i++) {
      const timeMs = clock(day - random.between(1, 28), random.within(9, 11));
      record({ type: 'login', account: firm.account, step: 'login', device: habit(firm.account).device, ...home }, timeMs);
    }
    const loginMs = clock(day, random.within(9.5, 19));
    const place = random.pick(distant);
    if (random.chance(0.3)) {
      const beforeMs = loginMs - random.between(15, 40) * minuteMs;
      record({ type: 'login', account: firm.account, step: 'login', device: habit(firm.account).device, ...home }, beforeMs);
    }
    const machine = device();
    record({ type: 'login', account: firm.account, step: 'login', device: machine, ...place }, loginMs);
    const payee = random.chance(0.6) ? card() : shell({ ageDays: random.between(10, 80) });
    const count = random.between(1, 3);
    for (let i = 0; i < count; i++) {
      const amountFen = random.between(60, 500) * 100_000;
      const timeMs = loginMs + (random.between(2, 14) + i * random.between(4, 18)) * minuteMs;
      pay({ from: firm.account, to: payee, amountFen, timeMs, remark: random.pick(['货款', '往来款', '']), device: machine });
    }
  },
};

const home = { province: 41, latitude: 34.75, longitude: 113.62 };
const distant = [
  { province: 0, latitude: 11.55, longitude: 104.92 },
  { province: 0, latitude: 16.87, longitude: 96.2 },
  { province: 45, latitude: 22.82, longitude: 108.32 },
  { province: 35, latitude: 24.48, longitude: 118.09 },
  { province: 53, latitude: 25.04, longitude: 102.71 },
  { province: 21, latitude: 41.8, longitude: 123.43 },
] as const;
