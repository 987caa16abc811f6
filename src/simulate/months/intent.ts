import type { Device } from '../devices.js';
import type { Channel } from '../payment.js';
import type { Population } from '../population.js';
import type { Random } from '../random.js';
import { type CalendarDate, type Hours, instantOf } from './almanac.js';

/** A payment that somebody means to make; whether and how much of it is made depends on his balance at the time. */
export interface Intent {
  readonly timeMs: number;
  readonly payer: number;
  readonly payee: number;
  /** A function where it follows from what came in before. */
  readonly wantFen: number | (() => number);
  readonly remark: string;
  readonly channel: Channel;
  /** Of what the payer can spend, the most that may go. */
  readonly share: number;
  /** All or nothing. */
  readonly isWhole?: boolean;
  /** Salaries and dues are paid also from what is kept for bad days. */
  readonly isDuty?: boolean;
  readonly device?: Device;
  readonly operator?: string;
  readonly onPaid?: (amountFen: number) => void;
}

/** A day that is being planned. */
export interface Page {
  readonly population: Population;
  /** Enterprises that a scheme robs: they make no unusual payment of their own. */
  readonly victims: ReadonlySet<number>;
  readonly random: Random;
  readonly day: number;
  readonly isWorkingDay: boolean;
  /** The day itself, or the first working day after it. */
  readonly workingDayFrom: (day: number) => number;
  /** Days whose dues are paid on this day. */
  readonly due: readonly CalendarDate[];
  /** Before the first day: not everything that comes round is shown. */
  readonly isHistory: boolean;
  /** Months (of 31 days, which hold every date up to the 28th) from a day to the first day, 1 …. */
  readonly monthsBack: (day: number) => number;
  /** Whether a pair of an enterprise and a regular supplier has paid before; it has from now on. */
  readonly isKnownPair: (pair: number) => boolean;
  readonly add: (intent: Intent) => void;
  /** For another day; past the last one it is dropped. */
  readonly later: (day: number, intent: Intent) => void;
}

export const at = ({ day, random }: Page, hours: Hours = 'office'): number => instantOf(day, hours, random);

/** Two in five amounts are whole hundreds of yuan. */
export function tidyFen(random: Random, wantFen: number): number {
  return random.chance(0.4) ? Math.max(10_000, Math.floor(wantFen / 10_000) * 10_000) : Math.max(500, Math.floor(wantFen));
}

/** An enterprise keeps half of what it can spend; of a first payment to a new payee, four fifths. */
export const keptShare = 0.5;
export const newPayeeShare = 0.2;
/** A first order stays below the sums at which a payment to a stranger is suspicious. */
export const firstOrderMaxFen = 9_000_000;
