import { clock, type Plant } from './stage.js';

/** One hand, many firms: a gang works the online banking of four to eight shells from one machine, or over one address. */
export const m17: Plant = {
  typology: 'M17',
  plan({ random, day, shell, card, pay, device, personName }) {
    const machine = device();
    const isAddressOnly = random.chance(0.35);
    const firms = Array.from({ length: isAddressOnly ? random.between(6, 8) : random.between(4, 7) }, () => shell());
    // Mostly within a working day; now and then spread over several.
    const spread = !isAddressOnly && firms.length > 5 && random.chance(0.3) ? 4 : 0;
    const exits = [card(), card()];
    const operator = personName();
    firms.forEach((firm, i) => {
      const used = isAddressOnly ? { device: { ...device(), ip: machine.ip } } : { device: machine, operator };
      const onDay = day - Math.floor((spread * (firms.length - 1 - i)) / firms.length);
      const times = random.between(1, 2);
      for (let n = 0; n < times; n++) {
        const to = random.chance(0.4) ? firms[(i + 1) % firms.length]! : random.pick(exits);
        const amountFen = random.between(20, 400) * 100_000;
        const timeMs = clock(onDay, 9 + i + random.within(0, 0.9) * 1.2);
        pay({ from: firm, to, amountFen, timeMs, remark: random.pick(['货款', '往来款']), ...used });
      }
    });
  },
};
