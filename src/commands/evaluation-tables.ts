import type { CaseScore, Evaluation } from '../pipeline/score-evaluation.js';
import { table } from './table.js';

const count = (value: number): string => value.toLocaleString('en');

/** How well the hits meet the labels, as tables for a terminal. */
export function describeEvaluation(labels: Evaluation, hitsByPattern: Readonly<Record<string, number>>): string[] {
  const { overall, accounts, cases, budgets, withShadows } = labels;
  const found = Object.values(labels.byTypology).reduce((sum, typology) => sum + typology.found, 0);
  return [
    table(
      ['pattern', 'hits', 'transactions', 'precision', 'recall', 'accounts', 'precision', 'cases found'],
      Object.entries(labels.byPattern).map(([pattern, row]) => [
        pattern,
        count(hitsByPattern[pattern] ?? 0),
        count(row.hitTransactions),
        percent(row.precision),
        percent(row.recall),
        count(row.accounts.flagged),
        percent(row.accounts.precision),
        count(row.casesFound),
      ]),
    ),
    '',
    `precision ${percent(overall.precision)}, recall ${percent(overall.recall)} over ${count(labels.labelled)} labelled transactions${labels.notScored > 0 ? ` (${count(labels.notScored)} more labels name transactions that were not scored)` : ''}`,
    table(
      ['level', 'labelled', 'hit', 'right', 'precision', 'recall', 'F1'],
      [
        [
          'transactions',
          count(labels.labelled),
          count(labels.hitTransactions),
          count(found),
          percent(overall.precision),
          percent(overall.recall),
          percent(overall.f1),
        ],
        [
          'accounts',
          count(accounts.labelled),
          count(accounts.flagged),
          count(accounts.found),
          percent(accounts.precision),
          percent(accounts.recall),
          percent(accounts.f1),
        ],
        ['cases', count(cases.total), '–', count(cases.found), '–', percent(cases.recall), '–'],
      ],
    ),
    `ranking by strength: ${ranking(overall.prAuc, budgets)}`,
    ...(withShadows.hitTransactions > labels.hitTransactions
      ? [`with the patterns in shadow, which warn nobody: ${ranking(withShadows.overall.prAuc, withShadows.budgets)}`]
      : []),
    `from the first laundering transaction of a case to its first hit: ${delay(cases)}`,
    '',
    table(
      ['typology', 'labelled', 'found', 'recall', 'accounts', 'recall', 'cases', 'recall', 'median', 'p90', 'found by'],
      Object.entries(labels.byTypology).map(([typology, row]) => [
        typology,
        count(row.labelled),
        count(row.found),
        percent(row.recall),
        count(row.accounts.labelled),
        percent(row.accounts.recall),
        count(row.cases.total),
        percent(row.cases.recall),
        duration(row.cases.delaySeconds.median),
        duration(row.cases.delaySeconds.p90),
        Object.entries(row.foundBy)
          .map(([pattern, n]) => `${pattern} ${n}`)
          .join(' '),
      ]),
    ),
  ];
}

function ranking(prAuc: number | null, budgets: Evaluation['budgets']): string {
  const within = budgets.map(({ share, recall }) => `${percent(recall)} at ${(share * 100).toFixed(1)} % of transactions`);
  return `PR-AUC ${prAuc === null ? '–' : prAuc.toFixed(3)}, recall within an alert budget ${within.join(', ')}`;
}

function delay({ found, delaySeconds }: CaseScore): string {
  return found === 0 ? 'no case was found' : `median ${duration(delaySeconds.median)}, p90 ${duration(delaySeconds.p90)}`;
}

export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? '–' : `${(share * 100).toFixed(1)} %`;
}

function duration(seconds: number | null): string {
  if (seconds === null) return '–';
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${(seconds / 3_600).toFixed(1)} h` : `${(seconds / 86_400).toFixed(1)} d`;
}
