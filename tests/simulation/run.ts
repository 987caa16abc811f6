import { archivedTopics } from '../../src/ports/log.js';
import { createBank, type Bank } from './bank.js';
import { brokenPromises } from './checks.js';
import { createHappenings } from './happenings.js';
import { countRarePaths, countReplaced } from './rare-paths.js';
import { createDrawing } from './disturbances.js';
import { poisonFen } from './engine.js';
import { expectedHits, type Hits } from './expected.js';
import { createGroups } from './groups.js';
import { createLogServer } from './log.js';
import { compileSets, linesOf, partitions, type PatternSets } from './material.js';
import { createNetwork, type Call, type Fate } from './network.js';
import { drawPlan, shortPlan, type Plan } from './plan.js';
import { startProcess, type Process, type Surroundings } from './process.js';
import { recipients, registerAll } from './recipients.js';
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
  /** State and log lie in one store; left out: the seed decides. */
  readonly isOneStore?: boolean;
}

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly calls: number;
  readonly traceHash: string;
  readonly traceTail: readonly string[];
}

let sets: PatternSets | null = null;
const expectations = new Map<string, Hits>();
/** Of so many seeds one is played on one store. */
const oneStoreEvery = 5;
const limitMs = 4 * 3_600_000;
/** Longest time until an owner without work looks whether the store has gone back. */
const idleMs = 20_000;
/** Bodies of each bank that are held back until all has come to rest: they ask whether the state is right. */
const probeBodies = 2;

export async function run(options: RunOptions): Promise<RunResult> {
  sets ??= compileSets();
  const world = createWorld({ seed: options.seed, verbose: options.verbose === true, isEven: options.fateOf !== undefined });
  useTimersOf(world);
  const isOneStore = options.isOneStore ?? options.seed % oneStoreEvery === 0;
  const plan = options.fateOf ? shortPlan(world, isOneStore) : drawPlan(world, isOneStore);
  const stage = setStage(world, plan, sets, options.fateOf);
  try {
    await stage.play();
  } catch (error) {
    if (!(error instanceof Stuck)) throw error;
    if (world.violations.length === 0) world.violation(error.message);
  } finally {
    world.end();
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

function setStage(world: World, plan: Plan, { first, renamed, other }: PatternSets, fateOf: RunOptions['fateOf']) {
  const { mixture } = plan;
  let isTroubled = true;
  let isCalm = false;
  const draw = fateOf ?? createDrawing(world, mixture);
  const broker = createLogServer(world, partitions);
  const state = createStateServer(world);
  const groups = createGroups(world, broker, (owner, error) => {
    const name = error instanceof Error ? error.name : 'unknown';
    world.trace(`trouble of ${owner.name}: ${error instanceof Error ? error.message : String(error)}`);
    world.count(`a partition was closed by ${name}`);
  });
  const log = countReplaced(world, broker, groups);
  const network = createNetwork(world, {
    fateOf: (call) => (isTroubled ? draw(call) : 'done'),
    kill: (owner, why) => happenings.kill(owner, why),
    pause: (owner, forMs) => happenings.pause(owner, forMs),
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

  const happenings = createHappenings({
    around,
    mixture,
    isEven: fateOf !== undefined,
    isTroubled: () => isTroubled,
    processes: () => processes,
    replace,
    changePatterns: plan.changesPatterns ? () => void (patternStore.current = world.pick([first, renamed, other]).id) : null,
  });

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

  function within(forMs: number): () => boolean {
    const endsMs = world.nowMs() + forMs;
    return () => world.nowMs() >= endsMs;
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
      happenings.begin();
    }
    await world.runUntil('the processes are there', () => processes.some(({ intake }) => intake), limitMs);
    const held = (count: number) => (plan.isShort ? count - 1 : count - probeBodies);
    for (const [number, bank] of banks.entries()) bank.sendUpTo(held(bodies[number]!.length));
    const endsMs = world.nowMs() + plan.troubleMs;
    await world.runUntil('the banks are done', () => banks.every((bank) => bank.isWaiting()) && world.nowMs() >= endsMs, limitMs);
    isTroubled = false;
    network.restore();
    // Whoever is idle notices by itself that the store has gone back.
    await world.runUntil('the idle have looked', within(idleMs), limitMs);
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
