import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { channelNames, deliveryOutcomes } from '../../src/domain/delivery.js';
import { roles } from '../../src/pipeline/run.js';
import { archivedTopics } from '../../src/ports/log.js';
import { warehouseTables } from '../../src/ports/warehouse-rows.js';
import { createMetrics } from '../../src/telemetry/metrics.js';

/** What Grafana shows and what Prometheus alerts on must name metrics that HuQi has, with labels that they have. */

const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../../config/${file}`, import.meta.url)), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat?: string }[];
}
interface Alerts {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly labels: { readonly severity: string };
      readonly annotations: { readonly summary: string };
    }[];
  }[];
}

const registry = new Registry();
createMetrics(registry);
const metrics = new Map(
  registry.getMetricsAsArray().map((metric) => {
    const { name, type, labelNames } = metric as unknown as { name: string; type: string; labelNames: string[] };
    return [name, { type, labelNames }];
  }),
);
/** By Prometheus itself, and by its configuration. */
const ownMetrics = ['up'];
const ownLabels = ['job', 'instance', 'role'];

const dashboard = JSON.parse(read('grafana/huqi.json')) as { uid: string; panels: readonly Panel[] };
const rules = ['prometheus/alerts.yml', 'prometheus/cluster-alerts.yml'].flatMap((file) =>
  (parse(read(file)) as Alerts).groups.flatMap((group) => group.rules),
);
const shown = dashboard.panels.filter(({ type }) => type !== 'row');
const queries = shown.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat = '' }) => ({ place: title, expr, told: legendFormat })),
);
const conditions = rules.map(({ alert, expr, annotations }) => ({ place: alert, expr, told: annotations.summary }));

/** A histogram is stored as three series. */
function metricOf(series: string): { readonly type: string; readonly labelNames: readonly string[] } | undefined {
  const part = /^(.*)_(bucket|sum|count)$/.exec(series);
  const whole = part && metrics.get(part[1]!);
  if (whole && ['histogram', 'summary'].includes(whole.type)) {
    return { ...whole, labelNames: part[2] === 'bucket' ? [...whole.labelNames, 'le'] : whole.labelNames };
  }
  const found = metrics.get(series);
  return found && found.type !== 'histogram' ? found : undefined;
}

const seriesIn = (expr: string): string[] => [...expr.matchAll(/\b(huqi_\w+|up)\b(?=[{[) ]|$)/g)].map(([name]) => name);

describe.each([...queries, ...conditions])('$place: $expr', ({ expr, told }) => {
  it('names metrics that are there', () => {
    const names = seriesIn(expr);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !ownMetrics.includes(name) && !metricOf(name))).toEqual([]);
    // No other word of it looks like a metric.
    expect(expr.match(/\bhuqi_\w+/g) ?? []).toEqual(names.filter((name) => name !== 'up'));
  });

  it('names labels that they have, in matchers, in groupings and in what is told', () => {
    const known = [...ownLabels, ...seriesIn(expr).flatMap((name) => metricOf(name)?.labelNames ?? [])];
    const matchers = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner = '']) => [
      ...inner.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g),
    ]);
    const groupings = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inner = '']) => inner.split(/,\s*/));
    const inText = [...told.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label = '']) => label);
    const named = [...matchers.map(([, label = '']) => label), ...groupings, ...inText];
    expect(named.filter((label) => !known.includes(label))).toEqual([]);
    // What is summed away cannot be told.
    if (groupings.length > 0) expect(inText.filter((label) => !groupings.includes(label))).toEqual([]);
  });

  it('rates counters and reads gauges', () => {
    for (const [, name = ''] of expr.matchAll(/\b(?:rate|increase)\((huqi_\w+)/g)) {
      expect(['counter', 'histogram', 'summary']).toContain(metricOf(name)?.type);
    }
    const rated = new Set([...expr.matchAll(/\b(?:rate|increase)\((huqi_\w+)/g)].map(([, name]) => name));
    for (const name of seriesIn(expr)) if (!rated.has(name) && name !== 'up') expect(metricOf(name)?.type).toBe('gauge');
  });

  it('closes its brackets', () => {
    const open: string[] = [];
    const pairs: Record<string, string> = { ')': '(', '}': '{', ']': '[' };
    for (const sign of expr.replaceAll(/"[^"]*"/g, '')) {
      if ('([{'.includes(sign)) open.push(sign);
      else if (sign in pairs) expect(open.pop()).toBe(pairs[sign]);
    }
    expect(open).toEqual([]);
  });

  it('names groups of consumers and roles that there are', () => {
    for (const [, group = ''] of expr.matchAll(/\bgroup="(\w+)"/g))
      expect(['incoming', 'score', 'warn', 'dispatch', 'archive']).toContain(group);
    for (const [, role = ''] of expr.matchAll(/\brole="(\w+)"/g)) expect(roles).toContain(role);
  });
});

describe('the dashboard', () => {
  it('has a row for each question, and ids of its own for its panels', () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title.split(' · ')[0]);
    expect(rows).toEqual(['Is anybody unwarned?', 'Flow', 'Latency', 'Stores', 'Patterns', 'Processes']);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it('lays its panels side by side, none over another', () => {
    const overlaps = dashboard.panels.flatMap((one, i) =>
      dashboard.panels.slice(i + 1).flatMap((other) => {
        const [a, b] = [one.gridPos, other.gridPos];
        const isOver = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
        return isOver ? [`${one.title} / ${other.title}`] : [];
      }),
    );
    expect(overlaps).toEqual([]);
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x >= 0 && x + w <= 24)).toBe(true);
  });
});

describe('the alerts', () => {
  it('have names of their own, say how urgent they are, and what is wrong in a sentence', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { labels, annotations } of rules) {
      expect(['page', 'ticket']).toContain(labels.severity);
      expect(annotations.summary).toMatch(/[a-z].*[.]$/);
    }
  });

  const exprOf = (alert: string): string => rules.find((rule) => rule.alert === alert)?.expr ?? '';

  it('tell of a process that ends again and again by what outlives it', () => {
    expect(exprOf('CrashLoop')).toMatch(/^changes\(huqi_process_start_time_seconds\{.*\[15m\]\) > 2$/);
    expect(exprOf('AwayAgainAndAgain')).toMatch(/^avg_over_time\(up\{.*\[5m\]\) < 0\.8$/);
    // Counted by a process as its last deed, and not read by anybody any more.
    const lastDeeds = rules.filter(({ expr }) => /huqi_consumer_faults_total|kind="fatal"/.test(expr));
    expect(lastDeeds.map(({ alert }) => alert)).toEqual([]);
  });

  it('tell of silence where no bank has a counter yet, and only of processes that take in', () => {
    expect(exprOf('NothingComesIn')).toMatch(
      /^\(sum\(.*\[30m\]\)\) or vector\(0\)\) == 0 and on\(\) .*role=~"\|http"\}\) > 1800$/,
    );
  });

  it('do not take the memory of a start for a leak', () => {
    const [, window, age] =
      /\[(\d+)h\].* and time\(\) - huqi_process_start_time_seconds > (\d+)$/.exec(exprOf('MemoryGrows')) ?? [];
    expect(Number(age)).toBeGreaterThanOrEqual((Number(window) + 1) * 3_600);
  });

  it('count from the first event on: every counter that they name is there before it', async () => {
    const lines = (await registry.metrics()).split('\n');
    /** Nobody knows the banks beforehand. */
    const openLabels = ['bank'];
    const unseen = rules.flatMap(({ alert, expr }) =>
      [...expr.matchAll(/\b(?:rate|increase)\((huqi_\w+_total)(?:\{([^}]*)\})?/g)].flatMap(([, name = '', matchers = '']) => {
        if (metricOf(name)!.labelNames.some((label) => openLabels.includes(label))) return [];
        const wanted = matchers === '' ? [] : matchers.split(/,\s*/);
        const isThere = lines.some(
          (line) => new RegExp(`^${name}[ {]`).test(line) && wanted.every((matcher) => line.includes(matcher)),
        );
        return isThere ? [] : [`${alert}: ${name}{${matchers}}`];
      }),
    );
    expect(unseen).toEqual([]);
    const series = (name: string): number => lines.filter((line) => line.startsWith(`${name}{`)).length;
    expect(series('huqi_delivery_attempts_total')).toBe(channelNames.length * deliveryOutcomes.length);
    expect(series('huqi_archive_rows_quarantined_total')).toBe(warehouseTables.length);
    expect(series('huqi_partitions_closed_total')).toBe(4 + archivedTopics.length);
  });

  it('watch every part of a cluster', () => {
    const watched = rules.flatMap(({ expr }) =>
      [...expr.matchAll(/absent\(up\{job="huqi", role="(\w+)"\}/g)].map(([, role]) => role),
    );
    // What banks write to the log themselves is taken in beside HTTP.
    expect(watched).toEqual(roles.filter((role) => role !== 'incoming'));
  });
});
