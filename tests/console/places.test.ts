import { expect, test } from 'vitest';
import { regionName } from '../../src/console/places.js';
import { cityNames, countyNames } from '../../src/console/regions.js';

test.each([
  ['419001', '济源市', 'Jiyuan'],
  ['410105', '郑州市金水区', 'Zhengzhou'],
  ['410100', '郑州市', 'Zhengzhou'],
  ['110101', '110101', '110101'],
  [undefined, '—', '—'],
])('%s is called %s', (code, zh, en) => {
  expect([regionName(code, 'zh'), regionName(code, 'en')]).toEqual([zh, en]);
});

test('no code is both a city and a county of itself', () => {
  expect(Object.keys(countyNames).filter((code) => code in cityNames)).toEqual([]);
});
