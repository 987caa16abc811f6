import type { Random } from '../random.js';
import { clock, type Plant, type Stage, splitFen, sumFen } from './stage.js';

/**
 * The eight shapes of laundering that the literature tells apart (Suzumura and Kanezashi, AMLSim; Altman et al., AMLworld),
 * with 3 to 12 accounts in each role, over 1 to 18 days, with sums of all sizes. No pattern of the catalogue is aimed at.
 */

const daysBefore = 18;
const remarks = ['货款', '往来款', '服务费', '借款', '材料款', '转账', ''] as const;

/** Many pay one. */
export const fanIn: Plant = {
  typology: 'fan_in',
  daysBefore,
  plan(stage) {
    const collector = stage.shell();
    const payers = group(stage, stage.random.between(3, 12));
    const times = spread(stage, payers.length);
    payers.forEach((from, i) => send(stage, from, collector, amountFen(stage.random), times[i]));
  },
};

/** One pays many. */
export const fanOut: Plant = {
  typology: 'fan_out',
  daysBefore,
  plan(stage) {
    const source = stage.shell();
    const payees = group(stage, stage.random.between(3, 12));
    const times = spread(stage, payees.length);
    payees.forEach((to, i) => send(stage, source, to, amountFen(stage.random), times[i]));
  },
};

/** Money goes round a ring, a little less at every hop. */
export const cycle: Plant = {
  typology: 'cycle',
  daysBefore,
  plan(stage) {
    const ring = shells(stage, stage.random.between(3, 12));
    const times = spread(stage, ring.length);
    let amount = amountFen(stage.random) * 2;
    ring.forEach((from, i) => {
      send(stage, from, ring[(i + 1) % ring.length]!, Math.floor(amount), times[i]);
      amount *= stage.random.within(0.94, 1);
    });
  },
};

/** Every account of one side pays most of the other side. */
export const bipartite: Plant = {
  typology: 'bipartite',
  daysBefore,
  plan(stage) {
    const left = shells(stage, stage.random.between(3, 6));
    sendAll(stage, left, group(stage, stage.random.between(3, 6)), spread(stage, 36));
  },
};

/** Two such layers, the second after the first. */
export const stack: Plant = {
  typology: 'stack',
  daysBefore,
  plan(stage) {
    const { random } = stage;
    const layers = [shells(stage, random.between(3, 5)), shells(stage, random.between(3, 5)), group(stage, random.between(3, 5))];
    const times = spread(stage, 50);
    sendAll(stage, layers[0]!, layers[1]!, times.slice(0, 25));
    sendAll(stage, layers[1]!, layers[2]!, times.slice(25));
  },
};

/** Money wanders among the accounts without aim. */
export const randomWalk: Plant = {
  typology: 'random',
  daysBefore,
  plan(stage) {
    const { random } = stage;
    const accounts = shells(stage, random.between(3, 12));
    const times = spread(stage, accounts.length + random.between(1, 8));
    let here = 0;
    let amount = amountFen(random) * 2;
    for (const timeMs of times) {
      const next = (here + 1 + random.below(accounts.length - 1)) % accounts.length;
      send(stage, accounts[here]!, accounts[next]!, Math.floor(amount), timeMs);
      amount = Math.max(100_000, amount * random.within(0.8, 1));
      here = next;
    }
  },
};

/** One pays many, and they all pay another one. */
export const scatterGather: Plant = {
  typology: 'scatter_gather',
  daysBefore,
  plan(stage) {
    const { random } = stage;
    const [source, sink] = [stage.shell(), stage.shell()];
    const middle = group(stage, random.between(3, 12));
    const times = spread(stage, middle.length * 2);
    splitFen(random, amountFen(random) * middle.length, middle.length).forEach((amount, i) => {
      send(stage, source, middle[i]!, amount, times[i]);
      send(stage, middle[i]!, sink, Math.floor(amount * random.within(0.92, 0.99)), times[middle.length + i]);
    });
  },
};

/** Many pay one, and it pays many others. */
export const gatherScatter: Plant = {
  typology: 'gather_scatter',
  daysBefore,
  plan(stage) {
    const { random } = stage;
    const hub = stage.shell();
    const [payers, payees] = [group(stage, random.between(3, 12)), group(stage, random.between(3, 12))];
    const times = spread(stage, payers.length + payees.length);
    const taken = payers.map(() => amountFen(random));
    payers.forEach((from, i) => send(stage, from, hub, taken[i]!, times[i]));
    splitFen(random, sumFen(taken) * random.within(0.9, 0.98), payees.length).forEach((amount, i) => {
      send(stage, hub, payees[i]!, Math.max(100_000, amount), times[payers.length + i]);
    });
  },
};

const shells = (stage: Stage, count: number): number[] => Array.from({ length: count }, () => stage.shell());

/** Two in three are companies. */
const group = (stage: Stage, count: number): number[] =>
  Array.from({ length: count }, () => (stage.random.chance(0.67) ? stage.shell() : stage.card()));

/** 3,000 to 900,000 yuan, small sums more often. */
function amountFen(random: Random): number {
  const yuan = 3_000 * Math.exp(random.unit() * Math.log(300));
  return random.chance(0.5) ? Math.round(yuan / 100) * 10_000 : Math.round(yuan * 100);
}

/** Instants in working hours of 1 to 18 days up to the stage's day, ascending. */
function spread({ random, day }: Stage, count: number): number[] {
  const days = random.between(1, daysBefore);
  const instants = Array.from({ length: count }, () => clock(day - random.below(days), random.within(8.5, 19)));
  return instants.toSorted((a, b) => a - b);
}

/** Every pair of the two sides with a chance of 85 %, and no account of either side without one. */
function sendAll(stage: Stage, left: readonly number[], right: readonly number[], times: readonly number[]): void {
  const pairs = left.flatMap((from, i) =>
    right
      .filter((_, j) => i % right.length === j || j % left.length === i || stage.random.chance(0.85))
      .map((to) => [from, to] as const),
  );
  pairs.forEach(([from, to], i) =>
    send(stage, from, to, amountFen(stage.random), times[Math.floor((i * times.length) / pairs.length)]),
  );
}

function send({ random, day, pay }: Stage, from: number, to: number, amount: number, timeMs: number = clock(day, 12)): void {
  pay({ from, to, amountFen: amount, timeMs, remark: random.pick(remarks) });
}
