import type { Language } from './messages.js';
import { cityNames, countyNames } from './regions.js';

/** A region code as people say it: 410105 → 郑州市金水区; an unknown one stays a code. */
export function regionName(code: string | undefined, language: Language): string {
  if (code === undefined) return '—';
  const city = cityNames[code.startsWith('419') ? code : `${code.slice(0, 4)}00`];
  if (!city) return code;
  return language === 'en' ? city.en : `${city.zh}${countyNames[code] ?? ''}`;
}

/** First three digits of a bank number (CNAPS) → the bank. */
const banks: Readonly<Record<string, { readonly zh: string; readonly en: string }>> = {
  '001': { zh: '人民银行', en: 'PBOC' },
  '011': { zh: '国家金库', en: 'Treasury' },
  '102': { zh: '工商银行', en: 'ICBC' },
  '103': { zh: '农业银行', en: 'ABC' },
  '104': { zh: '中国银行', en: 'BOC' },
  '105': { zh: '建设银行', en: 'CCB' },
  '201': { zh: '国家开发银行', en: 'CDB' },
  '202': { zh: '进出口银行', en: 'Exim' },
  '203': { zh: '农业发展银行', en: 'ADBC' },
  '301': { zh: '交通银行', en: 'BOCOM' },
  '302': { zh: '中信银行', en: 'CITIC' },
  '303': { zh: '光大银行', en: 'CEB' },
  '304': { zh: '华夏银行', en: 'HXB' },
  '305': { zh: '民生银行', en: 'CMBC' },
  '306': { zh: '广发银行', en: 'CGB' },
  '307': { zh: '平安银行', en: 'PAB' },
  '308': { zh: '招商银行', en: 'CMB' },
  '309': { zh: '兴业银行', en: 'CIB' },
  '310': { zh: '浦发银行', en: 'SPDB' },
  '313': { zh: '城市商业银行', en: 'City bank' },
  '314': { zh: '农村商业银行', en: 'Rural bank' },
  '315': { zh: '恒丰银行', en: 'HFB' },
  '316': { zh: '浙商银行', en: 'CZB' },
  '318': { zh: '渤海银行', en: 'CBHB' },
  '320': { zh: '村镇银行', en: 'Village bank' },
  '402': { zh: '农村信用社', en: 'Rural credit' },
  '403': { zh: '邮储银行', en: 'PSBC' },
};

export function bankName(code: string | undefined, language: Language): string {
  if (code === undefined) return '—';
  return banks[code.slice(0, 3)]?.[language] ?? code;
}
