import { clock, type Plant } from './stage.js';

/** Used up and left: an account that changes hands, one that is closed after a burst, or one that lies silent after it. */
export const m31: Plant = {
  typology: 'M31',
  daysBefore: 70,
  plan({ random, day, shell, card, pay, record }) {
    const story = random.pick(['changes', 'closed', 'silent'] as const);
    const mule = shell({ ageDays: story === 'changes' ? random.between(300, 900) : random.between(75, 400) });
    const sources = Array.from({ length: 4 }, () => (random.chance(0.5) ? shell() : card()));
    const exits = [card(), card(), card()];
    if (story === 'changes') {
      const kinds = (['legal-rep', 'name', 'address', 'phone'] as const).slice(0, random.between(3, 4));
      kinds.forEach((what, i) =>
        record({ type: 'account-change', account: mule, what }, clock(day - i * random.between(9, 20), 10 + i)),
      );
    }
    const lastDay =
      story === 'changes' ? day - 1 : story === 'closed' ? day - random.between(2, 20) : day - random.between(32, 50);
    const rounds = random.between(7, 12);
    for (let i = 0; i < rounds; i++) {
      const amountFen = random.between(9, 30) * 1_000_000;
      const onDay = lastDay - Math.floor(((rounds - 1 - i) * 11) / rounds);
      const hour = random.within(9, 15);
      pay({ from: random.pick(sources), to: mule, amountFen, timeMs: clock(onDay, hour), remark: '货款' });
      const outFen = Math.floor((amountFen * random.within(0.97, 0.995)) / 10_000) * 10_000;
      pay({
        from: mule,
        to: random.pick(exits),
        amountFen: outFen,
        timeMs: clock(onDay, hour + random.within(0.3, 3)),
        remark: '往来款',
      });
    }
    if (story === 'closed') record({ type: 'account-change', account: mule, what: 'closed' }, clock(day, 11));
    if (story === 'silent') {
      const amountFen = random.pick([100, 1_000, 50_000, 3_000_000]);
      pay({ from: random.pick(sources), to: mule, amountFen, timeMs: clock(day, random.within(9, 17)), remark: '' });
    }
  },
};
