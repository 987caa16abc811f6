import type { PatternDetail } from '../domain/pattern-views.js';
import type { PresentedWarning } from '../http/present.js';
import { getJson } from './api.js';
import { button, element } from './dom.js';
import { createDispositionForm, type Disposition, type Draft } from './disposition-form.js';
import { fillCountdown, levelBadge } from './feed-view.js';
import { formatAmount, formatDuration, formatFull } from './format.js';
import type { MessageKey } from './messages.js';
import { bankName, regionName } from './places.js';
import { statusKey, type Ui } from './ui.js';

/** The warning that is read, at the right of the feed. */
export interface Drawer {
  show(warning: PresentedWarning): void;
  close(): void;
  /** To the heading, so that a screen reader begins there and Tab goes on to what can be done. */
  focus(): void;
  tick(): void;
  /** True where Escape closed something inside. */
  escape(): boolean;
  /** Writes everything anew in the page's language. */
  relabel(): void;
}

export interface DrawerActions {
  onClose(): void;
  onAcknowledge(warning: PresentedWarning): void;
  onDispose(warning: PresentedWarning, disposition: Disposition): void;
}

export function createDrawer(ui: Ui, aside: HTMLElement, actions: DrawerActions): Drawer {
  const heading = element('h2', { class: 'drawer-name', tabindex: -1 });
  const head = element('header', { class: 'drawer-head' });
  const body = element('div', { class: 'drawer-body', tabindex: 0, role: 'group' });
  const foot = element('footer', { class: 'drawer-foot' });
  const countdown = element('span', { class: 'countdown' });
  const conditions = createConditions();
  let current: PresentedWarning | null = null;
  let isDisposing = false;
  /** What was typed about a warning stays, whatever is looked at in between. */
  const drafts = new Map<string, Draft>();
  aside.append(head, body, foot);

  function fillHead(warning: PresentedWarning): void {
    heading.textContent = ui.name(warning.subject);
    const close = button('✕', 'quiet close', () => actions.onClose());
    close.setAttribute('aria-label', ui.t('close'));
    const status = element('span', { class: `status status-${warning.status}` }, ui.t(statusKey(warning)));
    const left = element('span', { class: 'left small' }, ...(warning.status === 'open' ? [ui.t('remaining'), countdown] : []));
    head.className = `drawer-head level-${warning.level}`;
    head.replaceChildren(
      element('div', { class: 'drawer-line' }, levelBadge(ui, warning.level), status, left, close),
      heading,
      element(
        'p',
        { class: 'drawer-title' },
        ui.say(warning.title),
        element('strong', {}, warning.amountFen > 0 ? formatAmount(warning.amountFen, warning.currency, ui.language) : ''),
        element('span', { class: 'small' }, ui.hits(warning.hitCount)),
      ),
    );
    fillCountdown(ui, countdown, warning);
  }

  function fillBody(warning: PresentedWarning): void {
    body.setAttribute('aria-label', ui.t('detail'));
    const isSuspect = warning.side === 'mule' || warning.suspected === true;
    const mule = isSuspect ? [element('p', { class: 'caution' }, ui.t('muleNotice'))] : [];
    body.replaceChildren(
      ...mule,
      section(ui.t('why'), element('p', { class: 'why' }, ui.say(warning.reason))),
      section(ui.t('advice'), element('p', { class: 'advice' }, ui.say(warning.advice))),
      ...outcome(ui, warning),
      section(ui.t('evidence'), hits(ui, warning, conditions)),
      section(ui.t('facts'), facts(ui, warning)),
    );
  }

  function fillFoot(warning: PresentedWarning, takesFocus = false): void {
    foot.classList.toggle('has-form', isDisposing);
    if (isDisposing) {
      const form = createDispositionForm(ui, drafts.get(warning.id), {
        onCancel: () => finishDisposing(warning),
        onSubmit: (disposition) => actions.onDispose(warning, disposition),
        onDraft: (draft) => keepDraft(warning.id, draft),
      });
      foot.replaceChildren(form.element);
      if (takesFocus) form.focus();
      return;
    }
    const acknowledge = button(ui.t('acknowledge'), 'primary', () => actions.onAcknowledge(warning));
    acknowledge.append(element('kbd', {}, 'A'));
    const dispose = button(ui.t(drafts.has(warning.id) ? 'disposeDraft' : 'dispose'), 'secondary', () => openDisposition());
    foot.replaceChildren(
      ...(warning.status === 'open' ? [acknowledge] : []),
      ...(warning.status === 'disposed' ? [] : [dispose]),
    );
    foot.hidden = warning.status === 'disposed';
  }

  /** What is written anew loses the focus: it goes to what stands there now, else to the heading. */
  function keepFocus(write: () => void): void {
    const { activeElement } = document;
    const place = [head, body, foot].find((part) => part.contains(activeElement));
    const isHeading = activeElement === heading;
    write();
    if (!place || place.contains(document.activeElement)) return;
    const next = place === body ? body : isHeading ? heading : place.querySelector('button');
    (place.hidden ? heading : (next ?? heading)).focus();
  }

  function keepDraft(id: string, draft: Draft): void {
    if (draft.verdict === undefined && draft.note.trim() === '') drafts.delete(id);
    else drafts.set(id, draft);
  }

  function openDisposition(): void {
    if (current === null || current.status === 'disposed') return;
    isDisposing = true;
    fillFoot(current, true);
  }

  function finishDisposing(warning: PresentedWarning): void {
    isDisposing = false;
    fillFoot(warning);
    foot.querySelector('button')?.focus();
  }

  return {
    show(warning) {
      const isSame = current?.id === warning.id;
      if (isSame && current === warning && !aside.hidden) return;
      // What is being typed survives a new revision, except the one that ends it.
      if (!isSame || warning.status === 'disposed') isDisposing = false;
      if (warning.status === 'disposed') drafts.delete(warning.id);
      current = warning;
      aside.hidden = false;
      const top = body.scrollTop;
      keepFocus(() => {
        fillHead(warning);
        fillBody(warning);
        if (!isDisposing) fillFoot(warning);
      });
      body.scrollTop = isSame ? top : 0;
    },
    close() {
      aside.hidden = true;
      isDisposing = false;
      current = null;
    },
    focus: () => heading.focus(),
    tick() {
      if (current) fillCountdown(ui, countdown, current);
    },
    escape() {
      if (!isDisposing || current === null) return false;
      finishDisposing(current);
      return true;
    },
    relabel() {
      if (current === null) return;
      const warning = current;
      keepFocus(() => {
        fillHead(warning);
        fillBody(warning);
        fillFoot(warning);
      });
    },
  };
}

function section(title: string, ...content: readonly Node[]): HTMLElement {
  return element('section', {}, element('h3', {}, title), ...content);
}

function facts(ui: Ui, warning: PresentedWarning): HTMLElement {
  const { subject } = warning;
  const delay = Date.parse(warning.raisedAt) - Date.parse(warning.receivedAt);
  const raised = `${formatFull(warning.raisedAt)}${delay >= 0 ? ` · ${ui.t('delay', { n: formatDuration(delay) })}` : ''}`;
  const entries: readonly (readonly [MessageKey, string])[] = [
    ...(subject.shared ? [['sharedThing', ui.shared(subject.shared)] as const] : []),
    ['account', subject.account],
    ['creditCode', subject.creditCode ?? '—'],
    ['bank', `${bankName(subject.bank, ui.language)}${subject.bank === undefined ? '' : ` · ${subject.bank}`}`],
    ['region', regionName(subject.region, ui.language)],
    ['firstTime', formatFull(warning.firstTime)],
    ['lastTime', formatFull(warning.lastTime)],
    ['raisedAt', raised],
    ['due', formatFull(warning.dueAt)],
    ['score', warning.score.toFixed(2)],
    ['audience', warning.audience.map((name) => ui.t(name)).join(ui.language === 'zh' ? '、' : ', ')],
  ];
  const list = element('dl', { class: 'facts' });
  for (const [key, value] of entries) list.append(element('dt', {}, ui.t(key)), element('dd', {}, value));
  return list;
}

/** What people have done so far. */
function outcome(ui: Ui, warning: PresentedWarning): HTMLElement[] {
  const lines: HTMLElement[] = [];
  if (warning.acknowledgedAt !== undefined) {
    const at = formatFull(warning.acknowledgedAt);
    lines.push(element('p', {}, ui.t('acknowledgedBy', { at, by: warning.acknowledgedBy ?? '—' })));
  }
  for (const { at, by, note } of warning.acknowledgedAgain ?? []) {
    const text = ui.t('acknowledgedBy', { at: formatFull(at), by });
    lines.push(element('p', {}, note === undefined ? text : `${text} · ${note}`));
  }
  // Earlier releases kept the disposition that stood and not who had found it.
  const { verdict, note, dispositions = verdict === undefined ? [] : [{ verdict, note }] } = warning;
  for (const found of dispositions) {
    const who = 'by' in found ? ` · ${ui.t('disposedBy', { at: formatFull(found.at), by: found.by })}` : '';
    const said = found.note === undefined ? '' : ` · ${found.note}`;
    lines.push(element('p', {}, element('strong', {}, ui.t(found.verdict)), who, said));
  }
  if (warning.appeal !== undefined) {
    const { at, by, text } = warning.appeal;
    lines.push(element('p', {}, `${ui.t('appealed', { at: formatFull(at) })} ${by}：${text}`));
  }
  return lines.length === 0 ? [] : [section(ui.t('disposedAs'), ...lines)];
}

function hits(ui: Ui, warning: PresentedWarning, conditions: Conditions): HTMLElement {
  const list = element('ol', { class: 'hits' });
  for (const hit of warning.hits) {
    const { counterparty } = hit;
    const other = counterparty
      ? [counterparty.name, counterparty.account, bankName(counterparty.bank, ui.language)].filter((part) => part && part !== '—')
      : [];
    const details = element('details', {}, element('summary', {}, ui.t('condition')));
    details.addEventListener('toggle', () => {
      if (details.open && details.childElementCount === 1) void conditions.write(hit.pattern, details, ui);
    });
    const code = hit.bankCode === undefined ? '' : ` · ${ui.t('bankCode')} ${hit.bankCode}`;
    list.append(
      element(
        'li',
        { class: `hit severity-${hit.severity}` },
        element(
          'div',
          { class: 'hit-head' },
          element('span', { class: 'pattern' }, hit.pattern),
          element('strong', {}, ui.say(hit.title)),
          element(
            'span',
            { class: 'hit-amount' },
            counterparty ? formatAmount(hit.amountFen, warning.currency, ui.language) : '',
          ),
        ),
        element('p', {}, ui.say(hit.reason)),
        element(
          'p',
          { class: 'small' },
          `${formatFull(hit.time)}${counterparty ? ` · ${ui.t('counterparty')} ${other.join(' ')}` : ''}`,
        ),
        element(
          'p',
          { class: 'small' },
          `${ui.t(counterparty ? 'transaction' : 'record')} ${hit.transaction} · ${ui.t('version', { n: hit.version })}${code}`,
        ),
        details,
      ),
    );
  }
  const missing = warning.hitCount - warning.hits.length;
  if (missing > 0) list.append(element('li', { class: 'small' }, ui.t('moreHits', { n: missing })));
  return list;
}

interface Conditions {
  write(pattern: string, target: HTMLElement, ui: Ui): Promise<void>;
}

/** A pattern's condition is read when somebody wants to see it, once. */
function createConditions(): Conditions {
  const known = new Map<string, Promise<PatternDetail>>();
  return {
    async write(pattern, target, ui) {
      let reading = known.get(pattern);
      if (!reading) known.set(pattern, (reading = getJson<PatternDetail>(`/v1/patterns/${encodeURIComponent(pattern)}`)));
      try {
        const { condition } = await reading;
        if (target.childElementCount === 1) target.append(element('code', {}, condition));
      } catch {
        known.delete(pattern);
        if (target.childElementCount === 1) target.append(element('p', { class: 'small' }, ui.t('conditionMissing')));
      }
    },
  };
}
