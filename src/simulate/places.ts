import { itemAt } from './random.js';

/** A city where accounts are held. */
export interface Place {
  /** Without 市, as it stands in enterprise names: 郑州. */
  readonly name: string;
  /** Administrative division, 6 digits (GB/T 2260). */
  readonly region: string;
  /** The four digits of a bank number (CNAPS) that name the clearing area. */
  readonly bankArea: string;
}

const place = (name: string, region: string, bankArea: string): Place => ({ name, region, bankArea });

/** The eighteen cities of Henan. Banks of 济源 clear with 焦作. */
export const henanCities: readonly Place[] = [
  place('郑州', '410100', '4910'),
  place('开封', '410200', '4920'),
  place('洛阳', '410300', '4930'),
  place('平顶山', '410400', '4950'),
  place('安阳', '410500', '4960'),
  place('鹤壁', '410600', '4970'),
  place('新乡', '410700', '4980'),
  place('焦作', '410800', '5010'),
  place('濮阳', '410900', '5020'),
  place('许昌', '411000', '5030'),
  place('漯河', '411100', '5040'),
  place('三门峡', '411200', '5050'),
  place('南阳', '411300', '5130'),
  place('商丘', '411400', '5060'),
  place('信阳', '411500', '5150'),
  place('周口', '411600', '5080'),
  place('驻马店', '411700', '5110'),
  place('济源', '419001', '5010'),
];

/** Cities of other provinces, one a province. */
export const distantCities: readonly Place[] = [
  place('北京', '110105', '1000'),
  place('石家庄', '130100', '1210'),
  place('上海', '310115', '2900'),
  place('南京', '320100', '3010'),
  place('杭州', '330100', '3310'),
  place('合肥', '340100', '3610'),
  place('福州', '350100', '3910'),
  place('南昌', '360100', '4210'),
  place('济南', '370100', '4510'),
  place('武汉', '420100', '5210'),
  place('长沙', '430100', '5510'),
  place('广州', '440100', '5810'),
  place('成都', '510100', '6510'),
  place('西安', '610100', '7910'),
];

/** Every fourth enterprise sits in the provincial capital. */
export function henanCity(hash: number): Place {
  return hash % 4 === 0 ? itemAt(henanCities, 0) : itemAt(henanCities, hash >>> 3);
}

export interface Bank {
  /** First three digits of its bank numbers. */
  readonly code: string;
  /** Digits of its corporate account numbers (each bank has its own length). */
  readonly accountDigits: number;
}

export const banks: readonly Bank[] = [
  { code: '102', accountDigits: 19 },
  { code: '103', accountDigits: 17 },
  { code: '104', accountDigits: 12 },
  { code: '105', accountDigits: 20 },
  { code: '301', accountDigits: 21 },
  { code: '308', accountDigits: 15 },
  { code: '313', accountDigits: 18 },
  { code: '314', accountDigits: 23 },
  { code: '402', accountDigits: 25 },
  { code: '403', accountDigits: 16 },
];
