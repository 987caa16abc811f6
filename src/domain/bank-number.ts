/**
 * CNAPS bank numbers (支付系统行号): 12 digits = bank 3 + area 4 + branch 4 + check digit,
 * the check digit after ISO 7064 MOD 11,10.
 */

export type BankNumberCheck =
  | { readonly kind: 'valid' }
  /** Not twelve digits: a BIC, a bank's own code or a typing mistake. */
  | { readonly kind: 'not-cnaps' }
  | { readonly kind: 'wrong-check-digit'; readonly expected: string };

export function checkBankNumber(number: string): BankNumberCheck {
  if (!/^[0-9]{12}$/.test(number)) return { kind: 'not-cnaps' };
  const expected = bankNumberCheckDigit(number.slice(0, 11));
  return number[11] === expected ? { kind: 'valid' } : { kind: 'wrong-check-digit', expected };
}

/** The twelfth digit for the first eleven. Throws `RangeError` for anything but eleven digits. */
export function bankNumberCheckDigit(first11: string): string {
  if (!/^[0-9]{11}$/.test(first11)) {
    throw new RangeError(`bank number: expected the first 11 digits, found ${first11.length} characters`);
  }
  let product = 10;
  for (const digit of first11) {
    const sum = (Number(digit) + product) % 10 || 10;
    product = (sum * 2) % 11;
  }
  return String((11 - product) % 10);
}

export interface BankName {
  readonly zh: string;
  readonly en: string;
}

/** The bank, or the kind of bank, that the first three digits of a bank number stand for; undefined for the less common ones. */
export function bankNameOf(code3: string): BankName | undefined {
  return bankNames.get(code3.slice(0, 3));
}

const bankNames: ReadonlyMap<string, BankName> = new Map([
  ['001', { zh: '中国人民银行', en: "People's Bank of China" }],
  ['102', { zh: '中国工商银行', en: 'ICBC' }],
  ['103', { zh: '中国农业银行', en: 'Agricultural Bank of China' }],
  ['104', { zh: '中国银行', en: 'Bank of China' }],
  ['105', { zh: '中国建设银行', en: 'China Construction Bank' }],
  ['201', { zh: '国家开发银行', en: 'China Development Bank' }],
  ['202', { zh: '中国进出口银行', en: 'Export-Import Bank of China' }],
  ['203', { zh: '中国农业发展银行', en: 'Agricultural Development Bank of China' }],
  ['301', { zh: '交通银行', en: 'Bank of Communications' }],
  ['302', { zh: '中信银行', en: 'China CITIC Bank' }],
  ['303', { zh: '中国光大银行', en: 'China Everbright Bank' }],
  ['304', { zh: '华夏银行', en: 'Hua Xia Bank' }],
  ['305', { zh: '中国民生银行', en: 'China Minsheng Bank' }],
  ['306', { zh: '广发银行', en: 'China Guangfa Bank' }],
  ['307', { zh: '平安银行', en: 'Ping An Bank' }],
  ['308', { zh: '招商银行', en: 'China Merchants Bank' }],
  ['309', { zh: '兴业银行', en: 'Industrial Bank' }],
  ['310', { zh: '上海浦东发展银行', en: 'SPD Bank' }],
  ['313', { zh: '城市商业银行', en: 'city commercial bank' }],
  ['314', { zh: '农村商业银行', en: 'rural commercial bank' }],
  ['315', { zh: '恒丰银行', en: 'Hengfeng Bank' }],
  ['316', { zh: '浙商银行', en: 'China Zheshang Bank' }],
  ['317', { zh: '农村合作银行', en: 'rural cooperative bank' }],
  ['318', { zh: '渤海银行', en: 'China Bohai Bank' }],
  ['319', { zh: '徽商银行', en: 'Huishang Bank' }],
  ['320', { zh: '村镇银行', en: 'village and township bank' }],
  ['402', { zh: '农村信用社', en: 'rural credit cooperative' }],
  ['403', { zh: '中国邮政储蓄银行', en: 'Postal Savings Bank of China' }],
]);
