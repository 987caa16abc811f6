import { setTimeout as sleep } from 'node:timers/promises';
import { dayNumber } from '../../src/domain/bank-day.js';
import { simulateBankDay } from '../../src/simulate/bank-day.js';

/** What the bank knows at the end: the only input of the auditor. */
export interface Bank {
  /** Lines that the platform has answered `accepted` or `duplicate`, in the order in which they were sent. */
  readonly accepted: readonly string[];
  readonly counts: Readonly<{ bodies: number; resent: number; duplicates: number; rejected: number }>;
  /** Reasons of lines that were refused: there should be none. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Epoch milliseconds of the latest answer; 0 before the first. */
  readonly answeredAtMs: number;
  /** Sends at its rate until it is stopped or has no more; what was not answered is sent again until it is. */
  run(stop: AbortSignal): Promise<void>;
}

export interface BankOptions {
  readonly url: string;
  readonly key: string;
  readonly seed: number;
  /** Transactions a second; after a time without answers it catches up, body by body. */
  readonly rate: number;
  readonly transactions: number;
}

const linesPerBodyMax = 500;
const answerMsMax = 30_000;
const resendMs = 250;
/** Bodies that are never answered are a result as well. */
const givesUpAfterMs = 600_000;
const firstDay = dayNumber(Date.parse('2026-07-01T00:00:00+08:00'));

export function createBank({ url, key, seed, rate, transactions }: BankOptions): Bank {
  const accepted: string[] = [];
  const refusals = new Map<string, number>();
  const counts = { bodies: 0, resent: 0, duplicates: 0, rejected: 0 };
  let answeredAtMs = 0;

  /** One body, until it is answered. It is never given up by a stop: who does not know whether it counts must ask. */
  async function send(lines: readonly string[]): Promise<void> {
    const startedMs = Date.now();
    counts.bodies++;
    for (let attempt = 1; ; attempt++) {
      const answer = await post(lines.join('\n')).catch(() => null);
      if (answer !== null) {
        answeredAtMs = Date.now();
        return note(lines, answer);
      }
      if (Date.now() - startedMs > givesUpAfterMs) throw new Error(`a body was not answered within ${givesUpAfterMs} ms`);
      counts.resent++;
      await sleep(resendMs);
    }
  }

  async function post(body: string): Promise<readonly Answer[]> {
    const response = await fetch(`${url}/v1/transactions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
      body,
      signal: AbortSignal.timeout(answerMsMax),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`the platform answered ${response.status}`);
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer);
  }

  function note(lines: readonly string[], answers: readonly Answer[]): void {
    if (answers.length !== lines.length) throw new Error(`${lines.length} lines were sent and ${answers.length} answered`);
    for (const [i, { status, reason = 'none' }] of answers.entries()) {
      if (status === 'rejected') {
        counts.rejected++;
        refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
        continue;
      }
      if (status === 'duplicate') counts.duplicates++;
      accepted.push(lines[i]!);
    }
  }

  return {
    accepted,
    counts,
    refusals,
    get answeredAtMs() {
      return answeredAtMs;
    },
    async run(stop) {
      const accounts = Math.max(2_000, Math.round(transactions / 8));
      const source = simulateBankDay({ accounts, transactions, seed, day: firstDay });
      const startedMs = Date.now();
      let sent = 0;
      while (!stop.aborted) {
        const due = Math.floor(((Date.now() - startedMs) / 1_000) * rate) - sent;
        if (due <= 0) {
          await sleep(20);
          continue;
        }
        const lines = take(source, Math.min(due, linesPerBodyMax));
        if (lines.length === 0) return;
        await send(lines);
        sent += lines.length;
      }
    },
  };
}

interface Answer {
  readonly status: 'accepted' | 'duplicate' | 'rejected';
  readonly reason?: string;
}

function take(source: Iterator<{ readonly json: Uint8Array }>, most: number): string[] {
  const lines: string[] = [];
  while (lines.length < most) {
    const { value, done } = source.next();
    if (done) break;
    lines.push(Buffer.from(value.json).toString('utf8'));
  }
  return lines;
}
