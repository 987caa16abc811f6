import { session } from './api.js';
import { button, element } from './dom.js';
import type { MessageKey } from './messages.js';
import type { Ui } from './ui.js';

/** The page's one dialog: keyboard help, or the question for a key. */
export interface Dialogs {
  showHelp(): void;
  /** True when a key was entered. A second question while one is open waits for the same answer. */
  askKey(problem?: string): Promise<boolean>;
  readonly isOpen: boolean;
}

const keys: readonly (readonly [keys: readonly string[], meaning: MessageKey])[] = [
  [['J', '↓'], 'helpMove'],
  [['K', '↑'], 'helpMove'],
  [['Enter'], 'helpOpen'],
  [['Esc'], 'helpClose'],
  [['A'], 'helpAck'],
  [['F'], 'helpFreeze'],
  [['/'], 'helpSearch'],
  [['?'], 'helpHelp'],
];

export function createDialogs(ui: Ui, dialog: HTMLDialogElement): Dialogs {
  let asking: Promise<boolean> | null = null;

  function open(title: string, ...content: readonly Node[]): void {
    dialog.setAttribute('aria-label', title);
    dialog.replaceChildren(element('h2', {}, title), ...content);
    // Closing what is open first would answer the new question with the old one's end, which is told later.
    if (!dialog.open) dialog.showModal();
  }

  function ask(problem: string | undefined): Promise<boolean> {
    const key = element('input', { id: 'key-input', type: 'password', autocomplete: 'off', required: true, maxlength: 512 });
    const officer = element('input', {
      id: 'officer-input',
      type: 'text',
      autocomplete: 'off',
      maxlength: 64,
      value: session.officer(),
    });
    const form = element(
      'form',
      { class: 'key-form' },
      element('p', { class: problem === undefined ? 'small' : 'problem', role: 'status' }, problem ?? ui.t('lockedHint')),
      element('label', { for: 'key-input' }, ui.t('keyLabel')),
      key,
      element('label', { for: 'officer-input' }, ui.t('nameLabel')),
      officer,
      element(
        'div',
        { class: 'actions' },
        element('button', { type: 'submit', class: 'primary' }, ui.t('keySave')),
        ...(session.key() === ''
          ? []
          : [
              button(ui.t('keyForget'), 'secondary', () => {
                session.forget();
                location.reload();
              }),
            ]),
        button(ui.t('cancel'), 'secondary', () => dialog.close()),
      ),
    );
    open(ui.t('keyTitle'), form);
    key.focus();
    return new Promise((resolve) => {
      let isEntered = false;
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        isEntered = true;
        session.keep(key.value.trim(), officer.value.trim());
        dialog.close();
      });
      dialog.addEventListener('close', function end() {
        if (dialog.open) return;
        dialog.removeEventListener('close', end);
        resolve(isEntered);
      });
    });
  }

  return {
    showHelp() {
      const list = element('dl', { class: 'keys' });
      for (const [names, meaning] of keys) {
        list.append(element('dt', {}, ...names.map((name) => element('kbd', {}, name))), element('dd', {}, ui.t(meaning)));
      }
      const close = button(ui.t('close'), 'primary', () => dialog.close());
      open(
        ui.t('helpTitle'),
        list,
        element('p', { class: 'small' }, ui.t('helpFreezing')),
        element('div', { class: 'actions' }, close),
      );
      close.focus();
    },
    askKey(problem) {
      asking ??= ask(problem).finally(() => {
        asking = null;
      });
      return asking;
    },
    get isOpen() {
      return dialog.open;
    },
  };
}
