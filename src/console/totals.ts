import type { StatusSummary } from '../domain/status.js';
import { element, levelShape, setText } from './dom.js';
import { formatDuration } from './format.js';
import type { Ui } from './ui.js';

/** The strip of figures under the header. */
export interface Totals {
  show(status: StatusSummary | null): void;
  relabel(): void;
  /** Unacknowledged warnings as last counted. */
  open(): number;
}

export function createTotals(ui: Ui, strip: HTMLElement): Totals {
  let last: StatusSummary | null = null;
  const figures = new Map<string, HTMLElement>();

  function build(): void {
    figures.clear();
    const tile = (name: string, label: string, className = '', ...extra: readonly Node[]) => {
      const figure = element('span', { class: 'figure' }, '—');
      figures.set(name, figure);
      return element('div', { class: `tile ${className}` }, element('span', { class: 'label' }, ...extra, label), figure);
    };
    const levels = (['red', 'orange', 'yellow', 'blue'] as const).map((level) =>
      tile(level, ui.t(level), `tile-${level}`, levelShape(level)),
    );
    const latency = tile('latency', ui.t('latency'), 'tile-second');
    latency.title = ui.t('latencyHint');
    strip.replaceChildren(
      tile('scored', ui.t('scored'), 'tile-wide'),
      tile('rejected', ui.t('rejected'), 'tile-second'),
      tile('hits', ui.t('hits'), 'tile-second'),
      element('div', { class: 'tile-group' }, ...levels),
      tile('open', ui.t('open'), 'tile-open'),
      latency,
    );
  }

  function write(name: string, value: number): void {
    const figure = figures.get(name);
    if (figure) setText(figure, value.toLocaleString('en-US'));
  }

  function show(status: StatusSummary | null): void {
    last = status ?? last;
    strip.classList.toggle('is-stale', status === null);
    if (last === null) return;
    write('scored', last.transactions.scored);
    write('rejected', last.rejected.total);
    write('hits', last.hits.total);
    write('open', last.warnings.open);
    for (const [level, count] of Object.entries(last.warnings.byLevel)) write(level, count);
    const { p99 } = last.latencyMs;
    const figure = figures.get('latency');
    if (figure) setText(figure, p99 === null ? '—' : formatDuration(p99));
  }

  build();
  return {
    show,
    open: () => last?.warnings.open ?? 0,
    relabel() {
      build();
      show(last);
    },
  };
}
