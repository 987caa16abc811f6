import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { dayMs } from '../domain/bank-day.js';
import { decodeEvents, type Event } from '../domain/event.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Log } from '../ports/log.js';
import type { State, StateEntry } from '../ports/state.js';
import { decodeJson } from './checkpoint.js';
import { ownedHeadKey } from './owned-slot.js';
import { createRegrouping, everyWarning, halves, isIn, TooMany, type Bucket, type Regrouping } from './verify-regroup.js';
import { eachRecord, endsOfTopics, placeOf, producerOf, readEvents, type VerifyProgress } from './verify-scan.js';
import { canonicalJson, createTally, type Finding, type Tally } from './verify-tally.js';
import { createToldBook, tellsLess, type ToldBook } from './verify-told.js';
import { warnSlot } from './warn-partition.js';

/**
 * Groups the hits of every partition once more and compares: the warnings in the state, and every revision told on `warnings`.
 * Warnings that would take too much memory together are grouped in shares.
 */
export interface VerifyWarningsOptions {
  readonly log: Log;
  readonly state: State;
  /** The one that the platform runs under: what was settled under another one differs. */
  readonly policy: WarningPolicy;
  /** Hits held at once. */
  readonly heldMax: number;
  /** Days without a change after which a warning leaves the state. */
  readonly keepDays: number;
  readonly nowMs: number;
  readonly progress: VerifyProgress;
}

interface Work extends VerifyWarningsOptions {
  readonly partition: number;
  /** Hits received before are gone from the log, revisions told before as well; -Infinity where none are. */
  readonly hitsSinceMs: number;
  readonly toldSinceMs: number;
}

const waits = 12;
const waitMs = 250;
const pageEntries = 500;
/** Warnings that are looked at again because they may have been changing. */
const suspectsMax = 5_000;

const headSchema = z.object({ id: z.string(), data: z.object({ hits: z.int().nullable() }) });
const storedSchema = z.object({ warning: z.looseObject({}).nullable(), facts: z.looseObject({}).nullable() });
const outboxSchema = z.array(z.object({ frame: z.base64() }));

export async function verifyWarnings(options: VerifyWarningsOptions): Promise<Finding[]> {
  const { log } = options;
  const findings: Finding[] = [];
  const strangers = await unknownTellers(log);
  const toldSinceMs = await firstKeptMs(log, 'warnings');
  for (let partition = 0; partition < log.partitions('hits'); partition++) {
    const work = { ...options, partition, toldSinceMs, hitsSinceMs: await firstKeptMs(log, 'hits', partition) };
    const stored = createTally('warnings', warnSlot(partition));
    const told = createTally('told', `warnings, by ${warnSlot(partition)}`);
    await verifyBucket(work, everyWarning, stored, told);
    findings.push(stored.finding(), told.finding());
  }
  return strangers.phantom > 0 ? [...findings, strangers] : findings;
}

async function verifyBucket(work: Work, bucket: Bucket, stored: Tally, told: Tally): Promise<void> {
  const { log, state, partition } = work;
  // First the ends, then the position: what is told below an end was decided below the position.
  const ends = await endsOfTopics(log, ['warnings']);
  const head = await readHead(state, partition);
  const next = head?.data.hits ?? 0;
  const book = createToldBook();
  const regrouping = createRegrouping({
    ...work,
    bucket,
    onRevision: (revision) => book.expect(revision),
    onRecord: (offset) => work.progress(`hits/${partition}: grouped again`, offset, next),
  });
  try {
    await regrouping.advance(next);
  } catch (error) {
    if (!(error instanceof TooMany)) throw error;
    for (const half of halves(bucket)) await verifyBucket(work, half, stored, told);
    return;
  }
  if (bucket.value === 0) {
    const { next: end } = await log.bounds('hits', partition);
    stored.pending(Math.max(0, end - next));
  }
  await verifyTold(work, bucket, book, ends, told);
  await verifyStored(work, bucket, regrouping, stored);
}

async function verifyTold(
  work: Work,
  bucket: Bucket,
  book: ToldBook,
  ends: ReadonlyMap<string, number>,
  tally: Tally,
): Promise<void> {
  const { log, partition, hitsSinceMs, toldSinceMs } = work;
  let from = new Map<string, number>();
  for (let i = 0; i <= waits; i++) {
    from = await look(from);
    if (book.unfound()[Symbol.iterator]().next().done) break;
    const isOutboxEmpty = (await outboxIds(work)).size === 0;
    if (isOutboxEmpty && i > 0) break;
    await sleep(waitMs);
  }
  const unsent = await outboxIds(work);
  for (const { id, revision, timeMs, hasOther } of book.unfound()) {
    if (hasOther) continue;
    if (unsent.has(`${id}#${revision}`)) tally.pending();
    else if (timeMs <= toldSinceMs) tally.incomparable();
    else tally.differs({ kind: 'missing', id: `${id}#${revision}`, at: 'warnings' });
  }

  async function look(begin: ReadonlyMap<string, number>): Promise<Map<string, number>> {
    const reached = new Map<string, number>();
    for (let at = 0; at < log.partitions('warnings'); at++) {
      const place = placeOf('warnings', at);
      const end = ends.get(place)!;
      const take = (value: Uint8Array, offset: number): void => {
        if (offset % 256 === 0) work.progress(`${place}: compared`, offset, end);
        if ((producerOf(value) ?? warnSlot(partition)) !== warnSlot(partition)) return;
        const { producer, events } = readEvents('warnings', at, offset, value);
        if (producer !== warnSlot(partition)) return;
        for (const event of events) if (isIn(bucket, event.subject)) compare(event, `${place}@${offset}`, offset < end);
      };
      reached.set(place, await eachRecord(log, 'warnings', at, { from: begin.get(place) }, take));
    }
    return reached;
  }

  function compare(event: Event, at: string, isOld: boolean): void {
    const id = nameOf(event);
    switch (book.find(event)) {
      case 'first':
        return tally.equal();
      case 'again':
        return tally.repeated();
      case 'other':
        return differs(event, { kind: 'different', id, at });
      case 'less':
        return tally.incomparable();
      case 'ahead':
        // Above the end it may have been told meanwhile.
        return isOld ? differs(event, { kind: 'phantom', id, at }) : undefined;
      case 'malformed':
        return tally.differs({ kind: 'phantom', id, at });
    }
  }

  function differs({ data }: Event, difference: Parameters<Tally['differs']>[0]): void {
    if (receivedMs(data) <= hitsSinceMs) tally.incomparable();
    else tally.differs(difference);
  }
}

async function verifyStored(work: Work, bucket: Bucket, regrouping: Regrouping, tally: Tally): Promise<void> {
  const { state, partition, hitsSinceMs, keepDays, nowMs } = work;
  const { warnings } = regrouping;
  const slot = warnSlot(partition);
  const seen = new Set<string>();
  let suspects: string[] = [];
  for (let after: string | undefined; ;) {
    const page: StateEntry[] = await state.scan(slot, {
      prefix: 'w/',
      limit: pageEntries,
      ...(after === undefined ? {} : { after }),
    });
    for (const { key, value } of page) {
      const id = key.slice('w/'.length);
      if (!isIn(bucket, id)) continue;
      seen.add(id);
      if (isAsGrouped(id, value)) tally.equal();
      else suspects.push(id);
    }
    after = page.at(-1)?.key;
    if (page.length < pageEntries) break;
  }
  for (const [id, { facts }] of warnings) if (facts && !seen.has(id)) suspects.push(id);

  // What differs may have been changing while it was read: once more, at a moment at which nothing was written.
  for (let i = 0; i < waits && suspects.length > 0 && suspects.length <= suspectsMax; i++) {
    const before = await readHead(state, partition);
    const values = await state.get(
      slot,
      suspects.map((id) => `w/${id}`),
    );
    const after = await readHead(state, partition);
    if (before?.id !== after?.id) {
      await sleep(waitMs / 10);
      continue;
    }
    await regrouping.advance(before?.data.hits ?? 0);
    for (const [i, id] of suspects.entries()) settle(id, values[i] ?? null);
    suspects = [];
  }
  if (suspects.length > suspectsMax) {
    for (const id of suspects) settle(id, (await state.get(slot, [`w/${id}`]))[0] ?? null);
  } else tally.pending(suspects.length);

  function isAsGrouped(id: string, value: Uint8Array | null): boolean {
    const entry = warnings.get(id);
    if (!value || !entry?.facts) return !value && !entry?.facts;
    const { warning, facts } = storedSchema.parse(decodeJson(value));
    return canonicalJson([warning, facts]) === canonicalJson([entry.warning, entry.facts]);
  }

  function settle(id: string, value: Uint8Array | null): void {
    if (isAsGrouped(id, value)) return tally.equal();
    const { facts, warning: expected } = warnings.get(id) ?? {};
    const difference = { id, at: `${slot} in the state` };
    if (!value) {
      // A warning leaves the state long after its last change.
      if (facts && Date.parse(facts.lastTime) < nowMs - keepDays * dayMs) return tally.incomparable();
      return tally.differs({ kind: 'missing', ...difference });
    }
    const { warning } = storedSchema.parse(decodeJson(value));
    if (receivedMs(warning) <= hitsSinceMs || tellsLess(warning, expected)) return tally.incomparable();
    tally.differs({ kind: facts ? 'different' : 'phantom', ...difference });
  }
}

async function readHead(state: State, partition: number): Promise<z.infer<typeof headSchema> | null> {
  const [value] = await state.get(warnSlot(partition), [ownedHeadKey]);
  return value ? headSchema.parse(decodeJson(value)) : null;
}

/** Revisions that are committed and may not be on the log yet. */
async function outboxIds({ state, partition }: Work): Promise<Set<string>> {
  const entries = await state.scan(warnSlot(partition), { prefix: 'outbox/', limit: 1_000 });
  const frames = entries.flatMap(({ value }) => outboxSchema.parse(decodeJson(value)));
  return new Set(frames.flatMap(({ frame }) => decodeEvents(Buffer.from(frame, 'base64')).events.map(nameOf)));
}

/** Frames on `warnings` by nobody who warns. */
async function unknownTellers(log: Log): Promise<Finding> {
  const known = new Set(Array.from({ length: log.partitions('hits') }, (_, partition) => warnSlot(partition)));
  const tally = createTally('told', 'warnings, other producers');
  for (let at = 0; at < log.partitions('warnings'); at++) {
    await eachRecord(log, 'warnings', at, {}, (value, offset) => {
      const producer = producerOf(value) ?? readEvents('warnings', at, offset, value).producer;
      if (!known.has(producer)) tally.differs({ kind: 'phantom', id: producer, at: `${placeOf('warnings', at)}@${offset}` });
    });
  }
  return tally.finding();
}

/** When the first kept record was written; -Infinity where nothing has left the log. Of all partitions, the latest. */
async function firstKeptMs(log: Log, topic: 'hits' | 'warnings', only?: number): Promise<number> {
  let sinceMs = -Infinity;
  for (let partition = only ?? 0; partition < (only === undefined ? log.partitions(topic) : only + 1); partition++) {
    const { first, next } = await log.bounds(topic, partition);
    if (first === 0) continue;
    if (first === next) return Infinity;
    const { records } = await log.read(topic, partition, first, { recordsMax: 1, bytesMax: 2 ** 26 });
    for (const { value, offset } of records) {
      const { timeMs, events } = readEvents(topic, partition, offset, value);
      sinceMs = Math.max(sinceMs, timeMs ?? Math.max(...events.map(({ time }) => Date.parse(time))));
    }
  }
  return sinceMs;
}

function receivedMs(warning: unknown): number {
  const { receivedAt } = (warning ?? {}) as { receivedAt?: unknown };
  return typeof receivedAt === 'string' ? Date.parse(receivedAt) : NaN;
}

function nameOf({ data, subject }: Event): string {
  return `${subject}#${String((data as { revision?: unknown } | null)?.revision)}`;
}
