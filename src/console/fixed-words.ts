import { byId, setText } from './dom.js';
import type { MessageKey } from './messages.js';
import type { Ui } from './ui.js';

/** Writes every fixed word of index.html. */
export function writeFixedWords(ui: Ui): void {
  document.documentElement.lang = ui.language === 'zh' ? 'zh-CN' : 'en';
  document.title = ui.t('title');
  for (const target of document.querySelectorAll<HTMLElement>('[data-text]'))
    setText(target, ui.t(target.dataset['text'] as MessageKey));
  for (const target of document.querySelectorAll<HTMLElement>('[data-label]')) {
    target.setAttribute('aria-label', ui.t(target.dataset['label'] as MessageKey));
  }
  byId('search', HTMLInputElement).placeholder = ui.t('searchHint');
  const language = byId('language', HTMLButtonElement);
  setText(language, ui.t('otherLanguage'));
  language.lang = ui.language === 'zh' ? 'en' : 'zh-CN';
}
