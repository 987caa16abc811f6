import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleSimulation, type Replacement } from './bundle.js';
import { mutants, type Mutant } from './mutants.js';

const directory = fileURLToPath(new URL('../../node_modules/.cache/huqi-simulation/', import.meta.url));
let bundles = 0;

export interface SimulationEnd {
  readonly code: number | null;
  readonly output: string;
  /** The last line, where it came to one. */
  readonly summary: { runs: number; broken: number; firstBroken: string | null; seconds: number } | null;
}

/** Bundles the simulation, with replacements, and runs it in a process of its own. */
export async function simulateApart(args: readonly string[], replacements: readonly Replacement[] = []): Promise<SimulationEnd> {
  mkdirSync(directory, { recursive: true });
  const outfile = `${directory}${process.pid}-${bundles++}.mjs`;
  try {
    await bundleSimulation(outfile, replacements);
    return await runApart(outfile, args);
  } finally {
    rmSync(outfile, { force: true });
  }
}

function runApart(file: string, args: readonly string[]): Promise<SimulationEnd> {
  const child = spawn(process.execPath, ['--enable-source-maps', file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output, summary: summaryOf(output) }));
  });
}

function summaryOf(output: string): SimulationEnd['summary'] {
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  return last.startsWith('{"runs"') ? (JSON.parse(last) as SimulationEnd['summary']) : null;
}

export interface Verdict {
  readonly mutant: Mutant;
  readonly isCaught: boolean;
  readonly runs: number;
  readonly seconds: number;
  /** The promise that was seen broken. */
  readonly sign: string;
}

/** A mutant is caught where a run ends with a broken promise; one that cannot run is not caught. */
export async function tryMutant(mutant: Mutant, limit: { readonly seeds: number; readonly minutes: number }): Promise<Verdict> {
  const args = ['--seeds', String(limit.seeds), '--minutes', String(limit.minutes), '--first'];
  const { code, output, summary } = await simulateApart(args, [mutant]);
  const isCaught = code === 1 && summary !== null && summary.broken > 0;
  const sign = /\n {2}(.*)/.exec(`\n${output}`)?.[1] ?? '';
  return {
    mutant,
    isCaught,
    runs: summary?.runs ?? 0,
    seconds: summary?.seconds ?? 0,
    sign: summary ? sign : output.slice(0, 300),
  };
}

/** All, so many at once. */
export async function tryMutants(
  atOnce: number,
  limit: { readonly seeds: number; readonly minutes: number },
): Promise<Verdict[]> {
  const left = [...mutants];
  const verdicts: Verdict[] = [];
  const work = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant; mutant = left.shift()) verdicts.push(await tryMutant(mutant, limit));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return mutants.flatMap((mutant) => verdicts.filter((verdict) => verdict.mutant === mutant));
}
