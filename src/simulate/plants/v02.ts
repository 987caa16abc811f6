import { distantCities, type Place } from '../places.js';
import type { Random } from '../random.js';
import { clock, minuteMs, type Plant, type ShellOptions } from './stage.js';

/**
 * A supplier's mailbox has been taken over: the next payment for goods goes to an account in the supplier's name, or one
 * letter from it, that nobody has paid before. Now and then a second invoice follows within two days.
 */
export const v02: Plant = {
  typology: 'V02',
  plan({ random, day, victim, shell, card, identity, pay }) {
    const robbed = victim();
    const [partner] = robbed.partners;
    if (!partner) return;
    const fake = shell(disguise(random, identity(partner.account).name));
    const amountFen = tidyFen(Math.max(3_500_000, partner.normFen * random.within(0.7, 1.6)));
    const timeMs = clock(day, random.within(9, 16.5));
    const remark = random.pick(['货款', '货款', '设备款', '采购款', '合同款']);
    if (random.chance(0.3)) {
      const firstMs = clock(day - random.between(1, 2), random.within(9, 16.5));
      pay({ from: robbed.account, to: fake, amountFen: tidyFen(amountFen * random.within(0.5, 0.9)), timeMs: firstMs, remark });
    }
    pay({ from: robbed.account, to: fake, amountFen, timeMs, remark });
    if (random.chance(0.5)) {
      const passedFen = tidyFen(amountFen * 0.95);
      const passedMs = timeMs + random.between(15, 240) * minuteMs;
      pay({
        from: fake,
        to: card({ place: random.pick(distantCities) }),
        amountFen: passedFen,
        timeMs: passedMs,
        remark: '往来款',
      });
    }
  },
};

/** Opened for this purpose under the very name, or bought elsewhere under a like one; a few are old accounts of the same name. */
function disguise(random: Random, name: string): ShellOptions {
  const place: Place = random.pick(distantCities);
  const draw = random.unit();
  if (draw < 0.45) return { name, ageDays: random.between(6, 150), place };
  if (draw < 0.9) return { name: alike(random, name), ageDays: random.between(20, 700), place };
  return { name, ageDays: random.between(200, 600), place };
}

/** The second character of the brand is another one: 郑州禾川… becomes 郑州禾林…. */
function alike(random: Random, name: string): string {
  const at = /^(平顶山|三门峡|驻马店)/.test(name) ? 4 : 3;
  const other = random.pick(['林', '沅', '泓', '珂', '彬', '焱'].filter((character) => character !== name[at]));
  return name.slice(0, at) + other + name.slice(at + 1);
}

const tidyFen = (amountFen: number): number => Math.round(amountFen / 100_000) * 100_000;
