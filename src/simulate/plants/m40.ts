import { clock, minuteMs, type Plant } from './stage.js';

/** One account of a gang is stopped; within hours the others, under the same man or machine, send on what they hold. */
export const m40: Plant = {
  typology: 'M40',
  daysBefore: 30,
  plan({ random, day, shell, card, victim, pay, profile, record, identity, personName, device }) {
    const legalRep = personName();
    const gang = Array.from({ length: random.between(2, 4) }, () => shell({ ageDays: random.between(40, 300) }));
    const legalRepId = `rep-${identity(gang[0]!).account.slice(-8)}`;
    const machine = device();
    const isDevice = random.chance(0.3);
    for (const firm of gang) if (!isDevice) profile(firm, { legalRep, legalRepId });
    const [stopped, ...others] = gang;
    pay({
      from: victim().account,
      to: stopped!,
      amountFen: random.between(10, 60) * 1_000_000,
      timeMs: clock(day, 8.6),
      remark: '货款',
    });
    pay({ from: stopped!, to: card(), amountFen: 1_000_000, timeMs: clock(day, 8.9), remark: '往来款', device: machine });
    for (const firm of others) {
      pay({
        from: shell(),
        to: firm,
        amountFen: random.between(10, 80) * 1_000_000,
        timeMs: clock(day - 1, random.within(10, 16)),
        remark: '货款',
      });
      pay({ from: firm, to: card(), amountFen: 200_000, timeMs: clock(day - 1, 17), remark: '往来款', device: machine });
    }
    const stopMs = clock(day, random.within(9.5, 12));
    record({ type: 'case-account', account: stopped!, level: 0 }, stopMs - 5 * minuteMs);
    record({ type: 'stop-pay', account: stopped!, action: random.pick(['stop', 'freeze'] as const) }, stopMs);
    for (const firm of others) {
      const parts = random.between(1, 3);
      const startMs = stopMs + random.between(20, 150) * minuteMs;
      for (let i = 0; i < parts; i++) {
        const timeMs = startMs + i * 30 * minuteMs;
        const amountFen = Math.floor(random.between(35, 90) / parts) * 100_000;
        const drain = i === parts - 1 ? { drainTo: random.within(0.02, 0.5) } : {};
        pay({ from: firm, to: card(), amountFen, timeMs, remark: '往来款', device: machine, ...drain });
      }
    }
  },
};
