import { setTimeout as sleep } from 'node:timers/promises';
import type { Log, LogBatch, LogRecord, Membership, ReadLimit } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { createFailure } from './failure.js';
import { incomingHeadSchema, incomingSlot } from './incoming-slot.js';
import { IntakeBusy, type Intake } from './intake.js';
import { openOwnedSlot } from './owned-slot.js';

/**
 * Takes in what banks write to the topic `incoming` themselves: one JSON object a record, judged like a line of
 * `POST /v1/transactions`. What is refused stands under `rejected` and holds nothing up. The position moves after the records are
 * durable on `transactions`; what is read again after a kill is told apart by intake's claims.
 */
export interface IncomingOptions {
  readonly log: Log;
  readonly state: State;
  readonly intake: Pick<Intake, 'accept'>;
  readonly newId: () => string;
  readonly settings: {
    readonly limit: ReadLimit;
    /** The one bank that all records must be of, or `*`: each names its own, and the broker vouches for who may write. */
    readonly bank: string;
  };
}

/** Intake has too much in hand: tries again so often before the partition is given up for a while. */
const busyTries = 100;
const busyWaitMs = 50;

export function createIncoming({ log, state, intake, newId, settings }: IncomingOptions): Promise<Membership> {
  const options = { sender: 'bank' as const, ...(settings.bank === '*' ? {} : { bank: settings.bank }) };

  async function take({ records }: LogBatch): Promise<void> {
    const body = bodyOf(records);
    for (let tries = 1; ; tries++) {
      try {
        await intake.accept(body, options);
        return;
      } catch (error) {
        if (!(error instanceof IntakeBusy) || tries >= busyTries) throw error;
        await sleep(busyWaitMs);
      }
    }
  }

  return log.join('incoming', 'incoming', async (partition) => {
    const { failed, fail } = createFailure();
    const slot = await openOwnedSlot({
      log,
      state,
      newId,
      slot: incomingSlot(partition),
      head: incomingHeadSchema,
      initial: { next: null },
      onLost: fail,
    });
    return {
      failed,
      start: slot.head.next ?? 'earliest',
      limit: settings.limit,
      process: async (batch) => {
        await take(batch);
        await slot.commit({ head: { next: batch.next } });
      },
      close: () => slot.close(),
    };
  });
}

const newline = 0x0a;
const space = 0x20;
/** No JSON object: refused, and visible. */
const nothing = Buffer.from('null');

/** A line a record. Line ends in a record stand between the parts of its JSON: inside of a string JSON allows none. */
function bodyOf(records: readonly LogRecord[]): Uint8Array {
  const values = records.map(({ value }) => (isBlank(value) ? nothing : value));
  const body = Buffer.alloc(values.reduce((sum, value) => sum + value.length + 1, 0));
  let at = 0;
  for (const value of values) {
    body.set(value, at);
    for (let i = body.indexOf(newline, at); i >= 0 && i < at + value.length; i = body.indexOf(newline, i)) body[i] = space;
    at += value.length;
    body[at++] = newline;
  }
  return body;
}

function isBlank(value: Uint8Array): boolean {
  return value.every((byte) => byte === space || byte === newline || byte === 0x0d || byte === 0x09);
}
