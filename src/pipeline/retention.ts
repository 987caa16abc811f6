import { z } from 'zod';
import { topics, type Log, type Topic } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { decodeJson, encodeJson } from './checkpoint.js';
import { neededFrom } from './positions.js';

/**
 * Old records leave the log. What is not archived, or still to be scored, warned of, dispatched or taken in, is never trimmed: how
 * far that has come is read from the state, so that any process may do it and several may at once. To know how old a record is, the end of
 * every partition is noted from time to time with the hour; all below a note is at least as old as the note.
 */
export interface Retention {
  stop(): Promise<void>;
}

export interface RetentionOptions {
  readonly log: Log;
  readonly state: State;
  readonly settings: {
    readonly retentionMs: number;
    /** Of `incoming`. */
    readonly incomingRetentionMs: number;
    readonly trimEveryMs: number;
  };
  readonly clock: { now(): number };
  readonly telemetry: Pick<Telemetry, 'retentionFailed'>;
}

const slot = 'retention';
const notesKey = 'notes';
/** Notes kept at most of the longer retention; the age of a record is known to within a two-hundredth of it. */
const notesMax = 200;
const notesSchema = z.array(z.object({ atMs: z.number(), ends: z.record(z.string(), z.int()) }));
type Note = z.infer<typeof notesSchema>[number];

export function startRetention(options: RetentionOptions): Retention {
  return repeat(
    () => retain(options),
    options.settings.trimEveryMs,
    (error) => options.telemetry.retentionFailed(error),
  );
}

/** Does it again and again, one at a time; what goes wrong is told, and it goes on. */
export function repeat(work: () => Promise<unknown>, everyMs: number, onFault: (error: unknown) => void): Retention {
  let under: Promise<unknown> = Promise.resolve();
  let isUnder = false;
  const timer = setInterval(() => {
    if (isUnder) return;
    isUnder = true;
    under = work()
      .catch(onFault)
      .finally(() => {
        isUnder = false;
      });
  }, everyMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await under;
    },
  };
}

/** One round. Bounded work. */
export async function retain({ log, state, settings, clock }: RetentionOptions): Promise<void> {
  const [value = null] = await state.get(slot, [notesKey]);
  const notes: Note[] = value ? notesSchema.parse(decodeJson(value)) : [];
  const nowMs = clock.now();
  const noteOf = (retentionMs: number) => notes.findLast(({ atMs }) => atMs <= nowMs - retentionMs);
  const old = noteOf(settings.retentionMs);
  for (const topic of topics) {
    const note = topic === 'incoming' ? noteOf(settings.incomingRetentionMs) : old;
    if (note) await trimBelow({ log, state }, topic, note);
  }
  const latest = notes.at(-1);
  const { retentionMs, incomingRetentionMs } = settings;
  if (latest && nowMs - latest.atMs < Math.min(retentionMs / notesMax, incomingRetentionMs / 10)) return;
  const kept = [
    ...notes.filter((note) => note === old || note.atMs > nowMs - retentionMs),
    { atMs: nowMs, ends: await endsOf(log) },
  ];
  // Where another process has just noted the hour, once is enough.
  await state.commit(slot, {
    expect: [{ key: notesKey, value }],
    put: [{ key: notesKey, value: encodeJson(thinned(kept, nowMs, settings)) }],
  });
}

/** Notes close to one another are kept only for as long as `incoming` needs them. */
function thinned(notes: readonly Note[], nowMs: number, settings: RetentionOptions['settings']): Note[] {
  const kept: Note[] = [];
  for (const note of notes) {
    const isYoung = note.atMs > nowMs - settings.incomingRetentionMs * 1.2;
    if (isYoung || note.atMs - (kept.at(-1)?.atMs ?? -Infinity) >= settings.retentionMs / notesMax) kept.push(note);
  }
  return kept;
}

async function trimBelow({ log, state }: Pick<RetentionOptions, 'log' | 'state'>, topic: Topic, note: Note): Promise<void> {
  for (let partition = 0; partition < log.partitions(topic); partition++) {
    const end = note.ends[`${topic}/${partition}`] ?? 0;
    if (end === 0) continue;
    const below = Math.min(end, await neededFrom(state, topic, partition));
    if (below > 0) await log.trim(topic, partition, below);
  }
}

async function endsOf(log: Log): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  for (const topic of topics) {
    for (let partition = 0; partition < log.partitions(topic); partition++)
      ends[`${topic}/${partition}`] = (await log.bounds(topic, partition)).next;
  }
  return ends;
}
