import { maskAccount, maskHolderName, maskNaming, maskPartyName, maskText } from '../domain/privacy.js';
import { sharedKey, sharedKinds, type SharedKind } from '../domain/reference.js';
import type { Level, Warning, WarningHit } from '../domain/warning.js';

/** A warning as it leaves the platform: accounts, persons' names, phones and ID numbers masked. */
export type PresentedWarning = Omit<Warning, 'subject'> & {
  readonly subject: Warning['subject'] & { readonly shared?: SharedThing };
  readonly levelWord: { readonly zh: string; readonly en: string };
};

/** What several enterprises share, where the warning is about that; the subject is then one of the enterprises. */
interface SharedThing {
  readonly kind: SharedKind;
  readonly value: string;
}

const levelWords: Readonly<Record<Level, PresentedWarning['levelWord']>> = {
  red: { zh: '红色预警', en: 'Red warning' },
  orange: { zh: '橙色预警', en: 'Orange warning' },
  yellow: { zh: '黄色预警', en: 'Yellow warning' },
  blue: { zh: '蓝色预警', en: 'Blue warning' },
};

export function presentWarning(warning: Warning): PresentedWarning {
  const { subject } = warning;
  const named = maskHolderName(subject.name, subject.creditCode === undefined ? subject.kind : 'corporate');
  const name = subject.name === subject.account ? maskAccount(subject.name) : named;
  const shared = sharedThing(subject.key);
  const parties = [{ name: subject.name, shown: name }, ...warning.hits.flatMap(counterpartyOf)];
  return {
    ...warning,
    subject: {
      ...subject,
      key: presentKey(subject, shared),
      name,
      account: maskAccount(subject.account),
      ...(shared ? { shared } : {}),
    },
    title: maskBoth(warning.title, parties),
    reason: maskBoth(warning.reason, parties),
    hits: warning.hits.map((hit) => presentHit(hit, parties)),
    ...(warning.note === undefined ? {} : { note: maskText(warning.note) }),
    ...(warning.dispositions === undefined ? {} : { dispositions: warning.dispositions.map(maskNote) }),
    ...(warning.acknowledgedAgain === undefined ? {} : { acknowledgedAgain: warning.acknowledgedAgain.map(maskNote) }),
    ...(warning.appeal === undefined ? {} : { appeal: { ...warning.appeal, text: maskText(warning.appeal.text) } }),
    levelWord: levelWords[warning.level],
  };
}

function presentKey({ key, creditCode }: Warning['subject'], shared: SharedThing | null): string {
  if (shared) return sharedKey(shared.kind, shared.value);
  return key === creditCode ? key : maskAccount(key);
}

/** Masked. Null for the key of an account or an enterprise, which holds no colon. */
function sharedThing(key: string): SharedThing | null {
  const kind = sharedKinds.find((known) => key.startsWith(sharedKey(known, '')));
  if (kind === undefined) return null;
  const value = key.slice(sharedKey(kind, '').length);
  // Devices, addresses on the net and long codes keep their ends; what may be a person's name or a place keeps its beginning.
  if (kind === 'phone') return { kind, value: `****${value.slice(-4)}` };
  const isCode = kind === 'device' || kind === 'ip' || kind === 'mac' || /^[\x21-\x7e]{10,}$/.test(value);
  return { kind, value: isCode ? maskAccount(value) : maskPartyName(value, 'personal') };
}

type Parties = Parameters<typeof maskNaming>[1];

function counterpartyOf({ counterparty }: WarningHit): Parties {
  return counterparty?.name === undefined
    ? []
    : [{ name: counterparty.name, shown: maskHolderName(counterparty.name, counterparty.kind) }];
}

function presentHit(hit: WarningHit, parties: Parties): WarningHit {
  const { counterparty } = hit;
  const reason = maskBoth(hit.reason, parties);
  if (!counterparty) return { ...hit, reason };
  return {
    ...hit,
    reason,
    counterparty: {
      ...counterparty,
      account: maskAccount(counterparty.account),
      ...(counterparty.name === undefined ? {} : { name: maskHolderName(counterparty.name, counterparty.kind) }),
    },
  };
}

function maskNote<T extends { readonly note?: string | undefined }>(said: T): T {
  return said.note === undefined ? said : { ...said, note: maskText(said.note) };
}

function maskBoth(text: { zh: string; en: string }, parties: Parties): { zh: string; en: string } {
  return { zh: maskNaming(text.zh, parties), en: maskNaming(text.en, parties) };
}
