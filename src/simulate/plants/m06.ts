import { clock, minuteMs, type Plant, type Stage } from './stage.js';

/** Work at night: a gambling account takes and passes on money from ten in the evening, or a firm sends a large sum at two. */
export const m06: Plant = {
  typology: 'M06',
  daysBefore: 2,
  plan(stage) {
    if (stage.random.chance(0.7)) gamblingNight(stage);
    else lateTransfer(stage);
  },
};

function gamblingNight({ random, day, shell, card, cards, pay }: Stage): void {
  const mule = shell();
  const players = cards(random.between(8, 12));
  const exits = [card(), card()];
  const startMs = clock(day - 1, random.within(22, 23.5));
  const count = random.between(14, 26);
  let heldFen = 0;
  for (let i = 0; i < count; i++) {
    const timeMs = startMs + i * random.between(9, 14) * minuteMs;
    const amountFen = random.between(30, 450) * 10_000;
    heldFen += amountFen;
    pay({
      from: random.pick(players),
      to: mule,
      amountFen,
      timeMs,
      remark: random.pick(['充值', '转账', '']),
      channel: 'mobile',
    });
    if (i % 5 !== 4) continue;
    const outFen = Math.floor((heldFen * random.within(0.8, 0.97)) / 10_000) * 10_000;
    pay({ from: mule, to: random.pick(exits), amountFen: outFen, timeMs: timeMs + 4 * minuteMs, remark: '往来款' });
    heldFen -= outFen;
  }
}

function lateTransfer({ random, day, victim, shell, pay }: Stage): void {
  const firm = victim().account;
  const amountFen = random.between(520, 1_600) * 100_000;
  pay({
    from: firm,
    to: shell(),
    amountFen,
    timeMs: clock(day, random.within(0.3, 4.7)),
    remark: random.pick(['往来款', '货款']),
  });
}
