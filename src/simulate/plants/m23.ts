import { clock, type Plant, type Stage } from './stage.js';

/** Listed accounts: an enterprise pays one, one pays a shell that enterprises then pay, or a listed machine goes on working. */
export const m23: Plant = {
  typology: 'M23',
  daysBefore: 20,
  plan(stage) {
    stage.random.pick([paysListed, paysListed, paysNextTo, worksOn])(stage);
  },
};

/** When it was listed: some days before. */
function listing({ random, day }: Stage): number {
  return clock(day - random.between(1, 15), random.within(9, 17));
}

function paysListed(stage: Stage): void {
  const { random, day, victim, shell, card, pay, record } = stage;
  const listed = random.chance(0.6) ? card() : shell();
  record({ type: 'list', list: random.pick(['case-accounts', 'black']), action: 'add', entries: [listed] }, listing(stage));
  const count = random.between(1, 2);
  for (let i = 0; i < count; i++) {
    const timeMs = clock(day, random.within(9, 18));
    pay({ from: victim().account, to: listed, amountFen: random.between(8, 400) * 100_000, timeMs, remark: '货款' });
  }
}

function paysNextTo(stage: Stage): void {
  const { random, day, victim, shell, card, pay, record } = stage;
  const listed = card();
  const next = shell();
  record({ type: 'list', list: 'black', action: 'add', entries: [listed] }, clock(day - 18, 9));
  const passedMs = clock(day - random.between(1, 14), random.within(9, 18));
  pay({ from: listed, to: next, amountFen: random.between(60, 500) * 100_000, timeMs: passedMs, remark: '往来款' });
  const count = random.between(1, 2);
  for (let i = 0; i < count; i++) {
    const timeMs = clock(day, random.within(9, 18));
    pay({ from: victim().account, to: next, amountFen: random.between(60, 300) * 100_000, timeMs, remark: '货款' });
  }
}

function worksOn(stage: Stage): void {
  const { random, day, shell, card, pay, record, device } = stage;
  const machine = device();
  const firm = shell();
  const isMachine = random.chance(0.5);
  const entry = isMachine ? machine.id : firm;
  record({ type: 'list', list: 'black', action: 'add', entries: [entry] }, listing(stage));
  const count = random.between(2, 4);
  for (let i = 0; i < count; i++) {
    const timeMs = clock(day, 9 + i * 2 + random.within(0, 1.5));
    pay({ from: firm, to: card(), amountFen: random.between(10, 200) * 100_000, timeMs, remark: '往来款', device: machine });
  }
}
