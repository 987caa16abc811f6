import type { StatusSummary } from '../domain/status.js';
import type { PresentedWarning } from '../http/present.js';
import { getJson, Refused, session } from './api.js';
import { createAnnouncer } from './announcer.js';
import { createBacklog } from './backlog.js';
import { createDialogs } from './dialogs.js';
import { byId, oncePerFrame, setText } from './dom.js';
import { createDrawer } from './drawer.js';
import { createFeedModel } from './feed-model.js';
import { createFeedView } from './feed-view.js';
import { createDeeds } from './deeds.js';
import { describeWarning } from './describe.js';
import { writeFixedWords } from './fixed-words.js';
import { formatClock } from './format.js';
import { listenToKeys } from './keyboard.js';
import { createNotes, type ListState } from './notes.js';
import { createPageHistory } from './page-history.js';
import { readLink } from './page-link.js';
import { openStream, type StreamState } from './stream.js';
import { createTools } from './tools.js';
import { createTotals } from './totals.js';
import { createUi, keepLanguage } from './ui.js';

/** The live page: what comes in on the stream, shown, filtered, read and acted on. */

/** Rows drawn at first, and more of them at each wish. */
const rowsStep = 500;
const limits = { closedMax: 500, openMax: 20_000 };
/** So long after the open warnings were read the recent events are there as well. */
const playedBackMs = 300;
/** Narrower than this a list has no room for all columns, and for any. */
const columnsPxMin = { all: 860, any: 680 };
const statusEveryMs = 2_000;
/** So long after the pointer has left the list it goes on by itself. */
const leaveMs = 2_000;
/** Older warnings than this are played back, not announced. */
const urgentMsMax = 60_000;

const ui = createUi();
const parts = {
  feed: byId('feed', HTMLDivElement),
  rows: byId('rows', HTMLTableSectionElement),
  offline: byId('offline', HTMLParagraphElement),
  resume: byId('resume', HTMLButtonElement),
  freeze: byId('freeze', HTMLButtonElement),
  shown: byId('shown', HTMLSpanElement),
  search: byId('search', HTMLInputElement),
  connection: byId('connection', HTMLSpanElement),
  clock: byId('clock', HTMLElement),
  work: byId('work', HTMLDivElement),
};

const announcer = createAnnouncer(ui, {
  urgent: byId('urgent', HTMLDivElement),
  notice: byId('notice', HTMLDivElement),
});
const model = createFeedModel(limits, describe);
const notes = createNotes(
  ui,
  {
    empty: byId('no-warnings', HTMLDivElement),
    more: byId('more', HTMLDivElement),
    backlog: byId('backlog', HTMLParagraphElement),
  },
  {
    onClearFilter: () => tools.clear(),
    onUnlock: () => void unlock(),
    onResume: resume,
    onMore: showMore,
    onRetry: readBacklog,
  },
);
const dialogs = createDialogs(ui, byId('dialog', HTMLDialogElement));
const totals = createTotals(ui, byId('totals', HTMLElement));
const tools = createTools(
  ui,
  { levels: byId('levels', HTMLDivElement), sides: byId('sides', HTMLDivElement), search: parts.search },
  () => {
    rowsMax = rowsStep;
    render();
    link.update();
  },
);
const view = createFeedView(ui, { head: byId('columns', HTMLTableRowElement), body: parts.rows }, open);
const deeds = createDeeds(ui, {
  unlock,
  onWarning(warning) {
    take(warning);
    render();
  },
  notify: (text) => announcer.notify(text),
});
const drawer = createDrawer(ui, byId('drawer', HTMLElement), {
  onClose: close,
  onAcknowledge: (warning) => void deeds.acknowledge(warning),
  onDispose: (warning, disposition) => void deeds.dispose(warning, disposition),
});

let connection: StreamState = { kind: 'connecting' };
let lastLiveMs = 0;
let selectedId: string | null = null;
/** A warning that a link names and that could not be opened yet. */
let wantedId = readLink(location.hash).warning;
/** The one that is read where the list does not hold it: an old one that was closed. */
let guest: PresentedWarning | null = null;
let rowsMax = rowsStep;
/** While what there is already is being read, nothing is new and nothing stands still. */
let isFilling = true;

// What makes the list stand still. `isReleased`: people said to go on, until they turn to the list again.
let isHeld = false;
let isHovered = false;
let isReleased = false;

function settleFreeze(): void {
  const hasFocus = parts.rows.contains(document.activeElement);
  const isStill = isHeld || (!isReleased && (isHovered || selectedId !== null || hasFocus));
  const shouldFreeze = isStill && !isFilling;
  if (shouldFreeze && !model.frozen) model.freeze();
  if (!shouldFreeze && model.frozen) model.resume();
  render();
}

function resume(): void {
  isHeld = false;
  isHovered = false;
  isReleased = true;
  settleFreeze();
  parts.feed.scrollTop = 0;
  // Where the page scrolls and not the list.
  parts.rows.firstElementChild?.scrollIntoView({ block: 'nearest' });
}

function toggleFreeze(): void {
  if (model.frozen) return resume();
  if (model.size === 0) return;
  isHeld = true;
  settleFreeze();
}

function known(id: string | null): PresentedWarning | undefined {
  return id === null ? undefined : (model.get(id) ?? (guest?.id === id ? guest : undefined));
}

/** @returns false where a revision is not new. */
function take(warning: PresentedWarning): boolean {
  if (guest?.id === warning.id && guest.revision < warning.revision) guest = warning;
  return model.apply(warning) !== 'stale';
}

function open(id: string, how: 'pointer' | 'keyboard' | 'move'): void {
  const warning = known(id);
  if (!warning) return;
  wantedId = null;
  selectedId = id;
  isReleased = false;
  drawer.show(warning);
  settleFreeze();
  if (how === 'keyboard') drawer.focus();
  link.update();
}

/** Opens what a link names; the list may not hold it. */
async function openWanted(): Promise<void> {
  const id = wantedId;
  if (id === null) return;
  try {
    guest = known(id) ?? (await getJson<PresentedWarning>(`/v1/warnings/${encodeURIComponent(id)}`));
    if (wantedId === id) open(id, 'move');
  } catch (error) {
    // Whatever else is wrong may pass: it is tried again when the stream is there again.
    if (!(error instanceof Refused && error.status === 404) || wantedId !== id) return;
    announcer.notify(ui.t('warningGone'));
    wantedId = null;
    link.update();
  }
}

function close(): void {
  const id = selectedId;
  selectedId = null;
  wantedId = null;
  drawer.close();
  settleFreeze();
  if (id !== null) view.focus(id);
  link.update();
}

const link = createPageHistory({
  current: () => ({ warning: wantedId ?? selectedId, ...tools.filter() }),
  onWarning: show,
  onLink(state) {
    tools.set(state);
    show(state.warning);
  },
});

function show(id: string | null): void {
  if (id === selectedId) return;
  if (id === null) return close();
  wantedId = id;
  void openWanted();
}

// The first row makes a list that can stand still under the pointer.
const renderSoon = oncePerFrame(settleFreeze);

function render(): void {
  const found = model.visible(tools.filter());
  const warnings = found.slice(0, rowsMax);
  view.render(warnings, selectedId);
  parts.work.classList.toggle('drawer-open', selectedId !== null);
  const selected = known(selectedId);
  if (selected) drawer.show(selected);
  const isFiltered = warnings.length !== model.size;
  setText(parts.shown, isFiltered ? ui.t('shownOf', { n: warnings.length, of: model.size }) : ui.t('shown', { n: model.size }));
  parts.resume.hidden = !model.frozen || model.waiting === 0;
  setText(parts.resume, ui.t('resume', { n: model.waiting }));
  setText(parts.freeze, ui.t(model.frozen ? 'frozen' : 'freeze'));
  parts.freeze.setAttribute('aria-pressed', String(model.frozen));
  parts.feed.setAttribute('aria-busy', String(isFilling));
  const hidden = found.length - warnings.length;
  notes.render({
    empty: whyEmpty(warnings.length),
    waiting: model.waiting,
    hidden,
    nextRows: Math.min(hidden, rowsStep),
    missing: model.isCut ? Math.max(totals.open() - model.open, 1) : 0,
    hasFailed: backlog.state === 'failed',
  });
}

function whyEmpty(rows: number): ListState['empty'] {
  if (rows > 0) return 'none';
  if (model.size > 0) return 'filtered';
  if (connection.kind === 'locked') return 'locked';
  return lastLiveMs > 0 && !isFilling ? 'empty' : 'loading';
}

function showMore(): void {
  const before = view.lastId();
  rowsMax += rowsStep;
  render();
  const next = view.neighbour(before, 1);
  if (next !== null) view.focus(next);
}

const backlog = createBacklog(
  (warnings) => {
    model.fill(warnings);
    renderSoon();
    return !model.isCut;
  },
  () => {
    renderSoon();
    setTimeout(() => {
      isFilling = false;
      settleFreeze();
    }, playedBackMs);
  },
);

function readBacklog(): void {
  isFilling = true;
  settleFreeze();
  backlog.read();
  render();
}

/** Everything that the page prints of a warning: whatever is read there can be searched for. */
let described = new WeakMap<PresentedWarning, string>();
function describe(warning: PresentedWarning): string {
  let text = described.get(warning);
  if (text === undefined) described.set(warning, (text = describeWarning(ui, warning).toLowerCase()));
  return text;
}

const stream = openStream({
  onWarning(warning) {
    if (!take(warning)) return;
    if (warning.level === 'red' && warning.status === 'open' && ui.now() - Date.parse(warning.raisedAt) < urgentMsMax)
      announcer.announce(warning);
    renderSoon();
  },
  onState(state) {
    connection = state;
    if (state.kind === 'live') {
      lastLiveMs = ui.now();
      if (backlog.state === 'unread' || backlog.state === 'failed') readBacklog();
      void openWanted();
    }
    if (state.kind === 'locked') void unlock();
    renderConnection();
    renderSoon();
  },
  onGap() {
    model.clear();
    readBacklog();
  },
});

function renderConnection(): void {
  const words = { connecting: 'connecting', live: 'live', waiting: 'offline', locked: 'locked' } as const;
  setText(parts.connection, ui.t(words[connection.kind]));
  parts.connection.className = `connection is-${connection.kind}`;
  const isOffline = connection.kind === 'waiting' && lastLiveMs > 0;
  // Connecting again is still offline to the reader.
  if (connection.kind !== 'connecting') parts.offline.hidden = !isOffline;
  if (connection.kind === 'waiting' && isOffline) {
    const n = Math.max(1, Math.ceil((connection.retryAtMs - ui.now()) / 1000));
    setText(parts.offline, ui.t('offlineBanner', { n, at: formatClock(lastLiveMs, ui.language).slice(-8) }));
  }
}

async function unlock(problem?: string): Promise<boolean> {
  const hadKey = session.key() !== '';
  if (!(await dialogs.askKey(problem ?? (hadKey ? ui.t('keyRefused') : undefined)))) return false;
  stream.restart();
  return true;
}

async function pollStatus(): Promise<void> {
  try {
    if (connection.kind !== 'locked') totals.show(await getJson<StatusSummary>('/v1/status'));
  } catch {
    totals.show(null);
  }
  setTimeout(() => void pollStatus(), statusEveryMs);
}

function tick(): void {
  const nowMs = ui.now();
  setText(parts.clock, formatClock(nowMs, ui.language));
  if (connection.kind === 'live') lastLiveMs = nowMs;
  else renderConnection();
  view.tick();
  drawer.tick();
}

function changeLanguage(): void {
  ui.language = ui.language === 'zh' ? 'en' : 'zh';
  described = new WeakMap();
  keepLanguage(ui.language);
  writeFixedWords(ui);
  totals.relabel();
  tools.relabel();
  view.reset();
  drawer.relabel();
  renderConnection();
  tick();
  render();
}

function move(step: 1 | -1): void {
  const at = selectedId ?? (parts.rows.contains(document.activeElement) ? view.activeId() : null);
  if (step === 1 && at !== null && at === view.lastId()) showMore();
  const next = view.neighbour(at, step);
  if (next === null) return;
  view.focus(next);
  if (selectedId !== null) open(next, 'move');
}

listenToKeys({
  isBlocked: () => dialogs.isOpen,
  move,
  close() {
    if (!drawer.escape() && selectedId !== null) close();
  },
  acknowledge() {
    const id = selectedId ?? (parts.rows.contains(document.activeElement) ? view.activeId() : null);
    const warning = known(id);
    if (warning?.status === 'open') void deeds.acknowledge(warning);
  },
  toggleFreeze,
  search: () => parts.search.focus(),
  help: () => dialogs.showHelp(),
});

// The way from the list to the button that says to go on must not make the button vanish.
let leaveTimer: ReturnType<typeof setTimeout> | undefined;
for (const place of [parts.feed, parts.resume]) {
  place.addEventListener('pointerenter', () => {
    clearTimeout(leaveTimer);
    if (place === parts.feed) isReleased = false;
    isHovered = true;
    settleFreeze();
  });
  place.addEventListener('pointerleave', () => {
    clearTimeout(leaveTimer);
    leaveTimer = setTimeout(() => {
      isHovered = false;
      settleFreeze();
    }, leaveMs);
  });
}
parts.rows.addEventListener('focusin', () => {
  isReleased = false;
  settleFreeze();
});
parts.rows.addEventListener('focusout', () => setTimeout(settleFreeze, 0));
parts.resume.addEventListener('click', () => {
  resume();
  parts.freeze.focus();
});
parts.freeze.addEventListener('click', toggleFreeze);
byId('language', HTMLButtonElement).addEventListener('click', changeLanguage);
byId('help', HTMLButtonElement).addEventListener('click', () => dialogs.showHelp());
byId('key', HTMLButtonElement).addEventListener('click', () => {
  void dialogs.askKey().then((isEntered) => (isEntered ? stream.restart() : undefined));
});

// Beside the drawer and on small screens columns would leave no room for the scheme.
new ResizeObserver(([pane]) => {
  pane?.target.classList.toggle('is-narrow', pane.contentRect.width < columnsPxMin.all);
  pane?.target.classList.toggle('is-slim', pane.contentRect.width < columnsPxMin.any);
}).observe(byId('pane', HTMLElement));

// Without this the fragment of the address would be that of the link.
byId('skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault();
  const first = view.activeId();
  if (first === null) byId('pane', HTMLElement).focus();
  else view.focus(first);
});

writeFixedWords(ui);
tools.set(readLink(location.hash));
tick();
render();
setInterval(tick, 1_000);
void pollStatus();
