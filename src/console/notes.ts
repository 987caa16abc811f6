import { button, element } from './dom.js';
import type { MessageKey } from './messages.js';
import type { Ui } from './ui.js';

/** What the list says about itself: why it is empty, what it does not draw, what it could not read. */
export interface Notes {
  render(state: ListState): void;
}

export interface ListState {
  /** `none`: there are rows. */
  readonly empty: 'none' | 'filtered' | 'locked' | 'loading' | 'empty';
  /** New warnings that wait: among them there may be one that the filter lets through. */
  readonly waiting: number;
  /** Rows that are not drawn, and how many of them the next wish draws. */
  readonly hidden: number;
  readonly nextRows: number;
  /** Open warnings that are not held: none may be forgotten because it is not seen. */
  readonly missing: number;
  readonly hasFailed: boolean;
}

export interface NotesActions {
  onClearFilter(): void;
  onUnlock(): void;
  onResume(): void;
  onMore(): void;
  onRetry(): void;
}

export function createNotes(
  ui: Ui,
  parts: { readonly empty: HTMLElement; readonly more: HTMLElement; readonly backlog: HTMLElement },
  actions: NotesActions,
): Notes {
  return {
    render({ empty, waiting, hidden, nextRows, missing, hasFailed }) {
      write(parts.empty, empty !== 'none', `${empty}/${empty === 'filtered' ? waiting : 0}`, () => whyEmpty(empty, waiting));
      write(parts.more, hidden > 0, `${hidden}`, () => [
        element('span', {}, ui.t('hiddenRows', { n: hidden })),
        button(ui.t('moreRows', { n: nextRows }), 'secondary', () => actions.onMore()),
      ]);
      write(parts.backlog, hasFailed || missing > 0, `${hasFailed}/${missing}`, () =>
        hasFailed
          ? [ui.t('backlogFailed'), button(ui.t('retry'), 'secondary', () => actions.onRetry())]
          : [ui.t('backlogCut', { n: missing })],
      );
    },
  };

  /** Changes a note only where it says something else, so that a button in it keeps the focus. */
  function write(target: HTMLElement, isShown: boolean, kind: string, content: () => readonly (Node | string)[]): void {
    const wanted = `${kind}/${ui.language}`;
    if (target.dataset['kind'] === wanted) return;
    target.dataset['kind'] = wanted;
    target.hidden = !isShown;
    target.replaceChildren(...(isShown ? content() : []));
  }

  function whyEmpty(kind: ListState['empty'], waiting: number): readonly Node[] {
    const text = (title: MessageKey, hint?: MessageKey) => [
      element('p', { class: 'no-warnings-title' }, ui.t(title)),
      ...(hint ? [element('p', {}, ui.t(hint))] : []),
    ];
    switch (kind) {
      case 'filtered':
        return [
          ...text('nothingMatches'),
          ...(waiting > 0 ? [button(ui.t('resume', { n: waiting }), 'primary', () => actions.onResume())] : []),
          button(ui.t('clearFilter'), 'secondary', () => actions.onClearFilter()),
        ];
      case 'locked':
        return [...text('lockedTitle', 'lockedHint'), button(ui.t('enterKey'), 'primary', () => actions.onUnlock())];
      case 'loading':
        return [element('span', { class: 'spinner' }), ...text('loading')];
      case 'empty':
        return text('empty', 'emptyHint');
      case 'none':
        return [];
    }
  }
}
