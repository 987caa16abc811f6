import { setImmediate as nextTurn } from 'node:timers/promises';
import { dayNumber, formatDay } from '../domain/bank-day.js';
import { frameFlag } from '../domain/frame.js';
import { partitionOf } from '../domain/partition.js';
import { firstCounts } from '../domain/refusal.js';
import type { RejectReason } from '../domain/transaction-record.js';
import type { Log, OutgoingRecord } from '../ports/log.js';
import type { State } from '../ports/state.js';
import { createBodyReader, sliceLines, type AboutBody, type BodyReader, type ReadBody } from './body-reader.js';
import { createBufferPool } from './buffer-pool.js';
import { createClaims, formatContent, type ClaimAnswer } from './claims.js';
import type { Candidate, Line, LineReaderOptions, Refusal } from './intake-lines.js';
import type { FrameViews } from './frame-views.js';
import type { IntakePace } from './intake-pace.js';
import { createFrameWriter, type FrameWriter } from './intake-frames.js';
import { framesOf, recordsOf } from './partitioning.js';
import { rawText, rejectedEvent } from './rejections.js';

/**
 * The border: a bank's NDJSON comes in, each line is taken or refused for itself, and the answer is given after all that was
 * taken is durable on the log. A record that comes again is told as such and not put on the log twice.
 */
export interface Intake {
  /**
   * Takes one body of NDJSON: transactions and reference records, or `only` the latter. `bank` is the bank that the caller's key
   * is bound to, if any.
   * One result for each line that is not blank, in order; lines count from 1, blank ones included.
   * Throws `BodyTooLong` for too many lines, `IntakeBusy` (retriable) when too much is in hand, and the log's and the store's
   * faults: then nothing was answered, and the same body may be sent again.
   */
  accept(body: Uint8Array, options?: AcceptOptions): Promise<readonly LineResult[]>;
  /** Removes claims older than the setting says; bounded work, to be called now and then. Resolves with how many went. */
  sweepClaims(): Promise<number>;
  /** Bodies that are being taken. */
  inHand(): number;
  /** Resolves when nothing is in hand any more. */
  settled(): Promise<void>;
  /** The same, and nothing may be handed in afterwards. */
  close(): Promise<void>;
}

interface AcceptOptions {
  readonly bank?: string | undefined;
  /** Whose key it is. A bank tells what concerns its own accounts only. Left out for what this process sends itself. */
  readonly sender?: 'bank' | 'centre' | undefined;
  readonly only?: 'references' | undefined;
}

export interface LineResult {
  readonly line: number;
  readonly id?: string;
  readonly status: 'accepted' | 'duplicate' | 'rejected' | 'conflict';
  readonly reason?: RejectReason;
  readonly field?: string;
  readonly message?: string;
}

export interface IntakeSettings {
  /** How far in the future an event time may lie. */
  readonly futureMsMax: number;
  readonly linesMax: number;
  readonly bodiesInHandMax: number;
  readonly bytesInHandMax: number;
  /** Slots over which claims are spread; never change it on a store in use. */
  readonly claimSlots: number;
  /** For how many days a repetition is recognised at the border; what may be older goes to the log, flagged, and the scorer looks. */
  readonly claimDays: number;
  /** The same for the youngest so many transactions: they are held in memory, about 40 bytes each. */
  readonly claimsMax: number;
}

const intakeDefaults: IntakeSettings = {
  futureMsMax: 120_000,
  linesMax: 50_000,
  bodiesInHandMax: 64,
  bytesInHandMax: 128 * 2 ** 20,
  claimSlots: 8,
  claimDays: 35,
  claimsMax: 12_000_000,
};

interface IntakeTelemetry {
  transactionsAccepted(count: number, bank: string | undefined): void;
  transactionsDuplicate(count: number): void;
  referencesAccepted(count: number): void;
  referencesDuplicate(count: number): void;
  transactionRejected(reason: string, count?: number): void;
  bodyAnswered(fact: { lines: number; bytes: number; durationMs: number }): void;
  intakeBusy(reason: string): void;
  /** A body waited for this process's scorer. */
  intakeWaited(durationMs: number): void;
}

export interface IntakeOptions {
  readonly log: Log;
  readonly state: State;
  readonly clock: { now(): number };
  /** Gives ids that no other process gives: a random UUID. */
  readonly newId: () => string;
  readonly settings?: Partial<IntakeSettings>;
  readonly telemetry?: IntakeTelemetry;
  /** Who reads bodies; left out, this thread does. */
  readonly openReader?: (options: LineReaderOptions) => BodyReader;
  /** Where this process's scorer looks for what was read here. */
  readonly frameViews?: FrameViews;
  /** Where intake waits for this process's scorer; left out, it never does. */
  readonly room?: IntakePace['room'] | undefined;
}

export class IntakeBusy extends Error {
  readonly retriable = true;
  constructor(what: string) {
    super(`${what}; wait a moment and send the body again`);
    this.name = 'IntakeBusy';
  }
}

export class BodyTooLong extends Error {
  readonly retriable = false;
  constructor(lines: number, linesMax: number) {
    super(`the body has ${lines} lines; send at most ${linesMax} at a time`);
    this.name = 'BodyTooLong';
  }
}

/** Bytes of frames' buffers that lie ready for the next bodies. */
const frameBytesReady = 32 * 2 ** 20;

/** One body on its way. */
interface Body extends AboutBody, ReadBody {
  readonly candidates: readonly Candidate[];
}

export function createIntake(options: IntakeOptions): Intake {
  const { log, state, clock, newId, settings: overrides, telemetry, openReader = createBodyReader, frameViews, room } = options;
  const settings = { ...intakeDefaults, ...overrides };
  const claims = createClaims({ ...settings, state, slots: settings.claimSlots, newId });
  let opening: Promise<BodyReader> | null = null;
  const instance = newId().replaceAll('-', '').slice(0, 12);
  /** By attempt: resolves when it is done. */
  const bodiesInHand = new Map<string, Promise<void>>();
  const pool = createBufferPool(frameBytesReady);
  const background = new Set<Promise<void>>();
  let bytesInHand = 0;
  let attempts = 0;

  async function accept(input: Uint8Array, { bank, sender, only }: AcceptOptions = {}): Promise<LineResult[]> {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
    admit(bytes);
    const { promise: done, resolve: release } = deferred();
    const attempt = `${instance}${(attempts++).toString(36)}`;
    const isBank = sender === 'bank' || bank !== undefined;
    const about: AboutBody = { attempt, bank, isBank, only, receivedAtMs: clock.now() };
    bodiesInHand.set(attempt, done);
    bytesInHand += bytes.length;
    try {
      const reader = await open();
      const read = await reader.read(bytes, about);
      const body: Body = { ...about, ...read, candidates: read.lines.filter((line) => line.kind === 'candidate') };
      const giveBack = await roomFor(body);
      try {
        await put(body, giveBack);
      } finally {
        giveBack();
      }
      return report(body, bytes.length);
    } finally {
      bodiesInHand.delete(attempt);
      bytesInHand -= bytes.length;
      release();
    }
  }

  async function open(): Promise<BodyReader> {
    opening ??= claims.hashKey().then((hashKey) =>
      openReader({
        partitions: log.partitions('transactions'),
        futureMsMax: settings.futureMsMax,
        hashKey,
        keepsViews: frameViews !== undefined,
      }),
    );
    try {
      return await opening;
    } catch (error) {
      opening = null;
      throw error;
    }
  }

  function admit(bytes: Buffer): void {
    const lines = countLines(bytes, settings.linesMax);
    if (lines > settings.linesMax) throw new BodyTooLong(lines, settings.linesMax);
    const bodies = bodiesInHand.size;
    const isBusy = bodies >= settings.bodiesInHandMax || (bodies > 0 && bytesInHand + bytes.length > settings.bytesInHandMax);
    if (!isBusy) return;
    telemetry?.intakeBusy(bodies >= settings.bodiesInHandMax ? 'bodies' : 'bytes');
    throw new IntakeBusy(`${bodies} bodies of ${bytesInHand} bytes are in hand`);
  }

  /** Waits where scoring is far behind. Reference records take room as payments do. */
  async function roomFor({ candidates }: Body): Promise<() => void> {
    if (!room || candidates.length === 0) return () => undefined;
    const startedAtMs = clock.now();
    const giveBack = await room(2 * candidates.length);
    const waitedMs = clock.now() - startedAtMs;
    if (waitedMs > 0) telemetry?.intakeWaited(waitedMs);
    return giveBack;
  }

  /** Claims what is new and brings it to the log; `onFrames` once the frames are made. */
  async function put(body: Body, onFrames: () => void): Promise<void> {
    const { attempt, candidates, receivedAtMs, views } = body;
    const known = views && frameViews ? { name: attempt, table: views, frameViews } : undefined;
    const frames = createFrameWriter(log.partitions('transactions'), receivedAtMs, pool, known);
    try {
      if (claims.record) {
        await claims.record(attempt, candidates, receivedAtMs, (answers) => recordsFor(body, answers, frames, onFrames));
        return frames.release();
      }
      const answers = await claims.claim(attempt, candidates, receivedAtMs);
      const records = await recordsFor(body, answers, frames, onFrames);
      if (records.length > 0) await log.append(records);
      frames.release();
      finishLater(attempt);
    } catch (error) {
      frames.forget();
      if (!claims.record) claims.abandon(attempt);
      throw error;
    }
  }

  async function recordsFor(
    body: Body,
    answers: readonly ClaimAnswer[],
    frames: FrameWriter,
    onFrames: () => void,
  ): Promise<OutgoingRecord[]> {
    // Asked again, with other answers, nothing of the first ones is on the log.
    frames.forget();
    for (const [i, candidate] of body.candidates.entries()) {
      const answer = answers[i]!;
      candidate.outcome = undefined;
      if (answer.kind === 'new') frames.add(candidate, 0);
      else if (answer.kind === 'again') frames.add(candidate, frameFlag.maybeResent);
      else if (answer.kind === 'duplicate') candidate.outcome = { kind: 'duplicate' };
      else candidate.outcome = conflictOf(answer);
      if (i % sliceLines === sliceLines - 1) await nextTurn();
    }
    const finished = frames.finish();
    onFrames();
    return [...finished, ...rejectedRecords(body)];
  }

  function rejectedRecords(body: Body): OutgoingRecord[] {
    const partitions = log.partitions('rejected');
    const events = [];
    for (const line of body.lines) {
      const refusal = refusalOf(line);
      if (!refusal) continue;
      const bank = line.bank !== '' ? line.bank : (body.bank ?? '');
      const { reason, field, message } = refusal;
      const event = rejectedEvent(
        {
          bank,
          line: line.number,
          reason,
          field,
          message,
          ...(line.id === undefined ? {} : { id: line.id }),
          raw: rawText(line.bytes, line.start, line.end),
          ...conflictFacts(line),
        },
        'huqi/intake',
        body.receivedAtMs,
      );
      events.push({ partition: partitionOf(bank, partitions), event });
    }
    // Each body is a producer of its own: bodies may reach the log in another order than they came in.
    return recordsOf(framesOf({ topic: 'rejected', producer: `intake/${body.attempt}`, sequence: 0, events }));
  }

  /** The answer does not wait for this: without it a repetition goes to the log once more, flagged. */
  function finishLater(attempt: string): void {
    const task = claims
      .finish(attempt)
      .catch(() => undefined)
      .finally(() => background.delete(task));
    background.add(task);
  }

  function report(body: Body, bytes: number): LineResult[] {
    const counts = new Map<string, number>();
    const acceptedBy = new Map<string, number>();
    let duplicates = 0;
    const references = { accepted: 0, duplicate: 0 };
    const results = body.lines.map((line): LineResult => {
      const result = resultOf(line);
      const { status, reason = 'conflict' } = result;
      if (status === 'rejected' || status === 'conflict') counts.set(reason, (counts.get(reason) ?? 0) + 1);
      else if (line.kind === 'candidate' && line.partitions) references[status]++;
      else if (status === 'duplicate') duplicates++;
      else acceptedBy.set(line.bank, (acceptedBy.get(line.bank) ?? 0) + 1);
      return result;
    });
    for (const [bank, count] of acceptedBy) telemetry?.transactionsAccepted(count, bank || undefined);
    if (duplicates > 0) telemetry?.transactionsDuplicate(duplicates);
    if (references.accepted > 0) telemetry?.referencesAccepted(references.accepted);
    if (references.duplicate > 0) telemetry?.referencesDuplicate(references.duplicate);
    for (const [reason, count] of counts) telemetry?.transactionRejected(reason, count);
    telemetry?.bodyAnswered({ lines: results.length, bytes, durationMs: clock.now() - body.receivedAtMs });
    return results;
  }

  async function settled(): Promise<void> {
    while (background.size > 0 || bodiesInHand.size > 0) await Promise.all([...background, ...bodiesInHand.values()]);
  }

  return {
    accept,
    sweepClaims: () => claims.sweep(dayNumber(clock.now()) - settings.claimDays),
    inHand: () => bodiesInHand.size,
    settled,
    close: async () => {
      await settled();
      const reader = await opening?.catch(() => null);
      await reader?.close();
    },
  };
}

function conflictOf({ earlierContent, earlierDay }: Extract<ClaimAnswer, { kind: 'conflict' }>): Candidate['outcome'] {
  return { kind: 'conflict', earlierContent, earlierDay: earlierDay === undefined ? undefined : formatDay(earlierDay) };
}

function resultOf(line: Line): LineResult {
  if (line.kind === 'candidate' && line.outcome?.kind !== 'conflict') {
    return { line: line.number, id: line.id, status: line.outcome ? 'duplicate' : 'accepted' };
  }
  const { reason, field, message } = line.kind === 'refused' ? line.refusal : conflictRefusal(line);
  const id = line.id === undefined ? {} : { id: line.id };
  return { line: line.number, ...id, status: reason === 'conflict' ? 'conflict' : 'rejected', reason, field, message };
}

function refusalOf(line: Line): Refusal | null {
  if (line.kind === 'refused') return line.refusal;
  return line.outcome?.kind === 'conflict' ? conflictRefusal(line) : null;
}

function conflictRefusal({ outcome }: Candidate): Refusal {
  const day = outcome?.kind === 'conflict' ? outcome.earlierDay : undefined;
  const since = day === undefined ? 'earlier in this body' : `on ${day}`;
  return {
    reason: 'conflict',
    field: 'id',
    message: `this id was used ${since} for a record that says something else; ${firstCounts}`,
  };
}

function conflictFacts(line: Line): { content?: string; earlierContent?: string; earlierDay?: string } {
  if (line.kind !== 'candidate' || line.outcome?.kind !== 'conflict') return {};
  const { earlierContent, earlierDay } = line.outcome;
  return { content: formatContent(line), earlierContent, ...(earlierDay === undefined ? {} : { earlierDay }) };
}

function countLines(bytes: Buffer, most: number): number {
  let lines = 0;
  for (let at = 0; at < bytes.length && lines <= most; lines++) {
    const newline = bytes.indexOf(0x0a, at);
    if (newline === -1) return lines + 1;
    at = newline + 1;
  }
  return lines;
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
