import type { Trace } from '../../src/domain/forward.js';
import { traceRules, type Traces } from '../../src/scoring/traces.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

interface Held {
  readonly trace: Trace;
  readonly arrivedMs: number;
  readonly arrivedFen: number;
}

/** Traces in lists of everything, looked through anew for each question; sweeping forgets nothing. */
export function createSlowTraces(): Omit<Traces, 'bytesUsed' | 'snapshot'> {
  const held = new Map<number, Held[]>();
  const brought: { account: number; origin: number; via: number; timeMs: number; hops: number }[] = [];
  const levels: { account: number; level: number; timeMs: number }[] = [];
  const endMs = ({ trace }: Held): number => trace.startMs + traceRules.lifeMs;
  const columns = ({ trace, ...own }: Held): number[] => [
    own.arrivedMs,
    trace.hops,
    trace.startMs,
    trace.amountFen,
    trace.origin,
    own.arrivedFen,
    trace.quick,
    trace.circle,
  ];
  const newestFirst = (a: Held, b: Held): number =>
    columns(b)
      .map((value, i) => value - columns(a)[i]!)
      .find((difference) => difference !== 0) ?? 0;
  const isSame = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

  function levelAt(account: number, atMs: number): { level: number; timeMs: number } | undefined {
    const own = levels.filter((each) => each.account === account && each.timeMs <= atMs);
    const level = Math.min(...own.map((each) => each.level));
    return own.filter((each) => each.level === level).toSorted((a, b) => b.timeMs - a.timeMs)[0];
  }
  function setCase(account: number, level: number, timeMs: number): boolean {
    const isNews =
      !((levelAt(account, timeMs)?.level ?? 9) < level) && !levels.some((each) => isSame(each, { account, level, timeMs }));
    levels.push({ account, level, timeMs });
    return isNews;
  }
  function keep(account: number, own: Held): boolean {
    let all = held.get(account) ?? [];
    if (all.some((other) => isSame(columns(other), columns(own)))) return false;
    const latestMs = Math.max(own.arrivedMs, ...all.map(({ arrivedMs }) => arrivedMs));
    if (endMs(own) < latestMs) return false;
    if (all.length >= 8) all = all.filter((other) => endMs(other) >= latestMs);
    const sorted = [...all, own].toSorted(newestFirst).slice(0, 8);
    held.set(account, sorted);
    return sorted.includes(own);
  }
  /** What an account's payment does with a trace that it holds; undefined where the trace stays. */
  function leaving({ trace, arrivedMs, arrivedFen }: Held, timeMs: number, amountFen: number, isFirst: boolean) {
    const share = amountFen / arrivedFen;
    const isPassedOn = share >= 0.8 && share <= 1.02;
    const ageMs = timeMs - arrivedMs;
    if (ageMs < 0 || timeMs - trace.startMs > 14 * dayMs) return undefined;
    if (!isFirst && amountFen < 50_000_000 && !(isPassedOn && ageMs <= 72 * hourMs)) return undefined;
    return { ...trace, hops: trace.hops + 1, quick: isPassedOn && ageMs <= 30 * minuteMs ? trace.quick + 1 : 1 };
  }

  return {
    leave(account, timeMs, amountFen, isFirst, originKey, circle) {
      const all = held.get(account) ?? [];
      const latestMs = Math.max(...all.map(({ arrivedMs }) => arrivedMs));
      const alive = all.filter((each) => endMs(each) >= latestMs);
      const carried = alive.flatMap((each) => leaving(each, timeMs, amountFen, isFirst) ?? []);
      const name = (trace: Trace): string => JSON.stringify([trace.origin, trace.startMs, trace.amountFen]);
      const names = [...new Set(carried.map(name))];
      const best = names.map(
        (wanted) =>
          carried.filter((trace) => name(trace) === wanted).toSorted((a, b) => a.hops - b.hops || b.quick - a.quick)[0]!,
      );
      const own = { origin: originKey, circle, startMs: timeMs, amountFen, hops: 1, quick: 1 };
      const traces = [...(isFirst || amountFen >= 50_000_000 ? [own] : []), ...best].slice(0, 8);
      const known = levelAt(account, timeMs);
      const isCase = known !== undefined && known.level < 5 && timeMs - known.timeMs <= 24 * hourMs;
      if (traces.length === 0 && !isCase) return null;
      return { traces, caseLevel: isCase ? known.level : -1, caseMs: isCase ? known.timeMs : 0 };
    },
    arrive(account, via, timeMs, amountFen, forward, ownKey, ownCircle) {
      const alive = forward.traces.filter((t) => t.startMs <= timeMs && timeMs - t.startMs <= 14 * dayMs && t.hops <= 6);
      const nearest = (traces: Trace[]): Trace | undefined =>
        traces.toSorted((a, b) => {
          const distance = (t: Trace): number => Math.abs(Math.log(amountFen / t.amountFen));
          return distance(a) - distance(b) || b.startMs - a.startMs || b.hops - a.hops;
        })[0];
      const cycle = nearest(alive.filter((t) => t.origin === ownKey));
      const circle = nearest(alive.filter((t) => t.origin !== ownKey && ownCircle !== 0 && t.circle === ownCircle));
      let isNews = false;
      for (const trace of alive) {
        const row = { account, origin: trace.origin, via, timeMs, hops: trace.hops };
        if (!brought.some((other) => isSame(other, row))) {
          brought.push(row);
          isNews = true;
        }
        if (trace.origin !== ownKey && trace.hops < 6 && keep(account, { trace, arrivedMs: timeMs, arrivedFen: amountFen }))
          isNews = true;
      }
      const level = forward.caseLevel + 1;
      const isGiven =
        forward.caseLevel >= 0 &&
        level <= 5 &&
        timeMs >= forward.caseMs &&
        timeMs - forward.caseMs <= 24 * hourMs &&
        !((levelAt(account, timeMs)?.level ?? 9) < level);
      if (isGiven && setCase(account, level, timeMs)) isNews = true;
      return {
        hops: Math.max(0, ...alive.map((t) => t.hops)),
        quick: Math.max(0, ...alive.map((t) => t.quick)),
        caseLevel: isGiven ? level : NaN,
        caseSeconds: isGiven ? (timeMs - forward.caseMs) / 1000 : NaN,
        cycle: cycle?.hops ?? 0,
        cycleShare: cycle ? amountFen / cycle.amountFen : NaN,
        cycleSeconds: cycle ? (timeMs - cycle.startMs) / 1000 : NaN,
        isCircle: circle !== undefined,
        circleShare: circle ? amountFen / circle.amountFen : NaN,
        circleHops: circle?.hops ?? 0,
        circleSeconds: circle ? (timeMs - circle.startMs) / 1000 : NaN,
        payerNew: forward.payerNew,
        isNews,
      };
    },
    setCase,
    caseLevel: (account, atMs) => levelAt(account, atMs)?.level ?? NaN,
    gathered(account, hops, sinceMs, atMs) {
      const own = brought.filter((row) => row.account === account && row.timeMs <= atMs);
      const latestMs = Math.max(...own.map(({ timeMs }) => timeMs));
      const origins = own.filter(({ timeMs }) => timeMs === latestMs).map(({ origin }) => origin);
      const payers = (origin: number): number =>
        new Set(
          own
            .filter((row) => row.origin === origin && row.timeMs > sinceMs && (hops === 0 || row.hops === hops))
            .map(({ via }) => via),
        ).size;
      return Math.max(0, ...origins.map(payers));
    },
    sweep: () => {},
  };
}
