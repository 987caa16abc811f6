import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { levels, type Level } from '../domain/warning.js';
import type { BacktestReport, BothSides } from './backtest-report.js';

/** The report's plots as SVG, drawn here: the file that holds them needs nothing from anywhere. */

use([BarChart, LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

const width = 900;
const height = 300;
export const inForceColour = '#8a94a6';
export const draftColour = '#1f6feb';
const levelColours: Readonly<Record<Level, string>> = { blue: '#4c8dff', yellow: '#f2c037', orange: '#f08c2e', red: '#d64545' };
const font = 'system-ui, "Noto Sans SC", "Microsoft YaHei", sans-serif';

export function chartsOf(report: BacktestReport): string[] {
  return [
    hitsADay(report),
    warningsADay(report),
    enterpriseLoad(report),
    ...(report.evaluation ? [recallByTypology(report, report.evaluation)] : []),
  ];
}

function hitsADay({ days }: BacktestReport): string {
  return draw('Hits a day', {
    xAxis: { type: 'category', data: days.map(({ day }) => day) },
    yAxis: { type: 'value' },
    series: [
      line(
        'in force',
        inForceColour,
        days.map(({ hits }) => hits.inForce),
      ),
      line(
        'with the drafts',
        draftColour,
        days.map(({ hits }) => hits.draft),
      ),
    ],
  });
}

function warningsADay({ days }: BacktestReport): string {
  const total = (counts: Readonly<Record<Level, number>>): number => levels.reduce((sum, level) => sum + counts[level], 0);
  return draw('Warnings a day: with the drafts by level, in force as a line', {
    xAxis: { type: 'category', data: days.map(({ day }) => day) },
    yAxis: { type: 'value' },
    series: [
      ...levels.map((level) => ({
        type: 'bar' as const,
        name: level,
        stack: 'draft',
        itemStyle: { color: levelColours[level] },
        data: days.map(({ warnings }) => warnings.draft[level]),
      })),
      line(
        'in force',
        inForceColour,
        days.map(({ warnings }) => total(warnings.inForce)),
      ),
    ],
  });
}

/** More warnings than this in a month stand in one bar. */
const loadMax = 12;

function enterpriseLoad({ load }: BacktestReport): string {
  const bars = Array.from({ length: loadMax }, (_, i) => i + 1);
  const counts = (histogram: Readonly<Record<string, number>>): number[] =>
    bars.map((bar) =>
      Object.entries(histogram)
        .filter(([n]) => (bar === loadMax ? Number(n) >= bar : Number(n) === bar))
        .reduce((sum, [, months]) => sum + months, 0),
    );
  return draw('Enterprises by the warnings that they get in a month', {
    xAxis: { type: 'category', data: bars.map((bar) => (bar === loadMax ? `${bar} +` : String(bar))) },
    yAxis: { type: 'value' },
    series: [
      bar('in force', inForceColour, counts(load.inForce.histogram)),
      bar('with the drafts', draftColour, counts(load.draft.histogram)),
    ],
  });
}

function recallByTypology(
  _report: BacktestReport,
  evaluation: BothSides<{ readonly byTypology: Readonly<Record<string, { readonly recall: number | null }>> }>,
): string {
  const typologies = Object.keys(evaluation.inForce.byTypology);
  const recalls = (side: keyof typeof evaluation): number[] =>
    typologies.map((typology) => Math.round((evaluation[side].byTypology[typology]?.recall ?? 0) * 1_000) / 10);
  return draw('Recall by typology, % of the labelled transactions', {
    xAxis: { type: 'category', data: typologies, axisLabel: { rotate: typologies.length > 10 ? 45 : 0 } },
    yAxis: { type: 'value', max: 100 },
    series: [bar('in force', inForceColour, recalls('inForce')), bar('with the drafts', draftColour, recalls('draft'))],
  });
}

function line(name: string, color: string, data: readonly number[]) {
  return { type: 'line' as const, name, data: [...data], symbol: 'none', lineStyle: { color, width: 2 }, itemStyle: { color } };
}

function bar(name: string, color: string, data: readonly number[]) {
  return { type: 'bar' as const, name, data: [...data], itemStyle: { color } };
}

function draw(title: string, option: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: font },
      title: { text: title, left: 0, top: 0, textStyle: { fontSize: 14, fontFamily: font } },
      legend: { right: 30, top: 0 },
      grid: { left: 50, right: 10, top: 40, bottom: 40 },
      ...option,
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
