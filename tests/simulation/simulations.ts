import { fatesOf } from './disturbances.js';
import type { Call, Fate } from './network.js';
import { run, type RunResult } from './run.js';
import { sometimes } from './sometimes.js';
import { say } from './say.js';

interface Shared {
  /** No other run is begun after it, on the clock of `performance`. */
  readonly endsMs: number;
  readonly stopsAtFirst: boolean;
  readonly verbose: boolean;
}

/** Seeds from which on each path of `sometimes` must have been taken. */
const seedsForAllPaths = 150;
const traceShown = 60;

/** A fault that nobody waited for. */
const unhandled: unknown[] = [];
process.on('unhandledRejection', (fault) => unhandled.push(fault));

/** True where every promise was kept and, over enough seeds, every path was taken. */
export async function simulateSeeds({ from, seeds, ...shared }: Shared & { from: number; seeds: number }): Promise<boolean> {
  const tally = createTally(shared);
  for (let seed = from; seed < from + seeds && !tally.isOver(); seed++) {
    tally.add(`seed ${seed}`, await runOrTell({ seed, verbose: shared.verbose }));
  }
  const missed = tally.runs >= seedsForAllPaths ? sometimes.filter((name) => !tally.counts.has(name)) : [];
  for (const name of missed) say(`never reached in ${tally.runs} seeds: ${name}`);
  return tally.finish() && missed.length === 0;
}

/** A short history: one fault at each of its calls, then as many drawn pairs of faults as asked for. */
export async function simulateEveryFault({ pairs, ...shared }: Shared & { pairs: number }): Promise<boolean> {
  const tally = createTally(shared);
  let counted = { calls: 0, faults: 0 };
  for (const isOneStore of [false, true]) {
    const { calls, faults } = await faultsOf(isOneStore, pairs, tally);
    counted = { calls: counted.calls + calls, faults: counted.faults + faults };
  }
  say(`${counted.calls} calls, ${counted.faults} single faults, ${2 * pairs} pairs, on two stores and on one`);
  return tally.finish();
}

async function faultsOf(isOneStore: boolean, pairs: number, tally: ReturnType<typeof createTally>) {
  const where = isOneStore ? 'on one store' : 'on two stores';
  const calls: Call[] = [];
  const quiet = await runOrTell({
    seed: 0,
    isOneStore,
    fateOf: (call) => {
      calls.push(call);
      return 'done';
    },
  });
  tally.add(`${where}, without a fault`, quiet);
  const faults = calls.flatMap((call) => fatesOf(call.kind).map((fate) => ({ call, fate })));
  const planned = [
    ...faults.map((fault) => [fault]),
    // A stride that shares no factor with the count of faults comes upon each in turn.
    ...Array.from({ length: pairs }, (_, i) => [
      faults[(i * 7_919) % faults.length]!,
      faults[(i * 104_729 + 13) % faults.length]!,
    ]),
  ];
  for (const plan of planned) {
    if (tally.isOver()) break;
    const fates = new Map<number, Fate>(plan.map(({ call, fate }) => [call.index, fate]));
    const name = plan.map(({ call, fate }) => `${fate} at call ${call.index} (${call.what})`).join(', ');
    const result = await runOrTell({ seed: 0, isOneStore, verbose: false, fateOf: ({ index }) => fates.get(index) ?? 'done' });
    tally.add(`${where}, ${name}`, result);
  }
  return { calls: calls.length, faults: faults.length };
}

async function runOrTell(options: Parameters<typeof run>[0]): Promise<RunResult> {
  const result = await run(options);
  const left = unhandled.splice(0).map((fault) => `nobody waited for ${fault instanceof Error ? fault.message : String(fault)}`);
  return { ...result, violations: [...result.violations, ...left] };
}

function createTally({ endsMs, stopsAtFirst, verbose }: Shared) {
  const counts = new Map<string, number>();
  const startedMs = performance.now();
  let runs = 0;
  let broken = 0;
  let firstBroken: string | null = null;

  return {
    counts,
    get runs() {
      return runs;
    },
    isOver: () => performance.now() > endsMs || (stopsAtFirst && broken > 0),
    add(name: string, { violations, counts: counted, traceTail }: RunResult): void {
      runs++;
      for (const [what, by] of counted) counts.set(what, (counts.get(what) ?? 0) + by);
      if (violations.length === 0) return;
      broken++;
      firstBroken ??= name;
      say(
        `${name}:\n${violations
          .slice(0, 5)
          .map((text) => `  ${text}`)
          .join('\n')}`,
      );
      if (broken === 1 && !verbose)
        say(
          traceTail
            .slice(-traceShown)
            .map((line) => `    ${line}`)
            .join('\n'),
        );
    },
    /** Prints what happened; true where no promise was broken. */
    finish(): boolean {
      for (const [what, by] of [...counts].sort(([one], [other]) => (one < other ? -1 : 1))) say(`${by}\t${what}`);
      const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
      say(JSON.stringify({ runs, broken, firstBroken, seconds }));
      return broken === 0;
    },
  };
}
