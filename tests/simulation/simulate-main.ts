import { parseArgs } from 'node:util';
import { installTimers } from './timers.js';

/** What runs in the bundle: the runs of a range of seeds, one after the other. */
installTimers();
const { run } = await import('./run.js');

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const totals = new Map<string, number>();
let failed = 0;
const unhandled: unknown[] = [];
const kinds = new Map<string, number[]>();
const startedMs = performance.now();
process.on('unhandledRejection', (fault) => {
  unhandled.push(fault);
});
for (let seed = first; seed < first + count; seed++) {
  const result = await run({ seed, verbose: values.verbose });
  for (const fault of unhandled.splice(0)) {
    const text = `unhandled ${fault instanceof Error ? fault.message : String(fault)}`;
    if (result.violations.length === 0) failed++;
    kinds.set(text, [...(kinds.get(text) ?? []), seed]);
  }
  for (const [name, by] of result.counts) totals.set(name, (totals.get(name) ?? 0) + by);
  if (result.violations.length > 0) {
    failed++;
    for (const text of result.violations.slice(0, 1)) {
      const kind = text.replace(/[^:]*stopped/, 'x stopped').replace(/[\w-]{20}\S*/g, '_').replace(/\d+/g, 'N').slice(0, 80);
      kinds.set(kind, [...(kinds.get(kind) ?? []), seed]);
    }
    console.log(`seed ${seed}: ${result.violations.slice(0, 3).join('\n  ')}`);
    if (values.seed !== undefined && !values.verbose) console.log(result.traceTail.slice(-80).join('\n'));
  }
}
console.log([...totals].sort().map(([name, n]) => `${n}\t${name}`).join('\n'));
for (const [kind, seeds] of kinds) console.log(`${seeds.length}x ${kind}   ${seeds.slice(0, 8).join(' ')}`);
console.log(`${count} seeds, ${failed} failed, ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
