import { readLink, writeLink, type PageState } from './page-link.js';

/** Browsers refuse to change the address many times a second, as typing and J would. */
const settleMs = 250;

interface EntryState {
  /** This entry of the history was made by opening a warning: the list lies before it. */
  readonly isPushed?: boolean;
}

/** Keeps the address after the page: opening a warning is a step in the history, filters are not. */
export function createPageHistory(handlers: {
  current(): PageState;
  /** Back and forward. */
  onWarning(id: string | null): void;
  /** Somebody went to a link within this tab. */
  onLink(state: PageState): void;
}): { update(): void } {
  let entry = readLink(location.hash).warning;
  /** Going back takes a moment; until then the address is not this page's. */
  let isLeaving = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writtenMs = 0;

  const write = (how: 'pushState' | 'replaceState', state: EntryState) => {
    clearTimeout(timer);
    const now = handlers.current();
    entry = now.warning;
    writtenMs = Date.now();
    history[how](state, '', `${location.pathname}${location.search}${writeLink(now)}`);
  };
  const replace = () => write('replaceState', (history.state ?? {}) as EntryState);

  function update(): void {
    if (isLeaving) return;
    const { warning } = handlers.current();
    if (warning !== null && entry === null) return write('pushState', { isPushed: true });
    if (warning === null && entry !== null && (history.state as EntryState | null)?.isPushed) {
      isLeaving = true;
      clearTimeout(timer);
      return history.back();
    }
    entry = warning;
    clearTimeout(timer);
    timer = setTimeout(replace, Math.max(writtenMs + settleMs - Date.now(), 0));
  }

  addEventListener('popstate', (event) => {
    const state = readLink(location.hash);
    entry = state.warning;
    if (isLeaving) isLeaving = false;
    else if (event.state === null) handlers.onLink(state);
    else handlers.onWarning(state.warning);
    update();
  });
  return { update };
}
