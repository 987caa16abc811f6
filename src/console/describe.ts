import type { PresentedWarning } from '../http/present.js';
import { bankName, regionName } from './places.js';
import type { Ui } from './ui.js';

/** All texts of a warning as the page prints them, for the text filter. */
export function describeWarning(ui: Ui, warning: PresentedWarning): string {
  const { subject } = warning;
  return [
    subject.name,
    subject.account,
    subject.creditCode,
    subject.shared && ui.shared(subject.shared),
    ui.say(warning.title),
    ui.say(warning.reason),
    bankName(subject.bank, ui.language),
    regionName(subject.region, ui.language),
    warning.note,
    ...warning.hits.flatMap(({ pattern, transaction, title, counterparty }) => [
      pattern,
      transaction,
      ui.say(title),
      counterparty?.name,
      counterparty?.account,
      counterparty && bankName(counterparty.bank, ui.language),
    ]),
  ].join(' ');
}
