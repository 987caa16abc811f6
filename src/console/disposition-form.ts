import type { Verdict } from '../domain/warning.js';
import { button, element } from './dom.js';
import type { Ui } from './ui.js';

export interface Disposition {
  readonly verdict: Verdict;
  readonly note: string;
}

/** What was chosen and typed so far. */
export interface Draft {
  readonly verdict: Verdict | undefined;
  readonly note: string;
}

/** In the order they are chosen most; the record makes the compiler see that none is missing. */
const order: Readonly<Record<Verdict, number>> = { dissuaded: 0, fraud: 1, 'false-alarm': 2, unreachable: 3, tricked: 4 };
const choices = (Object.keys(order) as Verdict[]).sort((a, b) => order[a] - order[b]);

/** Nothing is chosen beforehand: a verdict recorded by mistake would be hard to find again. */
export function createDispositionForm(
  ui: Ui,
  draft: Draft | undefined,
  actions: { onCancel(): void; onSubmit(disposition: Disposition): void; onDraft(draft: Draft): void },
): { element: HTMLFormElement; focus(): void } {
  const radios = choices.map((verdict) => element('input', { type: 'radio', name: 'verdict', value: verdict }));
  const note = element('textarea', { id: 'note', maxlength: 500, rows: 3, required: true, placeholder: ui.t('noteHint') });
  for (const [i, radio] of radios.entries()) radio.checked = choices[i] === draft?.verdict;
  note.value = draft?.note ?? '';
  const chosen = () => choices[radios.findIndex((radio) => radio.checked)];
  const problem = element('p', { class: 'problem', role: 'alert' });
  const form = element(
    'form',
    { class: 'disposition', novalidate: true },
    element(
      'fieldset',
      {},
      element('legend', {}, ui.t('verdict')),
      ...radios.map((radio, i) => element('label', { class: 'choice' }, radio, ui.t(choices[i] ?? 'fraud'))),
    ),
    element('label', { for: 'note' }, ui.t('note')),
    note,
    problem,
    element(
      'div',
      { class: 'actions' },
      element('button', { type: 'submit', class: 'primary' }, ui.t('submit')),
      button(ui.t('cancel'), 'secondary', () => actions.onCancel()),
    ),
  );
  form.addEventListener('input', () => actions.onDraft({ verdict: chosen(), note: note.value }));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const verdict = chosen();
    if (verdict === undefined) {
      problem.textContent = ui.t('verdictMissing');
      radios[0]?.focus();
      return;
    }
    if (note.value.trim() === '') {
      problem.textContent = ui.t('noteMissing');
      note.focus();
      return;
    }
    actions.onSubmit({ verdict, note: note.value.trim() });
  });
  return { element: form, focus: () => (radios.find((radio) => radio.checked) ?? radios[0])?.focus() };
}
