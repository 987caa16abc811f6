import { clock, splitFen, type Plant } from './stage.js';

/** A loan for working capital ends with a broker, in a flat, with the owner or his wife. */
export const m37: Plant = {
  typology: 'M37',
  daysBefore: 7,
  plan({ random, day, shell, card, pay, profile, institution, personName }) {
    const owner = personName();
    const borrower = shell({ ageDays: random.between(300, 900) });
    const ownerCard = card({ name: owner });
    const wife = card();
    profile(borrower, { legalRep: owner, related: [wife], industry: 'F514' });
    const loanFen = random.between(8, 50) * 10_000_000;
    const loanDay = day - random.between(1, 6);
    const remark = random.pick(['流动资金贷款发放', '贷款放款', '经营贷发放']);
    pay({ from: institution('lender'), to: borrower, amountFen: loanFen, timeMs: clock(loanDay, random.within(9, 11)), remark });
    const homes = shell({ name: '郑州示范置业有限公司' });
    const share = random.within(0.55, 0.95);
    const goals = random.pick([
      [institution('securities')],
      [ownerCard, wife],
      [homes, ownerCard],
      [institution('securities'), wife],
    ]);
    splitFen(random, loanFen * share, random.between(2, 4)).forEach((amountFen, i) => {
      const timeMs = clock(day, 11.5 + i * 1.5);
      pay({ from: borrower, to: goals[i % goals.length]!, amountFen, timeMs, remark: random.pick(['往来款', '借款', '']) });
    });
    const restFen = Math.floor((loanFen * (1 - share) * 0.8) / 10_000) * 10_000;
    pay({ from: borrower, to: shell(), amountFen: restFen, timeMs: clock(loanDay, 15), remark: '货款' });
  },
};
