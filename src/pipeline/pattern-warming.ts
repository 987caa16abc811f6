import { dayMs } from '../domain/bank-day.js';
import { readFrame, role } from '../domain/frame.js';
import type { Log, LogRecord } from '../ports/log.js';
import type { Pattern } from '../scoring/pattern.js';
import { scanTransaction } from '../scoring/reader.js';
import { TransactionView } from '../scoring/transaction-view.js';
import { parseWindow, type WorkingDays } from '../scoring/window.js';

/**
 * Whether what a pattern looks back on is there: the log is what the engine's state is made of, so a pattern is warming until
 * the kept transactions reach as far back as its longest look.
 */

/** Event times of the oldest and the newest transaction that the log keeps. */
export interface Reach {
  readonly oldestMs: number;
  readonly newestMs: number;
}

/** Lots are followed so long. */
const lotMemoryMs = 7 * dayMs;

/** The longest span that the pattern looks back over, in milliseconds; 0 where it looks at the transaction alone. */
export function lookBackMs(pattern: Pick<Pattern, 'when' | 'streams'>, workingDays: WorkingDays): number {
  const streams = Object.values(pattern.streams);
  const ofStreams = streams.map(({ of, when, within }) =>
    Math.max(
      of === 'lots' ? lotMemoryMs : of === 'day' ? dayMs : 0,
      longestWindow(`${when ?? ''} "${within ?? ''}"`, workingDays),
    ),
  );
  // A stream that looks back itself is looked back on: one span comes on top of the other.
  return longestWindow(pattern.when, workingDays) + Math.max(0, ...ofStreams);
}

/** Windows are the texts in quotes that read as one; `ever` has no end to wait for. */
function longestWindow(expression: string, workingDays: WorkingDays): number {
  const spans = [...expression.matchAll(/"([a-z0-9]{1,8})"|'([a-z0-9]{1,8})'/g)].map(([, double, single]) => {
    const window = parseWindow(double ?? single ?? '', workingDays);
    return 'problem' in window || window.spanMsMax === Infinity ? 0 : window.spanMsMax;
  });
  return Math.max(0, ...spans);
}

/** The event time from which on the pattern sees all that it looks back on; null where it does so already. */
export function warmingUntilMs(spanMs: number, reach: Reach | null, retentionMs: number): number | null {
  const span = Math.min(spanMs, retentionMs);
  if (span === 0) return null;
  if (!reach) return Infinity;
  const untilMs = reach.oldestMs + span;
  return untilMs > reach.newestMs ? untilMs : null;
}

/** Null for a log without transactions. */
export async function reachOf(log: Log): Promise<Reach | null> {
  let [oldestMs, newestMs] = [Infinity, -Infinity];
  for (let partition = 0; partition < log.partitions('transactions'); partition++) {
    const { first, next } = await log.bounds('transactions', partition);
    for (const step of first === next ? [] : ([1, -1] as const)) {
      for (const timeMs of await timesFrom(log, partition, { first, next, step })) {
        oldestMs = Math.min(oldestMs, timeMs);
        newestMs = Math.max(newestMs, timeMs);
      }
    }
  }
  return oldestMs === Infinity ? null : { oldestMs, newestMs };
}

/** Reference records and forwards may stand before the first transaction and behind the last; so many records are looked through. */
const recordsVisitedMax = 4_096;
const chunkMax = 256;

/** Times of the record with transactions that stands nearest to the beginning (step 1) or to the end (step -1) of the partition. */
async function timesFrom(
  log: Log,
  partition: number,
  { first, next, step }: { readonly first: number; readonly next: number; readonly step: 1 | -1 },
): Promise<number[]> {
  const most = Math.min(next - first, recordsVisitedMax);
  // Nearly always the very first record has some.
  for (let done = 0, chunk = 1; done < most; done += chunk, chunk = chunkMax) {
    const from = step === 1 ? first + done : Math.max(first, next - done - chunk);
    const to = step === 1 ? Math.min(next, from + chunk) : next - done;
    const found = (await recordsBetween(log, partition, from, to)).map(timesIn).filter((times) => times.length > 0);
    const nearest = step === 1 ? found[0] : found.at(-1);
    if (nearest) return nearest;
  }
  return [];
}

async function recordsBetween(log: Log, partition: number, from: number, to: number): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for (let at = from; at < to;) {
    const { records, next } = await log.read('transactions', partition, at, { recordsMax: to - at, bytesMax: 2 ** 26 });
    if (next <= at) break;
    all.push(...records.filter(({ offset }) => offset < to));
    at = next;
  }
  return all;
}

function timesIn({ value }: LogRecord): number[] {
  const view = new TransactionView();
  return [...readFrame(value)].flatMap(({ roles, start, end }) =>
    (roles & (role.debit | role.credit)) !== 0 && scanTransaction(value, start, end, view) ? [view.timeMs] : [],
  );
}

/** Data that a pattern needs and that was never sent, as a sentence; null where all was seen, or where it is not known what was. */
export function silenceOf(needs: readonly string[], seen: ReadonlySet<string> | null): string | null {
  const missing = seen ? needs.filter((need) => !seen.has(need)) : [];
  if (missing.length === 0) return null;
  return `silent: no ${missing.map(named).join(', ')} data was ever sent`;
}

function named(need: string): string {
  return need.startsWith('list:') ? `${need.slice('list:'.length)} list` : need;
}
