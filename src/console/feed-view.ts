import type { PresentedWarning } from '../http/present.js';
import { element, levelShape, setText } from './dom.js';
import { formatAmount, formatCountdown, formatMoment } from './format.js';
import type { MessageKey } from './messages.js';
import { bankName, regionName } from './places.js';
import { statusKey, type Ui } from './ui.js';

/** The table of warnings: rows are kept per warning and only moved, so that focus and reading place survive. */
export interface FeedView {
  render(warnings: readonly PresentedWarning[], selectedId: string | null): void;
  /** Moves the countdowns on. */
  tick(): void;
  /** Forgets all rows, e.g. when the language changes. */
  reset(): void;
  /** The row that has the focus, or would get it. */
  activeId(): string | null;
  focus(id: string): void;
  neighbour(id: string | null, step: 1 | -1): string | null;
  lastId(): string | null;
}

interface Row {
  readonly id: string;
  readonly line: HTMLTableRowElement;
  readonly countdown: HTMLElement;
  warning: PresentedWarning;
}

const columns: readonly (readonly [name: string, title: MessageKey])[] = [
  ['level', 'level'],
  ['enterprise', 'columnEnterprise'],
  ['amount', 'amount'],
  ['reason', 'reason'],
  ['place', 'place'],
  ['time', 'eventTime'],
  ['remaining', 'remaining'],
  ['status', 'status'],
];
const newMs = 2_500;

export function createFeedView(
  ui: Ui,
  parts: { readonly head: HTMLTableRowElement; readonly body: HTMLTableSectionElement },
  onOpen: (id: string, how: 'pointer' | 'keyboard') => void,
): FeedView {
  const rows = new Map<string, Row>();
  let order: readonly string[] = [];
  let active: string | null = null;

  parts.body.addEventListener('click', (event) => {
    const id = rowOf(event.target)?.dataset['id'];
    if (id !== undefined) onOpen(id, 'pointer');
  });
  parts.body.addEventListener('keydown', (event) => {
    const id = rowOf(event.target)?.dataset['id'];
    if (id === undefined || (event.key !== 'Enter' && event.key !== ' ')) return;
    event.preventDefault();
    onOpen(id, 'keyboard');
  });
  parts.body.addEventListener('focusin', (event) => {
    const id = rowOf(event.target)?.dataset['id'];
    if (id !== undefined) setActive(id);
  });
  writeHead();

  /** One row is in the tab order (roving tabindex). */
  function setActive(id: string | null): void {
    if (active !== null) rows.get(active)?.line.setAttribute('tabindex', '-1');
    active = id;
    if (id !== null) rows.get(id)?.line.setAttribute('tabindex', '0');
  }

  function writeHead(): void {
    parts.head.replaceChildren(
      ...columns.map(([name, title]) => element('th', { scope: 'col', role: 'columnheader', class: `c-${name}` }, ui.t(title))),
    );
  }

  return {
    render(warnings, selectedId) {
      order = warnings.map(({ id }) => id);
      const kept = new Set(order);
      for (const [id, row] of rows) {
        if (kept.has(id)) continue;
        row.line.remove();
        rows.delete(id);
      }
      let place: Element | null = parts.body.firstElementChild;
      for (const warning of warnings) {
        let row = rows.get(warning.id);
        if (!row) rows.set(warning.id, (row = makeRow(ui, warning)));
        else if (row.warning !== warning) {
          row.warning = warning;
          fillRow(ui, row);
        }
        row.line.setAttribute('aria-selected', String(warning.id === selectedId));
        if (row.line === place) place = place.nextElementSibling;
        else parts.body.insertBefore(row.line, place);
      }
      // Who comes to the list by Tab begins at the warning that is read, or at the top.
      const isInside = active !== null && kept.has(active) && parts.body.contains(document.activeElement);
      if (!isInside) setActive(selectedId !== null && kept.has(selectedId) ? selectedId : (order[0] ?? null));
    },
    tick() {
      for (const row of rows.values()) fillCountdown(ui, row.countdown, row.warning);
    },
    reset() {
      for (const row of rows.values()) row.line.remove();
      rows.clear();
      writeHead();
    },
    activeId: () => active,
    focus(id) {
      setActive(id);
      const line = rows.get(id)?.line;
      line?.focus({ preventScroll: true });
      line?.scrollIntoView({ block: 'nearest' });
    },
    neighbour(id, step) {
      const at = id === null ? -1 : order.indexOf(id);
      if (at < 0) return order[0] ?? null;
      return order[at + step] ?? null;
    },
    lastId: () => order.at(-1) ?? null,
  };
}

function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('tr[data-id]') : null;
}

function makeRow(ui: Ui, warning: PresentedWarning): Row {
  const line = element('tr', { role: 'row', 'data-id': warning.id, tabindex: -1 });
  const row = { id: warning.id, line, countdown: element('span', { class: 'countdown' }), warning };
  fillRow(ui, row);
  if (ui.now() - Date.parse(warning.raisedAt) < newMs) {
    line.classList.add('is-new');
    setTimeout(() => line.classList.remove('is-new'), newMs);
  }
  return row;
}

function fillRow(ui: Ui, { line, countdown, warning }: Row): void {
  const { language } = ui;
  const { subject } = warning;
  const { shared } = subject;
  const name = ui.name(subject);
  const amount = warning.amountFen > 0 ? formatAmount(warning.amountFen, warning.currency, language) : '—';
  const at = formatMoment(warning.lastTime, ui.now());
  line.className = `row level-${warning.level} is-${warning.status}${line.classList.contains('is-new') ? ' is-new' : ''}`;
  fillCountdown(ui, countdown, warning);
  const mule = warning.side === 'mule' ? [element('span', { class: 'tag' }, ui.t('mule'))] : [];
  line.replaceChildren(
    element('td', { role: 'gridcell', class: 'c-level' }, levelBadge(ui, warning.level)),
    cell('c-enterprise', [name], shared ? ui.shared(shared) : name === subject.account ? ui.t('nameless') : subject.account),
    cell('c-amount', [amount], ui.hits(warning.hitCount)),
    cell('c-reason', [...mule, ui.say(warning.title)], ui.say(warning.reason)),
    cell('c-place', [bankName(subject.bank, language)], regionName(subject.region, language)),
    cell('c-time', [at.time], at.date),
    element('td', { role: 'gridcell', class: 'c-remaining' }, countdown),
    element(
      'td',
      { role: 'gridcell', class: 'c-status' },
      element('span', { class: `status status-${warning.status}` }, ui.t(statusKey(warning))),
    ),
  );
}

function cell(className: string, main: readonly (Node | string)[], small: string): HTMLTableCellElement {
  return element(
    'td',
    // A row that is stacked is a grid to the browser: its cells have to say that they are cells.
    { role: 'gridcell', class: className },
    element('div', { class: 'main' }, ...main),
    element('div', { class: 'small' }, small),
  );
}

export function levelBadge(ui: Ui, level: PresentedWarning['level']): HTMLElement {
  return element('span', { class: `badge badge-${level}` }, levelShape(level), ui.t(level));
}

/** Time left matters while nobody has acknowledged. */
export function fillCountdown(ui: Ui, target: HTMLElement, warning: PresentedWarning): void {
  if (warning.status !== 'open') {
    setText(target, '—');
    target.className = 'countdown is-over';
    return;
  }
  const dueMs = Date.parse(warning.dueAt);
  const left = formatCountdown(dueMs, ui.now());
  setText(target, left ?? ui.t('overdue'));
  const isShort = dueMs - ui.now() < 120_000;
  target.className = left === null ? 'countdown is-late' : isShort ? 'countdown is-short' : 'countdown';
}
