import { loadavg } from 'node:os';
import { percentile } from '../../src/bench/measure.js';
import { table } from '../../src/commands/table.js';
import type { Audit } from './auditor.js';
import type { Bank } from './bank.js';
import type { Disturbances } from './disturbances.js';
import type { Recovery } from './recovery.js';

export interface SoakResult {
  readonly seed: number;
  readonly minutes: number;
  readonly sendingMs: number;
  readonly drainMs: number;
  readonly bank: Pick<Bank, 'counts' | 'refusals'>;
  readonly disturbances: Pick<Disturbances, 'kills' | 'faults'>;
  readonly recoveries: readonly Recovery[];
  readonly unrecovered: readonly string[];
  readonly audit: Audit;
  readonly webhooks: number;
  /** Ends of processes that nobody had killed. */
  readonly endings: readonly string[];
  readonly verify: { readonly code: number | null; readonly verdict: string };
}

export function isGood({ audit, unrecovered, verify, bank }: SoakResult): boolean {
  const { lost, phantom, doubled, wrong } = audit;
  const differences = lost.length + phantom.length + doubled.length + wrong.length;
  return differences + unrecovered.length + bank.counts.rejected === 0 && audit.transactions > 0 && verify.code === 0;
}

export function describe(result: SoakResult): string {
  const { audit, bank, disturbances, recoveries, verify } = result;
  const { repeats } = audit;
  const rows: string[][] = [
    [
      'transactions accepted',
      figure(audit.transactions),
      `${figure(bank.counts.bodies)} bodies, sent again ${bank.counts.resent}`,
    ],
    ['told as resent', figure(bank.counts.duplicates), 'counted once'],
    ['refused', figure(bank.counts.rejected), listed(bank.refusals)],
    [
      'throughput',
      figure((audit.transactions / result.sendingMs) * 1_000),
      'transactions/s, sent and answered through the faults',
    ],
    ['hits', figure(audit.hits), `of patterns whose hits a partition finds by itself; ${repeats.hits} lie on the log twice`],
    ['warnings', figure(audit.warnings), `${repeats.warnings} revisions lie on the log twice, word for word`],
    ['webhooks', figure(result.webhooks), `distinct, verified; ${repeats.webhooks} came again under the same id`],
    ['kills', figure(sum(disturbances.kills)), listed(disturbances.kills)],
    ['network faults', figure(sum(disturbances.faults)), listed(disturbances.faults)],
    ['ended by itself', figure(result.endings.length), 'and started again by the supervisor'],
    ...recoveryRows(recoveries),
    ['drained after', seconds(result.drainMs), 'from the last fault to nothing left to do'],
    ['lost', figure(audit.lost.length), first(audit.lost)],
    ['phantom', figure(audit.phantom.length), first(audit.phantom)],
    ['doubled', figure(audit.doubled.length), first(audit.doubled)],
    ['wrong', figure(audit.wrong.length), first(audit.wrong)],
    ['not recovered', figure(result.unrecovered.length), result.unrecovered.join(', ')],
    ['huqi verify', verify.verdict, verify.code === 0 ? '' : `exit code ${verify.code}`],
  ];
  const load = loadavg()
    .map((one) => one.toFixed(1))
    .join(' ');
  return [
    '',
    table([`soak of ${result.minutes} min`, '', `seed ${result.seed}`], rows),
    '',
    ...result.endings.map((text) => `  ended by itself: ${text.replaceAll(/\s+/g, ' ').slice(0, 400)}`),
    `  load average ${load}`,
    `  ${isGood(result) ? 'nothing lost, nothing doubled, nothing wrong' : 'DIFFERENT from a quiet run'}`,
    '',
  ].join('\n');
}

function recoveryRows(recoveries: readonly Recovery[]): string[][] {
  const components = [...new Set(recoveries.map(({ component }) => component))].toSorted();
  const row = (name: string, times: readonly number[]): string[] => {
    const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
    return [name, seconds(p50), `p50; p99 ${seconds(p99)}, longest ${seconds(Math.max(...times))}, of ${times.length}`];
  };
  if (recoveries.length === 0) return [];
  const times = (of: readonly Recovery[]) => of.map(({ ms }) => ms);
  return [
    row('recovery', times(recoveries)),
    ...components.map((name) => row(`  of ${name}`, times(recoveries.filter(({ component }) => component === name)))),
  ];
}

const figure = (value: number): string => Math.round(value).toLocaleString('en');
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((total, count) => total + count, 0);
const first = (findings: readonly string[]): string => findings.slice(0, 2).join('; ').slice(0, 160);

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
