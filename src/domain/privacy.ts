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

/** Runs that look like an account, card or ID number (12 digits and more) or a mobile number. */
const numberInText = /\d{12,}[\dXx]?|(?<!\d)1[3-9]\d{9}(?!\d)/g;

/** Free text with account, card, ID and mobile numbers masked. */
export function maskText(text: string): string {
  return text.replace(numberInText, (number) =>
    number.length === 11 ? `${number.slice(0, 3)}****${number.slice(-4)}` : maskAccount(number),
  );
}
