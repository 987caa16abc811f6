/** How account numbers and names are shown to people and written to logs: never whole. */

/** `6231…8674` → `6231********8674`; short ones keep only their last two characters. */
export function maskAccount(account: string): string {
  if (account.length < 10) return `${'*'.repeat(Math.max(account.length - 2, 4))}${account.slice(-2)}`;
  return `${account.slice(0, 4)}${'*'.repeat(account.length - 8)}${account.slice(-4)}`;
}

/** A person's name keeps its first character (张*); an enterprise's name is public and stays. */
export function maskPartyName(name: string, kind: 'corporate' | 'personal' | undefined): string {
  if (kind === 'corporate' || name.length === 0) return name;
  const [first = ''] = name;
  return `${first}${'*'.repeat(Math.max([...name].length - 1, 1))}`;
}

const digit = '[\\d０-９]';
const between = '[ \\-－‐–]';
/**
 * What looks like an account, card or ID number (12 digits and more) or a mobile number, in ASCII or full-width digits: in one run, or
 * as people group them, cards by four, ID numbers by place, birthday and rest.
 */
const numberInText = new RegExp(
  [
    `(?<!${digit})${digit}{4}(?:${between}${digit}{4}){2,}(?:${between}?${digit}{1,3})?(?!${digit})`,
    `(?<!${digit})${digit}{6}${between}${digit}{8}${between}${digit}{3}[\\d０-９XxＸｘ]`,
    `${digit}{12,}[\\d０-９XxＸｘ]?`,
    `(?<!${digit})[1１][3-9３-９]${digit}${between}?${digit}{4}${between}?${digit}{4}(?!${digit})`,
  ].join('|'),
  'g',
);

/** Free text with account, card, ID and mobile numbers masked. */
export function maskText(text: string): string {
  return text.replace(numberInText, (written) => {
    const number = written.normalize('NFKC').replaceAll(/[^\dXx]/g, '');
    return number.length === 11 ? `${number.slice(0, 3)}****${number.slice(-4)}` : maskAccount(number);
  });
}

/** Endings of names of organisations and of their accounts (工资专用账户); a name without one of them is taken for a person's. */
const organisation =
  /(公司|集团|合作社|事务所|研究院|研究所|中心|医院|学校|学院|大学|银行|支行|国库|国家金库|财政局|税务局|委员会|协会|商会|基金会|商行|商店|经营部|服务部|加工厂|工厂|总厂|厂|门市部|超市|酒店|饭店|专户|[账帐]户|待报解预算收入)([((].*)?$|\b(ltd|inc|llc|corp|co|plc|gmbh|company|limited|bank)\.?$/i;

/** What a name by itself says of its holder. */
export function kindOfName(name: string): 'corporate' | 'personal' {
  return organisation.test(name.trim()) ? 'corporate' : 'personal';
}

/**
 * The name of a holder of the kind that the bank said, else of the kind that the name itself says: an organisation's stays but for
 * numbers in it, any other is masked as a person's.
 */
export function maskHolderName(name: string, kind: 'corporate' | 'personal' = kindOfName(name)): string {
  return kind === 'corporate' ? maskText(name) : maskPartyName(name, 'personal');
}

/** Free text in which parties may be named: their names as they are shown, numbers masked. */
export function maskNaming(text: string, parties: readonly { readonly name: string; readonly shown: string }[]): string {
  let masked = text;
  // The longest first: one name may be the beginning of another.
  for (const { name, shown } of parties.toSorted((a, b) => b.name.length - a.name.length))
    if (name !== '' && name !== shown) masked = masked.replaceAll(name, () => shown);
  return maskText(masked);
}
