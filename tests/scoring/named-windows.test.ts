import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dayMs } from '../../src/domain/bank-day.js';
import { createNamedWindows, type StreamEvent, type Subject } from '../../src/scoring/named-windows.js';
import { createPlan, type StreamRef } from '../../src/scoring/plan.js';
import { SubjectRows } from '../../src/scoring/subject-rows.js';
import { parseWindow, type Window } from '../../src/scoring/window.js';

const hourMs = 3_600_000;
const startMs = Date.parse('2026-07-01T00:00:00+08:00');
/** Every day is a working day. */
const calendar = { workingWindowStart: (day: number, count: number) => day - count + 1 };
const windowOf = (text: string): Window => parseWindow(text, calendar) as Window;

/** Two streams, one of them with windows of every kind that share its queue; and a base stream by days. */
function createWindows() {
  const plan = createPlan();
  const refs = ['busy', 'other'].map((key): StreamRef => {
    const stream = plan.stream({ key, of: 'any', share: 0, withinMs: 0 })!;
    return { name: key, bit: 0, index: stream.index };
  });
  const [busy, other] = refs as [StreamRef, StreamRef];
  const days: StreamRef = { name: 'any', bit: 4, index: -1 };
  const asked = [
    { ref: busy, text: '2h', isPaired: true, keepsExtremes: true },
    { ref: busy, text: '3d', isPaired: true, keepsExtremes: false },
    { ref: busy, text: 'day', isPaired: false, keepsExtremes: false },
    { ref: busy, text: '2wd', isPaired: true, keepsExtremes: false },
    { ref: busy, text: '10d', isPaired: false, keepsExtremes: true },
    { ref: busy, text: 'ever', isPaired: false, keepsExtremes: false },
    { ref: other, text: '1d', isPaired: true, keepsExtremes: false },
    { ref: days, text: '40d', isPaired: false, keepsExtremes: false },
    { ref: days, text: '90d', isPaired: false, keepsExtremes: false },
  ].map((window) => ({ ...window, window: windowOf(window.text), isByDay: window.ref === days }));
  const ids = asked.map(({ ref, window, isPaired, keepsExtremes }) => plan.namedWindow(ref, window, { isPaired, keepsExtremes }));
  const rows = new SubjectRows(plan);
  return { asked, ids, rows, refs: { busy, other, days }, named: createNamedWindows(plan, rows) };
}

interface Seen extends StreamEvent {
  readonly order: number;
}

/** What is inside a window: all that was joined, each looked at anew; in order of time, of equal times as they came. */
function inside(seen: readonly Seen[], { window, isByDay }: { window: Window; isByDay: boolean }, clockMs: number): Seen[] {
  const days = Math.round(window.spanMsMax / dayMs);
  const fromMs = isByDay ? startOf(clockMs) - (days - 1) * dayMs - 1 : window.startMs(clockMs);
  return seen.filter(({ timeMs }) => timeMs > fromMs).toSorted((a, b) => a.timeMs - b.timeMs || a.order - b.order);
}

const startOf = (timeMs: number): number => startMs + Math.floor((timeMs - startMs) / dayMs) * dayMs;
const sumOf = (list: readonly { amountFen: number }[]): number => list.reduce((sum, { amountFen }) => sum + amountFen, 0);

const step = fc.record({
  subject: fc.constantFrom(0, 1, 2),
  stream: fc.constantFrom('busy', 'busy', 'busy', 'other', 'days'),
  /** Later than the subject's clock by; late ones are earlier. */
  afterMs: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 2 * hourMs }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 2 * hourMs, dayMs, 3 * dayMs, 11 * dayMs, 95 * dayMs) },
    { weight: 3, arbitrary: fc.integer({ min: -4 * dayMs, max: -1 }) },
  ),
  amountFen: fc.constantFrom(1, 2, 5, 100, 100_000),
  other: fc.constantFrom(-1, 7, 7, 7, 8, 9, 60_000_000),
  sweeps: fc.integer({ min: 0, max: 9 }),
});

describe('named windows', () => {
  it('hold what a list of all events holds, though those of one stream share their queue', () => {
    let compared = 0;
    let late = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 120, size: 'max' }), (steps) => {
        const { asked, ids, rows, refs, named } = createWindows();
        const subjects = [3, 1, 2].map((account) => {
          const row = rows.rowOf(account);
          return { row, clockMs: startMs + 100 * dayMs, seen: { busy: [] as Seen[], other: [] as Seen[], days: [] as Seen[] } };
        });
        let latestMs = startMs;
        for (const [order, { subject, stream, afterMs, amountFen, other, sweeps }] of steps.entries()) {
          const of = subjects[subject]!;
          const timeMs = of.clockMs + afterMs;
          if (afterMs < 0) late++;
          of.clockMs = Math.max(of.clockMs, timeMs);
          latestMs = Math.max(latestMs, of.clockMs);
          const event = { timeMs, amountFen, slot: order, other, region: 410_100 };
          const at: Subject = { row: rows.numbers, base: of.row * rows.width, clockMs: of.clockMs };
          named.join(at, refs[stream as 'busy'], event);
          of.seen[stream as 'busy'].push({ ...event, order });
          // What is swept is older than any clock sees; the quietest subject's clock is the bound here.
          if (sweeps === 0) named.sweep(Math.min(...subjects.map(({ clockMs }) => clockMs)), 3);

          for (const [i, window] of asked.entries()) {
            const seen = of.seen[window.ref.index < 0 ? 'days' : (window.ref.name as 'busy')];
            const expected = inside(seen, window, of.clockMs);
            const id = ids[i]!;
            expect(named.count(at, id)).toBe(expected.length);
            expect(named.sum(at, id)).toBe(sumOf(expected));
            compared++;
            if (window.keepsExtremes) {
              const amounts = expected.map((inWindow) => inWindow.amountFen);
              expect(named.max(at, id)).toBe(amounts.length === 0 ? Number.NaN : Math.max(...amounts));
              expect(named.min(at, id)).toBe(amounts.length === 0 ? Number.NaN : Math.min(...amounts));
            }
            if (window.window.spanMsMax === Infinity || window.isByDay) continue;
            const slots: number[] = [];
            named.each(at, id, (events, found) => slots.push(events.slot(found)) > 0);
            expect(slots).toEqual(expected.map(({ slot }) => slot).toReversed());
            const latest = expected.filter(({ slot }) => slot !== order).at(-1);
            if (expected.at(-1)?.slot === order || expected.length === 0)
              expect(named.latestMs(at, id, order)).toBe(latest?.timeMs ?? -Infinity);
            if (!window.isPaired) continue;
            expect(named.distinct(at, id)).toBe(
              new Set(expected.map((inWindow) => inWindow.other).filter((known) => known >= 0)).size,
            );
            for (const known of [7, 8, 60_000_000, 12]) {
              const own = expected.filter((inWindow) => inWindow.other === known);
              expect(named.countOfPair(at, id, known)).toBe(own.length);
              expect(named.sumOfPair(at, id, known)).toBe(sumOf(own));
              const ofPair: number[] = [];
              named.eachOfPair(at, id, known, (events, found) => ofPair.push(events.slot(found)) > 0);
              expect(ofPair).toEqual(own.map(({ slot }) => slot).toReversed());
            }
          }
        }
      }),
      { numRuns: 150 },
    );
    expect(compared).toBeGreaterThan(10_000);
    expect(late).toBeGreaterThan(500);
  });

  it('stay whole where a window was swept that a very late leg belongs to', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 10, maxLength: 80, size: 'max' }),
        fc.integer({ min: 0, max: 12 }),
        (steps, ahead) => {
          const { asked, ids, rows, refs, named } = createWindows();
          const row = rows.rowOf(0);
          let clockMs = startMs + 100 * dayMs;
          for (const [order, { stream, afterMs, amountFen, other, sweeps }] of steps.entries()) {
            const timeMs = clockMs + afterMs;
            clockMs = Math.max(clockMs, timeMs);
            const at: Subject = { row: rows.numbers, base: row * rows.width, clockMs };
            named.join(at, refs[stream as 'busy'], { timeMs, amountFen, slot: order, other, region: 0 });
            // Others are days ahead of this subject: more is swept than its own clock would have let go.
            if (sweeps < 3) named.sweep(clockMs + ahead * dayMs, 1);
            for (const [i, window] of asked.entries()) {
              if (window.window.spanMsMax === Infinity || window.isByDay) continue;
              const found: { other: number; amountFen: number; timeMs: number }[] = [];
              named.each(at, ids[i]!, (events, event) => {
                found.push({ other: events.other(event), amountFen: events.amountFen(event), timeMs: events.timeMs(event) });
                return true;
              });
              expect(named.count(at, ids[i]!)).toBe(found.length);
              expect(named.sum(at, ids[i]!)).toBe(sumOf(found));
              expect(found.map((event) => event.timeMs)).toEqual(found.map((event) => event.timeMs).toSorted((a, b) => b - a));
              if (!window.isPaired) continue;
              expect(named.distinct(at, ids[i]!)).toBe(
                new Set(found.map((event) => event.other).filter((known) => known >= 0)).size,
              );
              expect(named.countOfPair(at, ids[i]!, 7)).toBe(found.filter((event) => event.other === 7).length);
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('give back the events that none of them holds any longer, and the nodes that are swept', () => {
    const { asked, ids, rows, refs, named } = createWindows();
    const bytes: number[] = [];
    for (let i = 0; i < 40_000; i++) {
      const row = rows.rowOf(i % 100);
      const clockMs = startMs + i * hourMs;
      const at: Subject = { row: rows.numbers, base: row * rows.width, clockMs };
      for (const ref of Object.values(refs))
        named.join(at, ref, { timeMs: clockMs, amountFen: 1, slot: i, other: i % 7, region: 0 });
      if (i % 5_000 === 4_999) {
        named.sweep(clockMs - 200 * dayMs, 100);
        bytes.push(named.bytesUsed());
      }
    }
    expect(bytes.at(-1)).toBe(bytes[0]);
    expect(bytes.at(-1)).toBeLessThan(1_000_000);

    const clockMs = startMs + 50_000 * hourMs;
    named.sweep(clockMs, 100);
    for (const [i, { text }] of asked.entries())
      expect(named.count({ row: rows.numbers, base: 0, clockMs }, ids[i]!)).toBe(text === 'ever' ? 400 : 0);
  });
});
