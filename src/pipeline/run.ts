import type { CalendarData } from '../domain/calendar.js';
import type { Routes } from '../domain/dispatch-policy.js';
import type { Refusals } from '../domain/refusal.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Channel } from '../ports/channel.js';
import type { Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Warehouse } from '../ports/warehouse.js';
import type { Settings } from '../settings.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type Archive, createArchive } from './archive.js';
import { createBodyReader, type BodyReader } from './body-reader.js';
import { createThreadedBodyReader } from './body-threads.js';
import { createDispatch, type Dispatch } from './dispatch.js';
import { createFeed, type Feed } from './feed.js';
import { createRefusals } from './refusals.js';
import { createIncoming } from './incoming.js';
import { createFrameViews, type FrameViews } from './frame-views.js';
import { createIntake, type Intake } from './intake.js';
import { createIntakePace, type IntakePace } from './intake-pace.js';
import type { LineReaderOptions } from './intake-lines.js';
import { createKeys, type Keys } from './keys.js';
import { createMarks, type Marks } from './marks.js';
import { createMemoryThreads, type MemoryThreads } from './memory-threads.js';
import { createMeteredMemories } from './metered-memories.js';
import { processorsHere } from './processors.js';
import { createPatternGuard } from './pattern-guard.js';
import type { PatternMeter } from './pattern-meter.js';
import type { PatternStore } from './pattern-store.js';
import { createRecipients, type Recipients } from './recipients.js';
import { repeat, startRetention, type Retention } from './retention.js';
import { createScore, type Score } from './score.js';
import { scoringThreads } from './scoring-threads.js';
import { createWarn } from './warn.js';
import type { Membership } from '../ports/log.js';
import { createWarningCommands, createWarningsReader, type WarningCommands, type WarningsReader } from './warnings.js';

/** The parts that may run in processes of their own, in flow order. */
export const roles = ['http', 'incoming', 'score', 'warn', 'dispatch', 'archive'] as const;
export type Role = (typeof roles)[number];

/**
 * The platform in flow order: intake → score → warn → dispatch, the archive beside them; all of it, or the roles that this process
 * has. Each consumer reads its topic from its own durable position and may be killed at any instant.
 */
export interface Pipeline {
  readonly roles: ReadonlySet<Role>;
  readonly intake: Intake;
  /** Null where this process has another role. */
  readonly score: Score | null;
  readonly patternMeter: Pick<PatternMeter, 'read'>;
  readonly dispatch: Dispatch | null;
  readonly archive: Archive | null;
  readonly feed: Feed;
  readonly refusals: Refusals;
  readonly keys: Keys;
  readonly marks: Marks;
  readonly recipients: Recipients;
  readonly warnings: WarningsReader & WarningCommands;
  /** Consumers that run here, in flow order. */
  readonly consumers: readonly Consumer[];
  /** Resolves when all that this process has to do with what was accepted so far is done. */
  drained(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface Consumer extends Pick<Membership, 'done' | 'lag' | 'owned'> {
  /** Its group. */
  readonly name: Exclude<Role, 'http'>;
  readonly topic: string;
}

export interface PipelineParts {
  readonly log: Log;
  readonly state: State;
  readonly warehouse: Warehouse;
  readonly patternStore: PatternStore;
  readonly channels: readonly Channel[];
  readonly routes: Routes;
  readonly warningPolicy: WarningPolicy;
  readonly settings: Settings;
  readonly telemetry: Telemetry;
  /** Of working days, for engines on other threads. */
  readonly calendar: CalendarData;
  readonly clock: { now(): number };
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Never the same twice, over all processes. */
  readonly newId: () => string;
  /** What this process does; all of it where left out. */
  readonly roles?: ReadonlySet<Role>;
}

const everything: ReadonlySet<Role> = new Set(roles);

/** Of what was read and is not scored yet: some 400,000 transactions. */
const frameViewBytesMax = 128 * 2 ** 20;

export async function runPipeline(parts: PipelineParts): Promise<Pipeline> {
  const { log, state, warehouse, patternStore, settings, telemetry, clock, newId, roles: runs = everything } = parts;
  const webhook = parts.channels.find(({ name }) => name === 'webhook');
  const whyNot = webhook?.whyNot?.bind(webhook);
  const recipients = createRecipients({ ...parts, whyNot, settings: settings.dispatch });
  const keys = await createKeys(parts);
  const { readingThreads } = settings.intake;
  const openReader = (options: LineReaderOptions): BodyReader =>
    readingThreads > 0
      ? createThreadedBodyReader(options, { threads: readingThreads, onLost: (fault) => telemetry.readingThreadLost(fault) })
      : createBodyReader(options);
  const own: Partial<IntakePace> = runs.has('score') ? besideScoring(settings) : {};
  const intake = createIntake({ log, state, clock, newId, settings: settings.intake, telemetry, openReader, ...own });
  const memories = openMemories(parts, own);
  const closers: (() => Promise<void>)[] = [() => memories.close()];
  const watch = (task: Retention): void => void closers.push(() => task.stop());
  /** Members of groups; the one that was started last leaves first. */
  async function member<T extends Membership>(role: Role, join: () => Promise<T>): Promise<T | null> {
    if (!runs.has(role)) return null;
    const joined = await join();
    closers.push(() => joined.leave());
    return joined;
  }

  let score: Score | null = null;
  /** Until the state of every partition is there, both processors are needed for it. */
  const isOpening = (): boolean => runs.has('score') && score?.owned()?.every(({ isOpen }) => isOpen) !== true;
  const isBusy = (): boolean => intake.inHand() > 1 || (score?.underWay() ?? 0) > 0 || isOpening();
  try {
    const archive = await member('archive', () =>
      createArchive({ log, state, warehouse, settings: settings.archive, clock, newId, telemetry, isBusy }),
    );
    const dispatch = await member('dispatch', () => createDispatch({ ...parts, recipients, settings: settings.dispatch }));
    const warn = await member('warn', () =>
      createWarn({
        log,
        state,
        policy: parts.warningPolicy,
        clock,
        newId,
        settings: { ...settings.warn, limit: limitOf(settings.warn) },
        telemetry,
      }),
    );
    score = await member('score', () =>
      createScore({
        log,
        state,
        patternStore,
        openMemory: memories.openMemory,
        scored: own.scored,
        clock,
        newId,
        settings: { ...settings.score, limit: limitOf(settings.score) },
        telemetry,
      }),
    );
    const incoming = await member('incoming', () =>
      createIncoming({
        log,
        state,
        intake,
        newId,
        settings: { bank: settings.incoming.bank, limit: limitOf(settings.incoming) },
      }),
    );
    const failed = (error: unknown): void => telemetry.retentionFailed(error);
    if (score) watch(createPatternGuard({ store: patternStore, meter: memories, settings: settings.patterns, clock, telemetry }));
    if (archive) {
      const incomingRetentionMs = settings.incoming.retentionMs;
      watch(startRetention({ log, state, settings: { ...settings.log, incomingRetentionMs }, clock, telemetry }));
    }
    if (runs.has('http') || incoming) watch(repeat(() => intake.sweepClaims(), settings.log.trimEveryMs, failed));
    if (runs.has('http')) watch(repeat(() => keys.refresh(), settings.http.keysPollMs, failed));
    closers.push(() => intake.close());

    const stored = { state, partitions: log.partitions('hits') };
    const consumers: Consumer[] = [
      ...consumerOf('incoming', 'incoming', incoming),
      ...consumerOf('score', 'transactions', score),
      ...consumerOf('warn', 'hits', warn),
      ...consumerOf('dispatch', 'warnings', dispatch),
      ...consumerOf('archive', 'all', archive),
    ];
    return {
      roles: runs,
      intake,
      score,
      patternMeter: memories,
      dispatch,
      archive,
      feed: createFeed({ log, settings: settings.feed }),
      refusals: createRefusals(log),
      keys,
      marks: createMarks(state),
      recipients,
      warnings: { ...createWarningsReader(stored), ...createWarningCommands({ ...stored, log, clock, newId }) },
      consumers,
      async drained(signal) {
        // In flow order: what a consumer has done may have made work for the next, never for one before it.
        for (const consumer of consumers) if (consumer.name !== 'archive') await idle(consumer, signal);
        await archive?.drained(signal);
      },
      close: () => closeAll(closers),
    };
  } catch (error) {
    await closeAll(closers).catch(() => undefined);
    throw error;
  }
}

/**
 * What intake and the scorer of one process share: what was read, and, where this process scores all that it takes in, how far
 * the one may be ahead of the other.
 */
function besideScoring({ intake: { aheadMsMax }, cluster }: Settings): Partial<IntakePace> {
  const frameViews = createFrameViews(frameViewBytesMax);
  if (aheadMsMax === 0 || cluster.kafkaBrokers.length > 0) return { frameViews };
  return createIntakePace({ frameViews, aheadMsMax, waitMsMax: 20 * aheadMsMax, clock: { now: () => performance.now() } });
}

/** Engines beside this thread, where processors are free; on this one otherwise. */
function openMemories(
  { log, patternStore, settings, calendar, clock, roles: runs = everything }: PipelineParts,
  known: { frameViews?: FrameViews },
): Pick<MemoryThreads, 'openMemory' | 'read' | 'close'> {
  const partitions = log.partitions('transactions');
  const threads = scoringThreads(settings.score.threads, { processors: processorsHere(), partitions, roles: runs });
  if (runs.has('score') && threads > 0) {
    const sourcesOf = (id: string) => patternStore.set(id);
    const memories = createMemoryThreads({ threads, calendar, sourcesOf, ...known });
    // What they are most likely asked for next. Where it cannot be had, whoever opens a partition is told.
    void patternStore
      .currentId()
      .then((id) => memories.prepare(id))
      .catch(() => undefined);
    return memories;
  }
  return { ...createMeteredMemories({ clock, ...known }), close: () => Promise.resolve() };
}

/** The last first: consumers leave in flow order, so that nobody leaves work behind for one that is gone. */
async function closeAll(closers: (() => Promise<void>)[]): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}

function limitOf({ batchRecordsMax, batchBytesMax }: { batchRecordsMax: number; batchBytesMax: number }) {
  return { recordsMax: batchRecordsMax, bytesMax: batchBytesMax };
}

function consumerOf(name: Consumer['name'], topic: string, member: Membership | null): Consumer[] {
  if (!member) return [];
  return [{ name, topic, done: member.done, lag: () => member.lag(), owned: () => member.owned() }];
}

const idlePollMs = 10;

async function idle(consumer: Pick<Consumer, 'done' | 'lag'>, signal?: AbortSignal): Promise<void> {
  const stopped = consumer.done.then(() => 'stopped' as const);
  while ((await consumer.lag()) > 0) {
    signal?.throwIfAborted();
    const pause = new Promise<'go on'>((resolve) => setTimeout(() => resolve('go on'), idlePollMs));
    if ((await Promise.race([stopped, pause])) === 'stopped') return;
  }
}
