import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseRoutes } from '../../src/pipeline/routes-file.js';
import { parseWarningPolicy } from '../../src/pipeline/warning-policy-file.js';
import type { Topic } from '../../src/ports/log.js';
import type { PatternSet } from '../../src/scoring/pattern-set.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';
import { makeStream } from '../support/stream.js';
import { poisonFen } from './engine.js';

/** What is played: patterns, policy and routes as they ship, and small bank days. */
const config = fileURLToPath(new URL('../../config/', import.meta.url));

export const policy = parseWarningPolicy(readFileSync(`${config}warnings.yaml`, 'utf8'), 'config/warnings.yaml');
export const routes = parseRoutes(readFileSync(`${config}routes.yaml`, 'utf8'), 'config/routes.yaml');

export const partitions: Record<Topic, number> = {
  transactions: 3,
  rejected: 1,
  legs: 1,
  hits: 2,
  warnings: 2,
  deliveries: 1,
  commands: 2,
  events: 1,
  controls: 1,
  incoming: 1,
};

/** Few, and each found by one partition alone. */
const small = ['M01', 'M03', 'M05', 'V01'];

/** `first` and `renamed` keep the same state under other versions; `other` keeps another one. */
export interface PatternSets {
  readonly first: PatternSet;
  readonly renamed: PatternSet;
  readonly other: PatternSet;
}

export function compileSets(): PatternSets {
  const sources = shippedPatterns();
  const pickSources = (ids: readonly string[]) => sources.filter(({ file }) => ids.some((id) => file.startsWith(`${id}-`)));
  const raised = (by: number, ids: readonly string[]) =>
    pickSources(ids).map(({ file, text }) => ({
      file,
      text: text.replace(/^version: (\d+)$/m, (_, n) => `version: ${Number(n) + by}`),
    }));
  return {
    first: compileOrThrow(pickSources(small)),
    renamed: compileOrThrow(raised(100, small)),
    other: compileOrThrow(raised(200, [...small, 'M09'])),
  };
}

/** The lines of one bank's day. Accounts of two banks are never the same, so their hits do not depend on each other. */
export function linesOf(bank: number, seed: number, transactions: number, hasPoison: boolean): string[] {
  const lines = makeStream({ transactions, seed: 100 * seed + bank }).map((line) =>
    line
      .replaceAll('4100100', `410010${bank + 1}`)
      .replaceAll('622202', `62220${bank + 3}`)
      .replaceAll('91410100MA', `91410100M${'ABCD'[bank]!}`)
      .replace('"T', `"${'ABCD'[bank]!}`),
  );
  if (hasPoison) {
    const at = Math.floor(transactions / 2);
    lines[at] = lines[at]!.replace(/"amountFen":\d+/, `"amountFen":${poisonFen}`);
  }
  return lines;
}
