import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTraces, type Arrival, type Traces } from '../../src/scoring/traces.js';
import { createSlowTraces } from '../support/slow-traces.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const startMs = Date.parse('2026-07-01T00:00:00+08:00');

const keyOf = (account: number): number => 2 ** 40 + account;
const circleOf = (account: number): number => (account < 2 ? 900 : account === 4 ? 901 : 0);
/** How late an event may come behind the latest one. */
const lateMs = 2 * hourMs;

type Step =
  | { kind: 'pay'; from: number; to: number; afterMs: number; lateMs: number; amountFen: number; isFirst: boolean; wait: number }
  | { kind: 'case'; account: number; level: number; afterMs: number }
  | { kind: 'again'; which: number }
  | { kind: 'sweep' };

const account = fc.integer({ min: 0, max: 7 });
const afterMs = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, minuteMs, 29 * minuteMs, 30 * minuteMs, 31 * minuteMs) },
  { weight: 2, arbitrary: fc.constantFrom(hourMs, 24 * hourMs, 48 * hourMs, 72 * hourMs) },
  { weight: 1, arbitrary: fc.constantFrom(5 * dayMs, 14 * dayMs) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('pay' as const),
      // -1: whoever was paid last.
      from: fc.oneof(account, fc.constant(-1), fc.constant(-1)),
      to: account,
      afterMs,
      lateMs: fc.constantFrom(0, 0, 0, minuteMs, lateMs),
      amountFen: fc.constantFrom(1000, 799, 800, 1020, 1021, 815, 40_000_000, 49_999_999, 50_000_000, 51_000_000),
      isFirst: fc.boolean(),
      wait: fc.constantFrom(0, 0, 0, 1, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('case' as const), account, level: fc.nat({ max: 5 }), afterMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('again' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'sweep' as const }) },
);

describe('traces', () => {
  it('travel as in lists of everything, with late payments, waiting and repeated arrivals and sweeps', () => {
    let cycles = 0;
    let long = 0;
    let full = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), (steps) => {
        const fast = createTraces();
        const slow = createSlowTraces();
        let nowMs = startMs;
        let paid = 0;
        const arrivals: { args: Parameters<Traces['arrive']>; wait: number; isDone: boolean }[] = [];
        const arrive = (args: Parameters<Traces['arrive']>): void => {
          const [to, , timeMs] = args;
          // One that waited for longer than the life of a sweep is not compared: it may have been forgotten.
          if (timeMs < nowMs - lateMs) return;
          const told: Arrival = { ...fast.arrive(...args) };
          expect(told).toEqual(slow.arrive(...args));
          if (told.cycle > 2) cycles++;
          if (told.hops === 6) long++;
          for (const hops of [0, 1, 2, 3])
            for (const windowMs of [hourMs, dayMs, 14 * dayMs])
              expect(fast.gathered(to, hops, timeMs - windowMs, timeMs)).toBe(slow.gathered(to, hops, timeMs - windowMs, timeMs));
          for (const atMs of [timeMs, nowMs]) expect(fast.caseLevel(to, atMs)).toEqual(slow.caseLevel(to, atMs));
        };
        for (const each of steps) {
          for (const waiting of arrivals) {
            if (waiting.isDone || waiting.wait-- > 0) continue;
            waiting.isDone = true;
            arrive(waiting.args);
          }
          if (each.kind === 'sweep') fast.sweep(nowMs - lateMs);
          else if (each.kind === 'case') {
            nowMs += each.afterMs;
            fast.setCase(each.account, each.level, nowMs);
            slow.setCase(each.account, each.level, nowMs);
          } else if (each.kind === 'again') {
            if (arrivals.length > 0) arrive(arrivals[each.which % arrivals.length]!.args);
          } else {
            nowMs += each.afterMs;
            const timeMs = nowMs - each.lateMs;
            const from = each.from < 0 ? paid : each.from;
            paid = each.to;
            const leaving = [from, timeMs, each.amountFen, each.isFirst, keyOf(from), circleOf(from)] as const;
            const left = fast.leave(...leaving);
            expect(left).toEqual(slow.leave(...leaving));
            if (!left) continue;
            if (left.traces.length === 8) full++;
            const forward = { ...left, payerNew: steps.length };
            const args: Parameters<Traces['arrive']> = [
              each.to,
              keyOf(from),
              timeMs,
              each.amountFen,
              forward,
              keyOf(each.to),
              circleOf(each.to),
            ];
            arrivals.push({ args, wait: each.wait, isDone: false });
          }
        }
      }),
      { numRuns: 500 },
    );
    // The runs went where it is difficult.
    expect({ cycles: cycles > 10, long: long > 10, full: full > 10 }).toEqual({ cycles: true, long: true, full: true });
  });
});

/** Accounts by letter; each payment arrives at once. */
function world(circles: Record<string, number> = {}) {
  const traces = createTraces();
  const number = (name: string): number => name.codePointAt(0)!;
  const pay = (from: string, to: string, minute: number, amountFen: number, isFirst = false): Arrival => {
    const timeMs = startMs + minute * minuteMs;
    const left = traces.leave(number(from), timeMs, amountFen, isFirst, keyOf(number(from)), circles[from] ?? 0);
    const forward = { ...(left ?? { traces: [], caseLevel: -1, caseMs: 0 }), payerNew: 1 };
    const [own, circle] = [keyOf(number(to)), circles[to] ?? 0];
    return { ...traces.arrive(number(to), keyOf(number(from)), timeMs, amountFen, forward, own, circle) };
  };
  return { traces, number, pay };
}

describe('a trace', () => {
  it('begins with a first payment or with half a million yuan, and else not', () => {
    expect(world().pay('a', 'b', 0, 100, true).hops).toBe(1);
    expect(world().pay('a', 'b', 0, 50_000_000).hops).toBe(1);
    expect(world().pay('a', 'b', 0, 49_999_999).hops).toBe(0);
  });

  it('goes on where 80 to 102 % are passed on within 72 hours', () => {
    const hours72 = 72 * 60;
    for (const [minute, amountFen, hops] of [
      [hours72, 800, 2],
      [hours72, 1020, 2],
      [hours72, 799, 0],
      [hours72, 1021, 0],
      [hours72 + 1, 800, 0],
    ] as const) {
      const { pay } = world();
      pay('a', 'b', 0, 1000, true);
      expect(pay('b', 'c', minute, amountFen).hops).toBe(hops);
    }
  });

  it('counts quick hops in a row: within 30 minutes and with most of the money', () => {
    const { pay } = world();
    expect(pay('a', 'b', 0, 1000, true).quick).toBe(1);
    expect(pay('b', 'c', 30, 900).quick).toBe(2);
    expect(pay('c', 'd', 60, 900).quick).toBe(3);
    expect(pay('d', 'e', 91, 900)).toMatchObject({ hops: 4, quick: 1 });
    expect(pay('e', 'f', 92, 900)).toMatchObject({ hops: 5, quick: 2 });
    expect(pay('f', 'g', 93, 100, true)).toMatchObject({ hops: 6, quick: 1 });
    // Those with six payments ended at g: what arrives is the path that f began.
    expect(pay('g', 'h', 94, 100)).toMatchObject({ hops: 2, quick: 2 });
  });

  it('ends with six payments', () => {
    const { pay } = world();
    const names = [...'abcdefgh'];
    const hops = names.slice(1).map((to, i) => {
      const arrival = pay(names[i]!, to, i, 60_000_000);
      return arrival.hops;
    });
    expect(hops).toEqual([1, 2, 3, 4, 5, 6, 6]);
  });

  it('lives 14 days', () => {
    for (const [minute, hops] of [
      [14 * 24 * 60, 2],
      [14 * 24 * 60 + 1, 1],
    ] as const) {
      const { pay } = world();
      pay('a', 'b', 0, 60_000_000);
      expect(pay('b', 'c', minute, 60_000_000).hops).toBe(hops);
    }
  });

  it('is over for late payments too once something came to the account after its life', () => {
    const day = 24 * 60;
    const { pay } = world();
    pay('a', 'b', 0, 60_000_000);
    expect(pay('b', 'c', 14 * day, 60_000_000).hops).toBe(2);
    pay('x', 'b', 14 * day + 1, 100, true);
    expect(pay('b', 'd', 14 * day, 60_000_000).hops).toBe(1);
  });

  it('does not leave before it came', () => {
    const { pay } = world();
    pay('a', 'b', 10, 1000, true);
    expect(pay('b', 'c', 9, 1000).hops).toBe(0);
    expect(pay('b', 'c', 10, 1000).hops).toBe(2);
  });

  it('is a cycle where it comes back, and ends there', () => {
    const { pay } = world();
    pay('a', 'b', 0, 1000, true);
    pay('b', 'c', 60, 950);
    expect(pay('c', 'a', 120, 900)).toMatchObject({ cycle: 3, cycleShare: 0.9, cycleSeconds: 7200, isCircle: false });
    expect(pay('a', 'd', 130, 900)).toMatchObject({ hops: 0, cycle: 0 });
  });

  it('tells of two that come back the one whose amount fits', () => {
    const { pay } = world();
    pay('a', 'b', 0, 90_000_000);
    pay('a', 'b', 1, 60_000_000);
    expect(pay('b', 'a', 2, 88_000_000)).toMatchObject({ cycle: 2, cycleSeconds: 120 });
    expect(pay('b', 'a', 3, 61_000_000)).toMatchObject({ cycle: 2, cycleSeconds: 120 });
  });

  it('comes to its circle through others, and travels on', () => {
    const { pay } = world({ a: 77, c: 77 });
    pay('a', 'b', 0, 1000, true);
    expect(pay('b', 'c', 1, 850, false)).toMatchObject({
      isCircle: true,
      circleHops: 2,
      circleShare: 0.85,
      circleSeconds: 60,
      cycle: 0,
    });
    expect(pay('c', 'd', 2, 850, false)).toMatchObject({ hops: 3, isCircle: false });
  });

  it('goes on as the shorter path where two meet, so that two accounts paying to and fro do not make it long', () => {
    const { pay } = world();
    pay('a', 'b', 0, 60_000_000);
    pay('b', 'c', 1, 60_000_000);
    expect(pay('c', 'b', 2, 60_000_000).hops).toBe(3);
    expect(pay('b', 'd', 3, 60_000_000).hops).toBe(2);
  });

  it('goes on with the longer quick chain of two paths of one length', () => {
    const { pay } = world();
    pay('a', 'b', 0, 1000, true);
    pay('b', 'c', 1, 1000);
    pay('b', 'd', 1, 1000);
    expect(pay('d', 'e', 2, 1000).quick).toBe(3);
    expect(pay('c', 'e', 3, 100, true).quick).toBe(1);
    expect(pay('e', 'f', 4, 1000, true)).toMatchObject({ hops: 4, quick: 4 });
  });
});

describe('an arrival', () => {
  it('is news once', () => {
    const { traces, number } = world();
    const left = traces.leave(1, startMs, 1000, true, keyOf(1), 0)!;
    const arrive = () => traces.arrive(number('b'), keyOf(1), startMs, 1000, { ...left, payerNew: 3 }, keyOf(2), 0);
    expect({ ...arrive() }).toMatchObject({ isNews: true, hops: 1, payerNew: 3 });
    expect({ ...arrive() }).toMatchObject({ isNews: false, hops: 1, payerNew: 3 });
  });

  it('with nothing is no news', () => {
    expect(world().pay('a', 'b', 0, 5)).toMatchObject({ isNews: false, hops: 0, quick: 0, cycle: 0, caseLevel: NaN });
  });

  it('gathers the payers that bring one origin', () => {
    const { pay, traces, number } = world();
    for (const [i, mule] of [...'mnop'].entries()) pay('a', mule, i, 1000, true);
    for (const [i, mule] of [...'mno'].entries()) pay(mule, 'z', 10 + i, 900);
    pay('x', 'z', 14, 5, true);
    pay('p', 'z', 15, 900);
    const at = startMs + 15 * minuteMs;
    const z = number('z');
    expect(traces.gathered(z, 0, at - hourMs, at)).toBe(4);
    expect(traces.gathered(z, 2, at - hourMs, at)).toBe(4);
    expect(traces.gathered(z, 1, at - hourMs, at)).toBe(0);
    expect(traces.gathered(z, 0, at - 4 * minuteMs, at)).toBe(2);
    expect(traces.gathered(z, 0, at - hourMs, at - minuteMs)).toBe(1);
    expect(traces.gathered(number('y'), 0, 0, at)).toBe(0);
  });

  it('is remembered for gathering up to 128 traces an account', () => {
    const { pay, traces, number } = world();
    for (let i = 0; i < 200; i++) {
      const mule = String.fromCodePoint(1000 + i);
      pay('a', mule, i, 1000, true);
      pay(mule, 'z', i, 900);
    }
    expect(traces.gathered(number('z'), 0, 0, startMs + dayMs)).toBe(128);
  });
});

describe('a case level', () => {
  it('passes on, one greater, within 24 hours', () => {
    const day = 24 * 60;
    const { pay, traces, number } = world();
    traces.setCase(number('a'), 0, startMs);
    expect(pay('a', 'b', day, 100)).toMatchObject({ caseLevel: 1, caseSeconds: 86_400, isNews: true, hops: 0 });
    expect(pay('a', 'c', day + 1, 100).caseLevel).toBeNaN();
    expect(pay('b', 'c', day + 2, 100)).toMatchObject({ caseLevel: 2, caseSeconds: 120 });
    expect(traces.caseLevel(number('c'), startMs + day * minuteMs)).toBeNaN();
    expect(traces.caseLevel(number('c'), startMs + (day + 2) * minuteMs)).toBe(2);
  });

  it('ends at five', () => {
    const { pay, traces, number } = world();
    traces.setCase(number('a'), 4, startMs);
    expect(pay('a', 'b', 1, 100).caseLevel).toBe(5);
    expect(pay('b', 'c', 2, 100).caseLevel).toBeNaN();
  });

  it('is not raised by a greater one, and begins anew with the same', () => {
    const { pay, traces, number } = world();
    traces.setCase(number('a'), 0, startMs);
    pay('a', 'b', 0, 100);
    traces.setCase(number('x'), 3, startMs);
    expect(pay('x', 'b', 1, 100).caseLevel).toBeNaN();
    expect(traces.caseLevel(number('b'), startMs + hourMs)).toBe(1);
    expect(pay('b', 'c', 24 * 60, 100).caseLevel).toBe(2);
    expect(pay('b', 'd', 24 * 60 + 1, 100).caseLevel).toBeNaN();
    traces.setCase(number('b'), 1, startMs + 30 * hourMs);
    expect(pay('b', 'd', 31 * 60, 100).caseLevel).toBe(2);
  });

  it('that is smaller counts from its time on, though it comes late', () => {
    const traces = createTraces();
    traces.setCase(1, 3, startMs + 10);
    traces.setCase(1, 2, startMs + 10);
    traces.setCase(1, 0, startMs + 5);
    traces.setCase(1, 4, startMs);
    expect([-1, 0, 5, 10, 20].map((ms) => traces.caseLevel(1, startMs + ms))).toEqual([NaN, 4, 0, 0, 0]);
  });

  it('is told again and again without growing', () => {
    const traces = createTraces();
    for (let i = 0; i < 40; i++) traces.setCase(1, 2, startMs + i * dayMs);
    const bytes = traces.bytesUsed();
    for (let i = 40; i < 1000; i++) traces.setCase(1, 2, startMs + i * dayMs);
    expect(traces.bytesUsed()).toBe(bytes);
    expect(traces.caseLevel(1, startMs - 1)).toBeNaN();
    expect(traces.caseLevel(1, startMs)).toBe(2);
  });
});

describe('a sweep', () => {
  it('makes room for what comes later', () => {
    const { pay, traces } = world();
    const day = 24 * 60;
    const fill = (from: number) => {
      for (let i = 0; i < 300; i++) pay(String.fromCodePoint(5000 + i), String.fromCodePoint(9000 + i), from, 100, true);
    };
    fill(0);
    const bytes = traces.bytesUsed();
    traces.sweep(startMs + 14 * dayMs + 1);
    fill(15 * day);
    expect(traces.bytesUsed()).toBe(bytes);
  });
});
