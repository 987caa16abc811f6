import { describe, expect, it } from 'vitest';
import { dayNumber } from '../../src/domain/bank-day.js';
import { townScenery } from '../../src/simulate/months/scenery.js';
import { createTown } from '../../src/simulate/months/town.js';
import type { PlannedPayment, Typology } from '../../src/simulate/payment.js';
import { plants } from '../../src/simulate/plants/index.js';
import { planPlot } from '../../src/simulate/plants/stage.js';
import { groupBy } from './group-by.js';

/** One playing as a graph: who pays whom, in order of time. */
interface Graph {
  readonly payments: readonly PlannedPayment[];
  readonly payers: ReadonlySet<number>;
  readonly payees: ReadonlySet<number>;
  readonly out: ReadonlyMap<number, readonly PlannedPayment[]>;
  readonly in: ReadonlyMap<number, readonly PlannedPayment[]>;
}

/** Accounts that only pay, that do both, that only receive. */
function layersOf({ payers, payees }: Graph): readonly [sources: number[], middle: number[], sinks: number[]] {
  const only = (these: ReadonlySet<number>, those: ReadonlySet<number>) => [...these].filter((account) => !those.has(account));
  return [only(payers, payees), [...payers].filter((account) => payees.has(account)), only(payees, payers)];
}

const between = (value: number, min: number, max: number): boolean => value >= min && value <= max;
const bounds = ([sources, middle, sinks]: ReturnType<typeof layersOf>) => [sources.length, middle.length, sinks.length] as const;

const definitions: readonly (readonly [Typology, (graph: Graph) => boolean])[] = [
  [
    'fan_in',
    (graph) => {
      const [sources, middle, sinks] = bounds(layersOf(graph));
      return between(sources, 3, 12) && middle === 0 && sinks === 1;
    },
  ],
  [
    'fan_out',
    (graph) => {
      const [sources, middle, sinks] = bounds(layersOf(graph));
      return sources === 1 && middle === 0 && between(sinks, 3, 12);
    },
  ],
  [
    'cycle',
    ({ payments }) =>
      between(payments.length, 3, 12) &&
      payments.every(({ payee }, i) => payee === payments[(i + 1) % payments.length]?.payer) &&
      payments.every(({ amountFen }, i) => i === 0 || amountFen <= payments[i - 1]!.amountFen),
  ],
  [
    'bipartite',
    (graph) => {
      const [sources, middle, sinks] = bounds(layersOf(graph));
      return middle === 0 && sources >= 3 && sinks >= 3 && graph.payments.length >= 0.5 * sources * sinks;
    },
  ],
  [
    'stack',
    (graph) => {
      const [sources, middle, sinks] = layersOf(graph);
      const comesBefore = (account: number) =>
        Math.min(...graph.out.get(account)!.map(({ timeMs }) => timeMs)) >=
        Math.max(...graph.in.get(account)!.map(({ timeMs }) => timeMs));
      return [sources, middle, sinks].every(({ length }) => length >= 3) && middle.every(comesBefore);
    },
  ],
  ['random', ({ payments }) => payments.every(({ payer }, i) => i === 0 || payer === payments[i - 1]!.payee)],
  [
    'scatter_gather',
    (graph) => {
      const [sources, middle, sinks] = bounds(layersOf(graph));
      return sources === 1 && between(middle, 3, 12) && sinks === 1;
    },
  ],
  [
    'gather_scatter',
    (graph) => {
      const [sources, middle, sinks] = bounds(layersOf(graph));
      return between(sources, 3, 12) && middle === 1 && between(sinks, 3, 12);
    },
  ],
];

const scenery = townScenery(createTown({ seed: 12, accounts: 30_000, cast: 0 }), 20_000, 90);

describe.each(definitions)('the classic shape %s', (typology, holds) => {
  const plant = plants.find((candidate) => candidate.typology === typology)!;
  const { payments } = planPlot({ plants: [plant], sets: 40, days: 90 }, scenery);
  const cases = [...groupBy(payments, ({ scheme }) => scheme).values()].map((own): Graph => ({
    payments: own,
    payers: new Set(own.map(({ payer }) => payer)),
    payees: new Set(own.map(({ payee }) => payee)),
    out: groupBy(own, ({ payer }) => payer),
    in: groupBy(own, ({ payee }) => payee),
  }));

  it('has its shape in every playing', () => {
    expect(cases).toHaveLength(40);
    expect(cases.filter((graph) => !holds(graph))).toEqual([]);
  });

  it('comes in many sizes, over one day and over weeks, with small and large sums', () => {
    const sizes = new Set(cases.map((graph) => new Set([...graph.payers, ...graph.payees]).size));
    expect(sizes.size).toBeGreaterThan(3);
    const spans = cases.map((graph) => dayNumber(graph.payments.at(-1)!.timeMs) - dayNumber(graph.payments[0]!.timeMs));
    expect(Math.min(...spans)).toBeLessThanOrEqual(1);
    expect(Math.max(...spans)).toBeGreaterThan(10);
    expect(Math.max(...spans)).toBeLessThan(18);
    const sums = payments.map(({ amountFen }) => amountFen).toSorted((a, b) => a - b);
    expect(sums[0]).toBeLessThan(2_000_000);
    expect(sums.at(-1)).toBeGreaterThan(20_000_000);
  });
});
