import { clock, type Plant, splitFen, type Stage } from './stage.js';

const remarks = ['往来款', '货款', '咨询费', '服务费', ''] as const;

/** From company to persons without a purpose: a few large payments, many middling ones in a week, or one large day. */
export const m09: Plant = {
  typology: 'M09',
  plan(stage) {
    const { random, day, shell, pay } = stage;
    const firm = shell();
    const totalFen = random.pick([fewLarge, manyInAWeek, oneDay])(stage, firm);
    const timeMs = clock(day - 6, random.within(8, 9));
    pay({ from: shell(), to: firm, amountFen: Math.ceil((totalFen * 1.03) / 100) * 100, timeMs, remark: '货款' });
  },
};

/** Each returns what it pays out in all. */
function fewLarge({ random, day, card, pay }: Stage, firm: number): number {
  let totalFen = 0;
  const count = random.between(2, 4);
  for (let i = 0; i < count; i++) {
    const amountFen = random.between(55, 280) * 100_000;
    totalFen += amountFen;
    const timeMs = clock(day - (i === 0 ? 0 : random.between(0, 4)), random.within(9.5, 17));
    pay({ from: firm, to: card(), amountFen, timeMs, remark: random.pick(remarks) });
  }
  return totalFen;
}

function manyInAWeek({ random, day, cards, pay }: Stage, firm: number): number {
  const people = cards(random.between(6, 10));
  const amounts = splitFen(random, random.between(260, 700) * 100_000, people.length);
  people.forEach((person, i) => {
    const timeMs = clock(day - (i === 0 ? 0 : random.between(0, 5)), random.within(9.5, 17));
    pay({ from: firm, to: person, amountFen: amounts[i] ?? 0, timeMs, remark: random.pick(remarks) });
  });
  return amounts.reduce((sum, amount) => sum + amount, 0);
}

function oneDay({ random, day, card, pay }: Stage, firm: number): number {
  const people = [card(), card(), card()].slice(0, random.between(1, 3));
  const amounts = splitFen(random, random.between(620, 1_500) * 100_000, random.between(2, 5));
  amounts.forEach((amountFen, i) => {
    const timeMs = clock(day, 9.5 + i * 1.3 + random.within(0, 1));
    pay({ from: firm, to: people[i % people.length]!, amountFen, timeMs, remark: random.pick(remarks) });
  });
  return amounts.reduce((sum, amount) => sum + amount, 0);
}
