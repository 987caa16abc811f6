import type { PresentedWarning } from '../http/present.js';
import { translate, type Language, type MessageKey } from './messages.js';

/** What every part of the page needs to write words. */
export interface Ui {
  language: Language;
  t(key: MessageKey, values?: Readonly<Record<string, string | number>>): string;
  /** The language's side of a text. */
  say(text: { readonly zh: string; readonly en: string }): string;
  hits(count: number): string;
  /** Whom a warning is about: banks do not send every account's name. */
  name(subject: PresentedWarning['subject']): string;
  /** What several enterprises share, such as a device: its kind and its masked value. */
  shared(thing: NonNullable<PresentedWarning['subject']['shared']>): string;
  now(): number;
}

const languageName = 'huqi.language';

export function createUi(): Ui {
  const ui: Ui = {
    language: localStorage.getItem(languageName) === 'en' ? 'en' : 'zh',
    t: (key, values) => translate(ui.language, key, values),
    say: (text) => text[ui.language] || text.zh,
    hits: (count) => ui.t(count === 1 ? 'hitCountOne' : 'hitCount', { n: count }),
    name: ({ name, account }) => name.trim() || account,
    shared: ({ kind, value }) => `${ui.t(`shared_${kind}`)} ${value}`,
    now: () => Date.now(),
  };
  return ui;
}

export function keepLanguage(language: Language): void {
  localStorage.setItem(languageName, language);
}

export function statusKey(warning: PresentedWarning): MessageKey {
  switch (warning.status) {
    case 'open':
      return 'statusOpen';
    case 'acknowledged':
      return 'statusAcknowledged';
    case 'disposed':
      return warning.verdict ?? 'statusDisposed';
  }
}
