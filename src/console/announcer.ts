import type { PresentedWarning } from '../http/present.js';
import { setText } from './dom.js';
import { formatAmount } from './format.js';
import type { Ui } from './ui.js';

const gatherMs = 1_000;
const noticeMs = 4_000;

/** What is said aside: red warnings to screen readers at once, the outcome of a deed to everyone for a moment. */
export function createAnnouncer(
  ui: Ui,
  parts: { readonly urgent: HTMLElement; readonly notice: HTMLElement },
): { announce(warning: PresentedWarning): void; notify(text: string): void } {
  let unspoken = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  return {
    // Several within a second are counted, not read out one by one.
    announce(warning) {
      unspoken++;
      if (unspoken > 1) return;
      setTimeout(() => {
        const amount = formatAmount(warning.amountFen, warning.currency, ui.language);
        const one = ui.t('urgentOne', { name: ui.name(warning.subject), amount, title: ui.say(warning.title) });
        setText(parts.urgent, unspoken === 1 ? one : ui.t('urgentMany', { n: unspoken }));
        unspoken = 0;
      }, gatherMs);
    },
    notify(text) {
      setText(parts.notice, text);
      parts.notice.classList.add('is-shown');
      clearTimeout(timer);
      timer = setTimeout(() => parts.notice.classList.remove('is-shown'), noticeMs);
    },
  };
}
