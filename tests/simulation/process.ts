import type { ArchivedTopic, Log, Membership } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { createArchive, type Archive } from '../../src/pipeline/archive.js';
import { createDispatch, type Dispatch } from '../../src/pipeline/dispatch.js';
import { createFrameViews } from '../../src/pipeline/frame-views.js';
import { createIntake, type Intake } from '../../src/pipeline/intake.js';
import { createRecipients } from '../../src/pipeline/recipients.js';
import { memoriesHere } from '../../src/pipeline/score-memory.js';
import { createScore, type ScoreOptions } from '../../src/pipeline/score.js';
import { createWarn } from '../../src/pipeline/warn.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import type { Telemetry } from '../../src/telemetry/telemetry.js';
import { createTalkingEngine } from './engine.js';
import { createLogClient, type LogServer } from './log.js';
import type { Groups } from './groups.js';
import { policy, routes } from './material.js';
import type { Network } from './network.js';
import type { Receiver } from './receiver.js';
import { createStateClient, type StateServer } from './state.js';
import { createWarehouseClient, type WarehouseServer } from './warehouse.js';
import type { Incarnation, World } from './world.js';

/** Everything outside of the processes. */
export interface Surroundings {
  readonly world: World;
  readonly log: LogServer;
  readonly state: StateServer;
  readonly warehouse: WarehouseServer;
  readonly groups: Groups;
  readonly network: Network;
  readonly receiver: Receiver;
  readonly patternStore: { currentId(): Promise<string>; load(id: string): Promise<PatternSet> };
}

/** How small the batches are, and which parts run. */
export interface ProcessSettings {
  readonly scoreRecordsMax: number;
  readonly warnRecordsMax: number;
  readonly sliceRecordsMax: number;
  readonly claimSlots: number;
  readonly hasDispatch: boolean;
  readonly hasArchive: boolean;
  /** State and log lie in one store, which never forgets. */
  readonly isOneStore: boolean;
  /** Whether the real engine scores as well. */
  readonly isReal: boolean;
}

/** The product's own parts, as one process runs them. */
export interface Process {
  readonly incarnation: Incarnation;
  /** Null while it starts. */
  readonly intake: Intake | null;
  readonly isReady: boolean;
  /** No delivery of it is under way. */
  isSettled(): boolean;
  /** Offset up to which it knows the archive to hold a partition. */
  storedUpTo(topic: ArchivedTopic, partition: number): number;
  /** Lets what is in hand end, leaves its groups; `done` once it has. */
  stop(done: () => void): void;
}

export function startProcess(around: Surroundings, name: string, settings: ProcessSettings): Process {
  const { world, groups, network } = around;
  const incarnation = world.spawn(name);
  const log = createLogClient(world, around.log, network, groups, incarnation);
  const state = createStateClient(world, around.state, network, incarnation, settings.isOneStore ? around.log : null);
  const running: {
    intake: Intake | null;
    archive: Archive | null;
    dispatch: Dispatch | null;
    members: Pick<Membership, 'done' | 'leave'>[];
  } = {
    intake: null,
    archive: null,
    dispatch: null,
    members: [],
  };
  let isReady = false;

  const failed = (fault: unknown): void => {
    const text = fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault);
    world.violation(`${incarnation.name} stopped: ${text}`);
  };
  world.schedule(incarnation, 0, () => void start().catch(failed), true);

  async function start(): Promise<void> {
    const shared = {
      log,
      state,
      clock: { now: () => Math.floor(world.nowMs() + incarnation.skewMs) },
      newId: () => world.newId(),
    };
    const frameViews = createFrameViews(2 ** 20);
    running.intake = createIntake({
      ...shared,
      frameViews,
      settings: { claimSlots: settings.claimSlots },
      telemetry: countingIntake(world),
    });
    const members = await Promise.all([
      createWarn({ ...shared, policy, settings: { limit: { recordsMax: settings.warnRecordsMax, bytesMax: 2 ** 20 } } }),
      createScore<PatternSet>({
        ...shared,
        patternStore: around.patternStore,
        openMemory: memoriesHere({
          createEngine: (set, context) => createTalkingEngine(set, context, settings.isReal),
          clock: shared.clock,
          frameViews,
        }),
        settings: { pollMs: 500, limit: { recordsMax: settings.scoreRecordsMax, bytesMax: 2 ** 20 } },
        telemetry: countingScore(world),
      }),
      settings.hasDispatch ? startDispatch(shared) : null,
      settings.hasArchive ? startArchive(shared) : null,
    ]);
    running.members = members.filter((member) => member !== null);
    for (const { done } of running.members) done.catch(failed);
    isReady = true;
    world.trace('is ready');
  }

  type Shared = { log: Log; state: State; clock: { now(): number }; newId: () => string };

  async function startDispatch(shared: Shared): Promise<Dispatch> {
    const recipients = createRecipients({
      ...shared,
      randomBytes: () => new Uint8Array(24),
      settings: { recipientsMax: 100, recipientsPollMs: 1_000 },
      telemetry,
    });
    const dispatch = await createDispatch({
      ...shared,
      channels: [around.receiver.channelOf(incarnation)],
      recipients,
      routes,
      settings: {
        concurrencyMax: 16,
        perEndpointMax: 4,
        pendingPerEndpointMax: 1_000,
        breakAfterFailures: 5,
        restMs: 2_000,
        batchRecordsMax: settings.warnRecordsMax,
        batchBytesMax: 2 ** 20,
        attemptTimeoutMs: 5_000,
        toldKeepMs: 86_400_000,
      },
      random: () => world.random(),
      telemetry,
    });
    running.dispatch = dispatch;
    return dispatch;
  }

  async function startArchive(shared: Shared): Promise<Archive> {
    const archive = await createArchive({
      ...shared,
      warehouse: createWarehouseClient(around.warehouse, network, incarnation),
      settings: {
        sliceBytesMax: 64 * 1024,
        sliceRecordsMax: settings.sliceRecordsMax,
        lingerMs: 200,
        insertsMax: 2,
        retryMsMin: 100,
        retryMsMax: 2_000,
      },
      telemetry,
    });
    running.archive = archive;
    return archive;
  }

  return {
    incarnation,
    get intake() {
      return isReady ? running.intake : null;
    },
    get isReady() {
      return isReady;
    },
    isSettled: () => isReady && (running.dispatch?.pending() ?? 0) === 0,
    storedUpTo: (topic, partition) => running.archive?.storedUpTo(topic, partition) ?? 0,
    stop(done) {
      const stop = async (): Promise<void> => {
        isReady = false;
        await running.intake?.settled();
        await Promise.all(running.members.map((member) => member.leave()));
        done();
      };
      world.schedule(incarnation, 0, () => void stop().catch(failed), true);
    },
  };
}

/** Facts that this run does not count go nowhere. */
const telemetry = new Proxy({}, { get: () => () => undefined }) as Telemetry;

function countingScore(world: World): NonNullable<ScoreOptions<PatternSet>['telemetry']> {
  return new Proxy(
    {
      othersTaken({ dropped }: { dropped: number }) {
        if (dropped > 0) world.count('a forward was had before and dropped', dropped);
      },
      partitionRecovered: () => world.count('a partition was recovered'),
      patternSetTaken: ({ how }: { how: string }) => world.count(`a pattern set was ${how}`),
    } as unknown as NonNullable<ScoreOptions<PatternSet>['telemetry']>,
    { get: (known, name) => Reflect.get(known, name) ?? (() => undefined) },
  );
}

function countingIntake(world: World) {
  return new Proxy({ transactionsDuplicate: () => world.count('intake knew a repetition') } as unknown as Telemetry, {
    get: (known, name) => Reflect.get(known, name) ?? (() => undefined),
  });
}
