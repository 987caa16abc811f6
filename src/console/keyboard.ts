/** One key, one deed. Keys do nothing while somebody types or a dialog is open. */
export interface KeyActions {
  isBlocked(): boolean;
  move(step: 1 | -1): void;
  close(): void;
  acknowledge(): void;
  toggleFreeze(): void;
  search(): void;
  help(): void;
}

export function listenToKeys(actions: KeyActions): void {
  document.addEventListener('keydown', (event) => {
    // Escape and letters that steer an input method are not meant for the page.
    if (event.isComposing || event.key === 'Process') return;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || actions.isBlocked()) return;
    const { target } = event;
    const isTyping = target instanceof Element && target.closest('input, textarea, select, form') !== null;
    if (event.key === 'Escape') {
      if (target instanceof HTMLInputElement && target.type === 'search') return target.blur();
      return actions.close();
    }
    if (isTyping) return;
    const deed = choose(event.key, actions, target);
    if (!deed) return;
    event.preventDefault();
    deed();
  });
}

function choose(key: string, actions: KeyActions, target: EventTarget | null): (() => void) | null {
  switch (key.toLowerCase()) {
    case 'j':
      return () => actions.move(1);
    case 'k':
      return () => actions.move(-1);
    case 'arrowdown':
      return ownsArrows(target) ? null : () => actions.move(1);
    case 'arrowup':
      return ownsArrows(target) ? null : () => actions.move(-1);
    case 'a':
      return () => actions.acknowledge();
    case 'f':
      return () => actions.toggleFreeze();
    case '/':
      return () => actions.search();
    case '?':
      return () => actions.help();
    default:
      return null;
  }
}

/** A scrolling text uses the arrows itself. */
function ownsArrows(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('.drawer-body') !== null;
}
