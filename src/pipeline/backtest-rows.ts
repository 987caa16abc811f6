import { levels } from '../domain/warning.js';
import type { BacktestReport, BothSides } from './backtest-report.js';

/** The figures of both sides, row by row: what, in force, with the drafts. */
export function totalRows({ hits, warnings, load, changes, evaluation }: BacktestReport): string[][] {
  const row = <T>(what: string, { inForce, draft }: BothSides<T>, show: (side: T) => string): string[] => [
    what,
    show(inForce),
    show(draft),
  ];
  return [
    row('hits', hits, count),
    row('warnings', warnings, ({ total }) => count(total)),
    ...levels.toReversed().map((level) => row(`  ${level}`, warnings, ({ byLevel }) => count(byLevel[level]))),
    row('  told to the enterprise', warnings, ({ toEnterprise }) => count(toEnterprise)),
    row('enterprises warned', load, ({ enterprises }) => count(enterprises)),
    row('  warnings a month, median', load, ({ median }) => figure(median)),
    row('  warnings a month, 95 of 100 below', load, ({ p95 }) => figure(p95)),
    row('  warnings a month, most', load, ({ max }) => figure(max)),
    ['hits new / gone', '–', `${count(changes.added.hits)} / ${count(changes.gone.hits)}`],
    ['warnings new / gone', '–', `${count(changes.warnings.added)} / ${count(changes.warnings.gone)}`],
    ['warnings risen / fallen in level', '–', `${count(changes.warnings.risen)} / ${count(changes.warnings.fallen)}`],
    ...(evaluation
      ? [
          row('precision', evaluation, ({ overall }) => percent(overall.precision)),
          row('recall', evaluation, ({ overall }) => percent(overall.recall)),
          row('F1', evaluation, ({ overall }) => percent(overall.f1)),
          row('cases found', evaluation, ({ cases }) => `${count(cases.found)} of ${count(cases.total)}`),
        ]
      : []),
  ];
}

/** What to tell who reads only the figures; null where every pattern took part. */
export function scopeOf({ alone }: BacktestReport): string | null {
  return alone
    ? 'The drafts and what they replace, without the other patterns: warnings and levels are those that these would make by themselves.'
    : null;
}

export function count(value: number): string {
  return value.toLocaleString('en');
}

function figure(value: number | null): string {
  return value === null ? '–' : count(value);
}

function percent(share: number | null): string {
  return share === null ? '–' : `${(share * 100).toFixed(1)} %`;
}
