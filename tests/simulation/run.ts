import { decodeEvents } from '../../src/domain/event.js';
import { archivedTopics, type Topic } from '../../src/ports/log.js';
import { createRecipients } from '../../src/pipeline/recipients.js';
import type { Recipient } from '../../src/domain/recipient.js';
import { createBank, type Bank } from './bank.js';
import { brokenPromises, countRarePaths } from './checks.js';
import { createDrawing, drawMixture, type Mixture } from './disturbances.js';
import { poisonFen } from './engine.js';
import { expectedHits, type Hits } from './expected.js';
import { createGroups } from './groups.js';
import { createLogServer, type LogServer } from './log.js';
import { compileSets, linesOf, partitions, type PatternSets } from './material.js';
import { createNetwork, type Call, type Fate } from './network.js';
import { startProcess, type Process, type ProcessSettings, type Surroundings } from './process.js';
import { createReceiver } from './receiver.js';
import { createStateServer } from './state.js';
import { useTimersOf } from './timers.js';
import { createWarehouseServer } from './warehouse.js';
import { createWorld, Stuck, type Incarnation, type World } from './world.js';

/** One run: banks send their day through processes that die, stand still and lose what they are told; then all must be right. */
export interface RunOptions {
  readonly seed: number;
  readonly verbose?: boolean;
  /** Instead of chance: what becomes of each call of a short history in which nothing else happens. */
  readonly fateOf?: (call: Call) => Fate;
}

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly calls: number;
  readonly traceHash: string;
  readonly traceTail: readonly string[];
}

interface Plan {
  readonly isShort: boolean;
  readonly processes: number;
  readonly banks: number;
  readonly materialSeed: number;
  readonly transactions: number;
  readonly bodyLines: number;
  readonly hasPoison: boolean;
  readonly changesPatterns: boolean;
  readonly settings: ProcessSettings;
  readonly mixture: Mixture;
  /** How long things go wrong by themselves. */
  readonly troubleMs: number;
}

let sets: PatternSets | null = null;
const expectations = new Map<string, Hits>();
const limitMs = 4 * 3_600_000;
/** Bodies of each bank that are held back until all has come to rest: they ask whether the state is right. */
const probeBodies = 2;

export async function run(options: RunOptions): Promise<RunResult> {
  sets ??= compileSets();
  const world = createWorld({ seed: options.seed, verbose: options.verbose === true, isEven: options.fateOf !== undefined });
  useTimersOf(world);
  const plan = options.fateOf ? shortPlan(world) : drawPlan(world);
  const stage = setStage(world, plan, sets, options.fateOf);
  try {
    await stage.play();
  } catch (error) {
    if (!(error instanceof Stuck)) throw error;
    if (world.violations.length === 0) world.violation(error.message);
  } finally {
    useTimersOf(null);
  }
  countRarePaths(stage.around);
  const { violations, counts } = world;
  return {
    seed: options.seed,
    violations,
    counts,
    calls: stage.around.network.calls,
    traceHash: world.traceHash(),
    traceTail: world.traceTail(violations.length > 0 ? 400 : 0),
  };
}

function drawPlan(world: World): Plan {
  const mixture = drawMixture(world);
  return {
    isShort: false,
    processes: world.between(1, 3),
    banks: world.between(1, 2),
    materialSeed: world.between(0, 7),
    transactions: 72,
    bodyLines: world.pick([6, 9, 12]),
    hasPoison: world.chance(0.15),
    // What was told under a set that the store then forgot cannot be untold.
    changesPatterns: world.chance(0.25) && !mixture.mayForget,
    settings: {
      scoreRecordsMax: world.pick([1, 2, 5, 64]),
      warnRecordsMax: world.pick([1, 4, 16]),
      sliceRecordsMax: world.pick([1, 3, 8]),
      claimSlots: world.pick([1, 2, 4]),
      hasDispatch: world.chance(0.5),
      hasArchive: world.chance(0.35),
      isReal: world.chance(0.15),
    },
    mixture,
    troubleMs: world.pick([10_000, 30_000, 90_000]),
  };
}

function shortPlan(world: World): Plan {
  return {
    isShort: true,
    processes: 2,
    banks: 1,
    materialSeed: 3,
    transactions: 40,
    bodyLines: 10,
    hasPoison: false,
    changesPatterns: false,
    settings: {
      scoreRecordsMax: 1,
      warnRecordsMax: 4,
      sliceRecordsMax: 3,
      claimSlots: 1,
      hasDispatch: false,
      hasArchive: false,
      isReal: false,
    },
    mixture: { ...drawMixture(world), mayForget: false },
    troubleMs: 0,
  };
}

function setStage(world: World, plan: Plan, { first, renamed, other }: PatternSets, fateOf: RunOptions['fateOf']) {
  const { mixture } = plan;
  let isTroubled = true;
  let isCalm = false;
  const draw = fateOf ?? createDrawing(world, mixture);
  const broker = createLogServer(world, partitions);
  const log: LogServer = {
    ...broker,
    write(topic, partition, values, by) {
      if (values.some((value) => isOfReplaced(topic, value, by)))
        world.count('a frame of somebody who was replaced reached the log');
      broker.write(topic, partition, values, by);
    },
  };
  const state = createStateServer(world);
  const groups = createGroups(world, log, (owner, error) => {
    const name = error instanceof Error ? error.name : 'unknown';
    world.trace(`trouble of ${owner.name}: ${error instanceof Error ? error.message : String(error)}`);
    world.count(`a partition was closed by ${name}`);
  });
  function isOfReplaced(topic: Topic, value: Uint8Array, by: Incarnation): boolean {
    if (topic !== 'hits' && topic !== 'warnings' && topic !== 'deliveries') return false;
    const [part = '', partition] = decodeEvents(value).producer.split('/');
    const input = ({ score: 'transactions', warn: 'hits', dispatch: 'warnings' } as const)[part];
    return input !== undefined && groups.isReplaced(by, part, input, Number(partition));
  }

  const network = createNetwork(world, {
    fateOf: (call) => (isTroubled ? draw(call) : 'done'),
    kill,
    pause,
    cutOff: (owner) => groups.cutOff(owner),
  });
  const patternStore = {
    current: first.id,
    currentId: () => Promise.resolve(patternStore.current),
    load: (id: string) => Promise.resolve([first, renamed, other].find((set) => set.id === id)!),
  };
  const around: Surroundings = {
    world,
    log,
    state,
    warehouse: createWarehouseServer(world),
    groups,
    network,
    receiver: createReceiver(world),
    patternStore,
  };
  const processes: Process[] = [];
  const banks: Bank[] = [];
  const material = Array.from({ length: plan.banks }, (_, bank) =>
    linesOf(bank, plan.materialSeed, plan.transactions, plan.hasPoison),
  );
  const bodies = material.map((lines) => slices(lines, plan.bodyLines));

  function boot(name: string): void {
    processes.push(startProcess(around, name, plan.settings));
  }

  function replace(incarnation: Incarnation): void {
    const at = processes.findIndex((process) => process.incarnation === incarnation);
    if (at < 0) return;
    processes.splice(at, 1);
    boot(incarnation.name.split('#')[0]!);
  }

  function kill(incarnation: Incarnation, why: string): void {
    if (incarnation.isDead) return;
    world.trace(`${incarnation.name} dies ${why}`);
    world.count('a process died');
    incarnation.isDead = true;
    groups.missed(incarnation, fateOf ? 5_000 : world.between(500, 10_000));
    world.schedule(null, fateOf ? 1_000 : world.between(100, 8_000), () => replace(incarnation));
  }

  function pause(incarnation: Incarnation, forMs: number): void {
    world.trace(`${incarnation.name} stands still for ${forMs} ms`);
    world.count('a process stood still');
    incarnation.pausedUntilMs = world.nowMs() + forMs;
    groups.missed(incarnation, Math.min(forMs, world.between(1_000, 8_000)));
  }

  /** What happens by itself. */
  function happen(): void {
    if (!isTroubled) return;
    world.schedule(null, mixture.everyMs * (0.2 + 1.6 * world.random()), happen);
    const alive = processes.filter(({ incarnation }) => !incarnation.isDead);
    const one = alive.length > 0 ? world.pick(alive) : null;
    const kind = world.random();
    if (kind < 0.2) {
      if (one) kill(one.incarnation, 'by itself');
    } else if (kind < 0.3) {
      if (one) stopGracefully(one);
    } else if (kind < 0.4) {
      if (one) pause(one.incarnation, world.between(500, 40_000));
    } else if (kind < 0.5) {
      if (one) groups.cutOff(one.incarnation);
    } else if (kind < 0.62) {
      groups.shuffle();
    } else if (kind < 0.74) {
      const part = world.pick(['log', 'state', 'warehouse'] as const);
      world.trace(`${part} is away`);
      world.count(`outage of the ${part}`);
      network.outage(part, world.between(500, 30_000));
    } else {
      world.count('failover');
      state.failOver(world.between(1, 12), mixture.mayForget);
    }
  }

  function changePatterns(): void {
    if (!isTroubled) return;
    world.schedule(null, world.between(200, 4_000), changePatterns);
    patternStore.current = world.pick([first, renamed, other]).id;
  }

  function stopGracefully(process: Process): void {
    const { incarnation } = process;
    if (!process.isReady) return;
    world.trace(`${incarnation.name} is asked to stop`);
    world.count('a process was stopped in peace');
    const over = (): void => {
      if (incarnation.isDead) return;
      incarnation.isDead = true;
      replace(incarnation);
    };
    process.stop(() => world.schedule(null, 0, over));
    world.schedule(null, 20_000, () => kill(incarnation, 'because it does not stop'));
  }

  const isAtRest = (): boolean =>
    banks.every((bank) => bank.isWaiting()) &&
    processes.every((process) => process.isSettled() && process.incarnation.pausedUntilMs <= world.nowMs()) &&
    world.callsInFlight() === 0 &&
    groups.isDrained() &&
    Array.from({ length: partitions.commands }, (_, p) => log.isWatchedAtEnd('commands', p)).every(Boolean) &&
    (!plan.settings.hasArchive || isArchived());

  const isArchived = (): boolean =>
    archivedTopics.every((topic) =>
      Array.from({ length: partitions[topic] }, (_, p) => p).every(
        (p) => Math.max(...processes.map((process) => process.storedUpTo(topic, p))) >= log.records(topic, p).length,
      ),
    );

  async function rest(lines: readonly (readonly string[])[], hits: Hits): Promise<void> {
    try {
      await world.runUntil('rest', isAtRest, limitMs);
    } catch (error) {
      if (error instanceof Stuck) world.trace(`behind: ${groups.describeBacklog()}, ${world.callsInFlight()} calls under way`);
      throw error;
    }
    const poisoned = lines
      .flat()
      .filter((line) => line.includes(`"amountFen":${poisonFen}`))
      .map((line) => (JSON.parse(line) as { id: string }).id);
    const goal = {
      around,
      lines: lines.flat(),
      poisoned,
      hits,
      sets: plan.changesPatterns ? [first, renamed, other] : [first],
      recipients,
      ...plan.settings,
    };
    for (const text of brokenPromises(goal)) world.violation(text);
    if (world.violations.length > 0) throw new Stuck('a promise was broken');
  }

  async function play(): Promise<void> {
    await registerAll(around);
    for (let n = 0; n < plan.processes; n++) boot(`p${n}`);
    for (const [number, sent] of bodies.entries()) {
      banks.push(
        createBank({
          world,
          name: 'AB'[number]!,
          bodies: sent,
          processes: () => processes,
          isCalm: () => isCalm,
          patienceMs: fateOf ? [6_000, 6_000] : [500, 20_000],
          trouble: () => (isTroubled && !fateOf ? { losesAnswer: 0.05, repeats: 0.1 } : { losesAnswer: 0, repeats: 0 }),
        }),
      );
    }
    if (!fateOf) {
      around.receiver.trouble = { fails: 0.1, losesAnswer: 0.1 };
      around.receiver.acknowledges = world.pick([0, 0.1]);
      world.schedule(null, 0, happen);
      if (plan.changesPatterns) changePatterns();
    }
    // Those that ask later come with their sender's own processes all there.
    await world.runUntil('the processes are there', () => processes.some(({ intake }) => intake), limitMs);
    const held = (count: number) => (plan.isShort ? count - 1 : count - probeBodies);
    for (const [number, bank] of banks.entries()) bank.sendUpTo(held(bodies[number]!.length));
    const endsMs = world.nowMs() + plan.troubleMs;
    await world.runUntil('the banks are done', () => banks.every((bank) => bank.isWaiting()) && world.nowMs() >= endsMs, limitMs);
    isTroubled = false;
    // Whoever is idle does not notice what the store has forgotten, until it writes or opens again.
    if (mixture.mayForget) for (const { incarnation } of processes) groups.cutOff(incarnation);
    around.receiver.trouble = { fails: 0, losesAnswer: 0 };
    const first = material.map((lines, number) => lines.slice(0, held(bodies[number]!.length) * plan.bodyLines));
    await rest(first, hitsOf(plan, first, sets!));
    isCalm = true;
    for (const bank of banks) bank.sendAgain(bank.answered);
    await world.runUntil('the banks have sent all again', () => banks.every((bank) => bank.isWaiting()), limitMs);
    for (const bank of banks) bank.sendUpTo(Infinity);
    await rest(material, hitsOf(plan, material, sets!));
  }

  return { around, play };
}

/** Under the first set; computed once for each material. */
function hitsOf(plan: Plan, lines: readonly (readonly string[])[], { first }: PatternSets): Hits {
  const { isReal } = plan.settings;
  const key = JSON.stringify([
    isReal,
    plan.materialSeed,
    plan.banks,
    plan.transactions,
    plan.hasPoison,
    lines.map(({ length }) => length),
  ]);
  let hits = expectations.get(key);
  if (!hits) expectations.set(key, (hits = expectedHits(first, lines, partitions.transactions, isReal)));
  return hits;
}

function slices(lines: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(lines.length / size) }, (_, i) => lines.slice(i * size, (i + 1) * size));
}

const webhook = { url: 'https://receiver.example/hook' };
const recipients: readonly Recipient[] = [
  { id: 'centre', kind: 'centre', match: '*', name: '反诈中心', webhook },
  { id: 'bank', kind: 'bank', match: '102', name: '样例银行', webhook },
  { id: 'firm', kind: 'enterprise', match: '91410100MA010000XX', name: '样例企业', webhook },
];

/** Who is told stands in the store before anything goes wrong. */
async function registerAll({ state }: Surroundings): Promise<void> {
  const known = createRecipients({
    state: {
      get: (slot, keys) => Promise.resolve(state.get(slot, keys)),
      scan: (slot, options) => Promise.resolve(state.scan(slot, options)),
      commit: (slot, change) => Promise.resolve(state.commit(slot, change).result),
      close: () => Promise.resolve(),
    },
    clock: { now: () => 0 },
    randomBytes: () => new Uint8Array(24),
    settings: { recipientsMax: 100, recipientsPollMs: 0 },
    telemetry: { recipientChanged: () => undefined },
  });
  for (const { id, ...input } of recipients) await known.put(id, input);
  state.replicate();
}
