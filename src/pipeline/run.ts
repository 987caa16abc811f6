import type { Routes } from '../domain/dispatch-policy.js';
import type { WarningPolicy } from '../domain/warning-policy-schema.js';
import type { Channel } from '../ports/channel.js';
import type { Log } from '../ports/log.js';
import type { State } from '../ports/state.js';
import type { Warehouse } from '../ports/warehouse.js';
import { createEngine } from '../scoring/engine.js';
import type { PatternSet } from '../scoring/pattern-set.js';
import type { Settings } from '../settings.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { type Archive, createArchive } from './archive.js';
import { createDispatch, type Dispatch } from './dispatch.js';
import { createFeed, type Feed } from './feed.js';
import { createIntake, type Intake } from './intake.js';
import { createKeys, type Keys } from './keys.js';
import { createMarks, type Marks } from './marks.js';
import { createPatternGuard } from './pattern-guard.js';
import { createPatternMeter, type PatternMeter } from './pattern-meter.js';
import type { PatternStore } from './pattern-store.js';
import { createRecipients, type Recipients } from './recipients.js';
import { startRetention } from './retention.js';
import { createScore, type Owns, type Score } from './score.js';
import { createWarn } from './warn.js';
import type { Membership } from '../ports/log.js';
import { createWarningCommands, createWarningsReader, type WarningCommands, type WarningsReader } from './warnings.js';

/**
 * The whole platform in flow order: intake → score → warn → dispatch, the archive beside them. Each consumer reads its topic
 * from its own durable position and may be killed at any instant.
 */
export interface Pipeline {
  readonly intake: Intake;
  readonly score: Score;
  readonly patternMeter: PatternMeter;
  readonly warn: Membership;
  readonly dispatch: Dispatch;
  readonly archive: Archive;
  readonly feed: Feed;
  readonly keys: Keys;
  readonly marks: Marks;
  readonly recipients: Recipients;
  readonly warnings: WarningsReader & WarningCommands;
  /** Consumers with their names, in flow order. */
  readonly consumers: readonly {
    readonly name: string;
    readonly topic: string;
    readonly done: Promise<void>;
    lag(): Promise<number>;
  }[];
  /** Resolves when everything accepted so far is scored, warned, dispatched and archived. */
  drained(signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
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
  readonly clock: { now(): number };
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Never the same twice, over all processes. */
  readonly newId: () => string;
}

export async function runPipeline(parts: PipelineParts): Promise<Pipeline> {
  const { log, state, warehouse, patternStore, settings, telemetry, clock, newId } = parts;
  const recipients = createRecipients({ ...parts, settings: settings.dispatch });
  const keys = await createKeys(parts);

  const intake = createIntake({ log, state, clock, newId, settings: settings.intake, telemetry });
  const meter = createPatternMeter();
  const score = await createScore({
    log,
    state,
    patternStore,
    createEngine: meter.metering((set: PatternSet, { owns }: { readonly owns: Owns }) => createEngine(set, { owns, measure })),
    clock,
    newId,
    settings: { ...settings.score, limit: limitOf(settings.score) },
    telemetry,
  });
  const warn = await createWarn({
    log,
    state,
    policy: parts.warningPolicy,
    clock,
    newId,
    settings: { ...settings.warn, limit: limitOf(settings.warn) },
    telemetry,
  });
  const dispatch = await createDispatch({ ...parts, recipients, settings: settings.dispatch });
  const isBusy = (): boolean => intake.inHand() > 1 || score.underWay() > 0;
  const archive = await createArchive({ log, state, warehouse, settings: settings.archive, clock, newId, telemetry, isBusy });
  const feed = createFeed({ log, settings: settings.feed });
  const stored = { state, partitions: log.partitions('hits') };
  const guard = createPatternGuard({ store: patternStore, meter, settings: settings.patterns, clock, telemetry });
  const retention = startRetention({ log, state, archive, intake, keys, settings: settings.log, clock, telemetry });

  const consumers = [
    { name: 'score', topic: 'transactions', ...partOf(score) },
    { name: 'warn', topic: 'hits', ...partOf(warn) },
    { name: 'dispatch', topic: 'warnings', ...partOf(dispatch) },
    { name: 'archive', topic: 'all', ...partOf(archive) },
  ];
  return {
    intake,
    score,
    patternMeter: meter,
    warn,
    dispatch,
    archive,
    feed,
    keys,
    marks: createMarks(state),
    recipients,
    warnings: { ...createWarningsReader(stored), ...createWarningCommands({ ...stored, log, clock, newId }) },
    consumers,
    async drained(signal) {
      // In flow order: what a consumer has done may have made work for the next, never for one before it.
      for (const consumer of consumers.slice(0, 3)) await idle(consumer, signal);
      await archive.drained(signal);
    },
    async close() {
      await guard.stop();
      await retention.stop();
      await intake.settled();
      for (const consumer of [score, warn, dispatch, archive]) await consumer.leave();
    },
  };
}

function limitOf({ batchRecordsMax, batchBytesMax }: { batchRecordsMax: number; batchBytesMax: number }) {
  return { recordsMax: batchRecordsMax, bytesMax: batchBytesMax };
}

function partOf(consumer: { readonly done: Promise<void>; lag(): Promise<number> }) {
  return { done: consumer.done, lag: () => consumer.lag() };
}

/** Nanoseconds of a monotonic clock: what a pattern costs, never what it finds. */
const measure = (): number => performance.now() * 1e6;

const idlePollMs = 10;

async function idle(consumer: { readonly done: Promise<void>; lag(): Promise<number> }, signal?: AbortSignal): Promise<void> {
  const stopped = consumer.done.then(() => 'stopped' as const);
  while ((await consumer.lag()) > 0) {
    signal?.throwIfAborted();
    const pause = new Promise<'go on'>((resolve) => setTimeout(() => resolve('go on'), idlePollMs));
    if ((await Promise.race([stopped, pause])) === 'stopped') return;
  }
}
