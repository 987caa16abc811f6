import { inspect, parseArgs } from 'node:util';
import { installTimers } from './timers.js';

/**
 * What runs in the bundle: seeds one after the other, or a short history with a fault at every call. Its last line is a summary as
 * JSON. Ends with 1 where a promise was broken or a path was never reached, with 2 where it could not run.
 */
installTimers();
const { simulateSeeds, simulateEveryFault } = await import('./simulations.js');

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    exhaustive: { type: 'boolean', default: false },
    pairs: { type: 'string', default: '0' },
    first: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

function numberOf(name: 'seeds' | 'from' | 'minutes' | 'pairs', least: number): number {
  const number = Number(values[name]);
  if (!(number >= least)) throw new RangeError(`--${name} is ${values[name]}; give a number from ${least} on`);
  return number;
}

try {
  const shared = {
    endsMs: performance.now() + numberOf('minutes', 0) * 60_000,
    stopsAtFirst: values.first,
    verbose: values.verbose,
  };
  const from = values.seed === undefined ? numberOf('from', 0) : Number(values.seed);
  const seeds = values.seed === undefined ? numberOf('seeds', 1) : 1;
  const isSound = values.exhaustive
    ? await simulateEveryFault({ ...shared, pairs: numberOf('pairs', 0) })
    : await simulateSeeds({ ...shared, from, seeds });
  process.exitCode = isSound ? 0 : 1;
} catch (fault) {
  process.stderr.write(`${inspect(fault)}\n`);
  process.exitCode = 2;
}
