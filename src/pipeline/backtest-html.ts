import { formatYuan } from '../domain/money.js';
import { chartsOf } from './backtest-charts.js';
import type { Change, HitExample } from './backtest-changes.js';
import type { BacktestReport } from './backtest-report.js';
import { count, scopeOf, totalRows } from './backtest-rows.js';

/** The report as one HTML file: no script, nothing loaded from elsewhere. */
export function backtestHtml(report: BacktestReport): string {
  const { drafts, history } = report;
  const scope = scopeOf(report);
  const title = `Backtest of ${drafts.map(({ id, version }) => `${id} v${version}`).join(', ')}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p>${count(history.transactions)} transactions and ${count(history.references)} reference records from ${history.from} to ${history.to}, ${count(history.accounts)} accounts with a history; ${count(history.rejected)} records refused.
Set in force <code>${escape(report.patternSets.inForce)}</code>, with the drafts <code>${escape(report.patternSets.draft)}</code>.</p>
${scope === null ? '' : `<p><strong>${escape(scope)}</strong></p>`}
${tableOf(['draft', 'title', 'replaces', 'would hit', 'a thousand transactions', 'accounts', 'warnings'], draftRows(report))}
<h2>What would change</h2>
${tableOf(['', 'in force', 'with the drafts'], totalRows(report))}
${chartsOf(report)
  .map((svg) => `<figure>${svg}</figure>`)
  .join('\n')}
<h2>By pattern</h2>
${tableOf(['pattern', 'hits in force', 'hits with the drafts', 'accounts in force', 'accounts with the drafts', 'new', 'gone'], patternRows(report))}
${changeSection('New hits', report.changes.added)}
${changeSection('Hits that would be gone', report.changes.gone)}
</main>
</body>
</html>
`;
}

const style = `
body { margin: 0; font: 15px/1.5 system-ui, "Noto Sans SC", "Microsoft YaHei", sans-serif; color: #1c2330; background: #fff; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: .75rem 0; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dfe3ea; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; }
.example { border-left: 3px solid #1f6feb; padding: .2rem .8rem; margin: .8rem 0; }
.example p { margin: .2rem 0; } .quiet { color: #5b6577; } code { font-size: .85em; overflow-wrap: anywhere; }
`;

function draftRows({ drafts, wouldFire }: BacktestReport): string[][] {
  return drafts.map(({ id, version, title, replaces }) => {
    const fire = wouldFire[id]!;
    return [
      `${id} v${version}`,
      `${title.zh} · ${title.en}`,
      replaces === null ? 'nothing, it is new' : `version ${replaces}`,
      count(fire.hits),
      fire.hitsPerThousand === null ? '–' : fire.hitsPerThousand.toFixed(2),
      count(fire.accounts),
      count(fire.warnings),
    ];
  });
}

function patternRows({ byPattern, changes }: BacktestReport): string[][] {
  return Object.entries(byPattern).map(([pattern, { inForce, draft }]) => [
    pattern,
    count(inForce.hits),
    count(draft.hits),
    count(inForce.accounts),
    count(draft.accounts),
    count(changes.added.byPattern[pattern] ?? 0),
    count(changes.gone.byPattern[pattern] ?? 0),
  ]);
}

function changeSection(title: string, { hits, examples }: Change): string {
  if (hits === 0) return `<h2>${title}</h2><p>None.</p>`;
  return `<h2>${title}</h2><p>${count(hits)} in all; the first of each pattern:</p>${examples.map(exampleHtml).join('')}`;
}

function exampleHtml({ pattern, version, time, amountFen, payer, payee, reason, condition, severity }: HitExample): string {
  return `<div class="example"><p><strong>${escape(pattern)} v${version}</strong> <span class="quiet">${escape(time)} · ${severity}</span></p>
<p>${escape(payer)} → ${escape(payee)}, CNY ${formatYuan(amountFen)}</p>
<p lang="zh">${escape(reason.zh)}</p><p>${escape(reason.en)}</p><p><code>${escape(condition)}</code></p></div>`;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string => `<td${/^(?:[\d.,%–\s/]|of)+$/.test(text) ? ' class="number"' : ''}>${escape(text)}</td>`;
  return `<table><thead><tr>${head.map((text) => `<th>${escape(text)}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map(cell).join('')}</tr>`)
    .join('')}</tbody></table>`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}
