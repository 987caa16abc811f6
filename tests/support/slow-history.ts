import { dayNumber, startOfDayMs } from '../../src/domain/bank-day.js';
import type { WorkingDays } from '../../src/scoring/window.js';

/** The slow, obvious twin of the engine's history: keeps everything and looks through all of it for every question. */

export interface SlowTransaction {
  readonly id: string;
  readonly timeMs: number;
  readonly amountFen: number;
  readonly payer: string;
  readonly payee: string;
  readonly payerBalanceFen?: number;
  readonly payeeBalanceFen?: number;
  readonly province: Readonly<Record<string, number>>;
}

interface SlowLeg {
  readonly timeMs: number;
  readonly amountFen: number;
  readonly other: string;
  readonly province: number;
  readonly streams: Set<string>;
  readonly isReal: boolean;
}

interface Lot {
  readonly timeMs: number;
  readonly amountFen: number;
  readonly other: string;
  leftFen: number;
  counted: boolean;
}

interface SlowSubject {
  readonly legs: SlowLeg[];
  readonly lots: Lot[];
  clockMs: number;
  day: number;
  dayDebitFen: number;
  dayCreditFen: number;
  balanceFen: number | undefined;
}

export const bigFen = 50_000;
export const dayBigFen = 120_000;

export function createSlowHistory(workingDays: WorkingDays) {
  const subjects = new Map<string, SlowSubject>();

  function inside(window: string, clockMs: number): (leg: SlowLeg) => boolean {
    const today = dayNumber(clockMs);
    const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    if (window === 'ever') return () => true;
    // Base streams beyond 31 days go by whole days.
    if (window === '40d by day') return (leg) => dayNumber(leg.timeMs) > today - 40;
    if (window === 'day') return (leg) => leg.timeMs >= startOfDayMs(today);
    if (window === '3days') return (leg) => leg.timeMs >= startOfDayMs(today - 2);
    if (window.endsWith('wd')) {
      const from = startOfDayMs(workingDays.workingWindowStart(today, Number(window.slice(0, -2))));
      return (leg) => leg.timeMs >= from;
    }
    const spanMs = Number(window.slice(0, -1)) * units[window.slice(-1) as keyof typeof units];
    return (leg) => leg.timeMs > clockMs - spanMs;
  }

  /** Adds one leg and returns a reader of its features. */
  function add(transaction: SlowTransaction, isDebit: boolean) {
    const self = isDebit ? transaction.payer : transaction.payee;
    const other = isDebit ? transaction.payee : transaction.payer;
    const balanceFen = isDebit ? transaction.payerBalanceFen : transaction.payeeBalanceFen;
    const subject: SlowSubject = subjects.get(self) ?? {
      legs: [],
      lots: [],
      clockMs: -Infinity,
      day: -1,
      dayDebitFen: 0,
      dayCreditFen: 0,
      balanceFen: undefined,
    };
    subjects.set(self, subject);
    const { timeMs, amountFen } = transaction;
    const previousMs = subject.clockMs;
    const isLate = timeMs < previousMs;
    const clockMs = Math.max(previousMs, timeMs);
    const side = isDebit ? 'debit' : 'credit';
    const earlier = subject.legs.filter((leg) => leg.isReal && leg.other === other);
    const lastMs = (stream: string) =>
      Math.max(-Infinity, ...earlier.filter((leg) => leg.streams.has(stream)).map((leg) => leg.timeMs));

    const today = dayNumber(clockMs);
    if (today > subject.day) {
      if (subject.day >= 0 && subject.dayDebitFen + subject.dayCreditFen >= dayBigFen) {
        subject.legs.push({
          timeMs: startOfDayMs(subject.day + 1) - 1,
          amountFen: subject.dayDebitFen + subject.dayCreditFen,
          other: '',
          province: 0,
          streams: new Set(['dayBig']),
          isReal: false,
        });
      }
      subject.day = today;
      subject.dayDebitFen = 0;
      subject.dayCreditFen = 0;
    }
    if (dayNumber(timeMs) === subject.day) {
      if (isDebit) subject.dayDebitFen += amountFen;
      else subject.dayCreditFen += amountFen;
    }

    const streams = new Set(['any', side]);
    if (isDebit && amountFen >= bigFen) streams.add('big');
    const leg: SlowLeg = { timeMs, amountFen, other, province: transaction.province[other] ?? 0, streams, isReal: true };
    subject.legs.push(leg);
    subject.clockMs = clockMs;
    for (const lot of subject.lots) if (lot.timeMs <= clockMs - 7 * 86_400_000) lot.leftFen = 0;
    if (isDebit) spend(subject, timeMs, amountFen, balanceFen);
    else queue(subject, { timeMs, amountFen, other, leftFen: amountFen, counted: false }, isLate);
    const thirtyDays = 30 * 86_400_000;
    if (Math.max(lastMs('debit'), lastMs('credit')) <= timeMs - thirtyDays) streams.add('first');

    const legsOf = (stream: string, window: string) =>
      subject.legs.filter((one) => one.streams.has(stream)).filter(inside(window, clockMs));
    const amounts = (stream: string, window: string) => legsOf(stream, window).map((one) => one.amountFen);
    return {
      count: (stream: string, window: string) => legsOf(stream, window).length,
      sum: (stream: string, window: string) => amounts(stream, window).reduce((a, b) => a + b, 0),
      distinct: (stream: string, window: string) => new Set(legsOf(stream, window).map((one) => one.other)).size,
      max: (stream: string, window: string) =>
        amounts(stream, window).length ? Math.max(...amounts(stream, window)) : 'unknown',
      min: (stream: string, window: string) =>
        amounts(stream, window).length ? Math.min(...amounts(stream, window)) : 'unknown',
      provinces: (stream: string, window: string) =>
        new Set(
          legsOf(stream, window)
            .map((one) => one.province)
            .filter((p) => p > 0),
        ).size,
      hours: (stream: string, window: string) =>
        new Set(legsOf(stream, window).map((one) => Math.floor(one.timeMs / 3_600_000))).size,
      days: (stream: string, window: string) => new Set(legsOf(stream, window).map((one) => dayNumber(one.timeMs))).size,
      pairCount: (stream: string, window: string) =>
        legsOf(stream, window).filter((one) => one.isReal && one.other === other).length,
      matched: (stream: string, window: string, tolerance: number) =>
        legsOf(stream, window).some(
          (one) =>
            one !== leg && one.isReal && one.other === other && Math.abs(one.amountFen - amountFen) <= amountFen * tolerance,
        ),
      newPayee: (days: number) => lastMs('debit') <= timeMs - days * 86_400_000,
      newPayer: (days: number) => lastMs('credit') <= timeMs - days * 86_400_000,
      places: (stream: string, window: string, of: (province: number) => number) =>
        new Set(
          legsOf(stream, window)
            .filter((one) => one.province > 0)
            .map((one) => of(one.province)),
        ).size,
      months: (stream: string, window: string) =>
        new Set(legsOf(stream, window).map((one) => new Date(one.timeMs + 8 * 3_600_000).toISOString().slice(0, 7))).size,
      similar: (stream: string, window: string, tolerance: number, ofPair: boolean) =>
        legsOf(stream, window).filter(
          (one) =>
            (!ofPair || (one.isReal && one.other === other)) && Math.abs(one.amountFen - amountFen) <= amountFen * tolerance,
        ).length,
      cv: (stream: string, window: string) => {
        const values = amounts(stream, window);
        if (values.length < 2) return 'unknown';
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
        return Math.round((deviation / mean) * 1000) / 1000;
      },
      modeCount: (stream: string, window: string) => {
        const values = amounts(stream, window);
        return Math.max(0, ...values.map((value) => values.filter((each) => each === value).length));
      },
      pairSum: (stream: string, window: string) =>
        legsOf(stream, window)
          .filter((one) => one.isReal && one.other === other)
          .reduce((sum, one) => sum + one.amountFen, 0),
      repeated: (stream: string, hours: number, window: string) => {
        const found = legsOf(stream, window).filter((one) => one.other !== '');
        return new Set(
          found
            .filter((one) => found.some((each) => each.other === one.other && each.timeMs - one.timeMs >= hours * 3_600_000))
            .map((one) => one.other),
        ).size;
      },
      recentRound: (most: number) => {
        // Of one instant the one that came last is the latest.
        const latest = subject.legs
          .filter((one) => one.isReal)
          .toReversed()
          .toSorted((a, b) => b.timeMs - a.timeMs);
        return latest.length < most ? 'unknown' : latest.slice(0, most).filter((one) => one.amountFen % 100_000 === 0).length;
      },
      paidBefore: () => earlier.filter((one) => one.streams.has('debit')).length,
      receivedBefore: () => earlier.filter((one) => one.streams.has('credit')).length,
      gap: (stream: string) => (lastMs(stream) === -Infinity ? 'unknown' : (timeMs - lastMs(stream)) / 1000),
      isDebit,
      now: (stream: string) => streams.has(stream),
      since: (stream: string) => {
        const latestMs = Math.max(
          -Infinity,
          ...subject.legs.filter((one) => one !== leg && one.streams.has(stream)).map((one) => one.timeMs),
        );
        return latestMs === -Infinity ? 'unknown' : (timeMs - latestMs) / 1000;
      },
      idle: (days: number) => previousMs > -Infinity && previousMs <= timeMs - days * 86_400_000,
    };
  }

  function queue(subject: SlowSubject, lot: Lot, isLate: boolean): void {
    const head = subject.lots.find((open) => open.leftFen > 0);
    if (head ? lot.timeMs < head.timeMs : isLate) return;
    const after = subject.lots.findLastIndex((other) => other.timeMs <= lot.timeMs);
    subject.lots.splice(after + 1, 0, lot);
  }

  function spend(subject: SlowSubject, timeMs: number, amountFen: number, balanceFen: number | undefined): void {
    const open = subject.lots.filter((lot) => lot.leftFen > 0);
    const lotsFen = open.reduce((sum, lot) => sum + lot.leftFen, 0);
    let left = amountFen;
    if (balanceFen !== undefined) left -= Math.min(left, Math.max(0, balanceFen + amountFen - lotsFen));
    for (const lot of open) {
      if (left <= 0) return;
      const taken = Math.min(left, lot.leftFen);
      lot.leftFen -= taken;
      left -= taken;
      const dwellMs = timeMs - lot.timeMs;
      if (!lot.counted && lot.amountFen - lot.leftFen >= 0.9 * lot.amountFen) {
        lot.counted = true;
        if (dwellMs >= 0 && dwellMs <= 30 * 60_000) {
          subject.legs.push({
            timeMs,
            amountFen: lot.amountFen,
            other: lot.other,
            province: 0,
            streams: new Set(['passed']),
            isReal: false,
          });
        }
      }
    }
  }

  return { add };
}
