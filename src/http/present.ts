import { maskAccount, maskPartyName, maskText } from '../domain/privacy.js';
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
  const named = subject.creditCode === undefined ? maskUnknownName(subject.name) : subject.name;
  const shared = sharedThing(subject.key);
  return {
    ...warning,
    subject: {
      ...subject,
      key: presentKey(subject, shared),
      name: subject.name === subject.account ? maskAccount(subject.name) : named,
      account: maskAccount(subject.account),
      ...(shared ? { shared } : {}),
    },
    title: maskBoth(warning.title),
    reason: maskBoth(warning.reason),
    hits: warning.hits.map(presentHit),
    ...(warning.note === undefined ? {} : { note: maskText(warning.note) }),
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

function presentHit(hit: WarningHit): WarningHit {
  const { counterparty } = hit;
  const reason = maskBoth(hit.reason);
  if (!counterparty) return { ...hit, reason };
  return {
    ...hit,
    reason,
    counterparty: {
      ...counterparty,
      account: maskAccount(counterparty.account),
      ...(counterparty.name === undefined ? {} : { name: maskUnknownName(counterparty.name) }),
    },
  };
}

/** Endings of organisations' names; a name without one of them is taken for a person's. */
const organisation =
  /(公司|集团|合作社|事务所|研究院|研究所|中心|医院|学校|学院|大学|银行|支行|国库|国家金库|财政局|税务局|委员会|协会|商会|基金会|商行|商店|经营部|服务部|加工厂|工厂|总厂|厂|门市部|超市|酒店|饭店|专户|待报解预算收入)([((].*)?$|\b(ltd|inc|llc|corp|co|plc|gmbh|company|limited|bank)\.?$/i;

/** A name whose holder's kind is not known: an organisation's stays, any other is masked as a person's. */
export function maskUnknownName(name: string): string {
  return maskPartyName(name, organisation.test(name.trim()) ? 'corporate' : 'personal');
}

function maskBoth(text: { zh: string; en: string }): { zh: string; en: string } {
  return { zh: maskText(text.zh), en: maskText(text.en) };
}
