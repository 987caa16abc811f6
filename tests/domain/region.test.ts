import { mkdtemp, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CatalogueError, loadCatalogue } from '../../src/catalogue.js';
import { createRegions } from '../../src/domain/region.js';

const { regions } = await loadCatalogue('config');

describe('the regions', () => {
  it('are the 34 provinces, the 18 cities of Henan and their counties', () => {
    expect(regions.provinces).toHaveLength(34);
    expect(regions.cities).toHaveLength(18);
    expect(regions.counties).toHaveLength(180);
  });

  it.each([
    ['410105', '郑州市金水区', 'Zhengzhou'],
    ['410100', '郑州市', 'Zhengzhou'],
    ['419001', '济源市', 'Jiyuan'],
    ['410199', '郑州市', 'Zhengzhou'],
    ['410000', '河南省', 'Henan'],
    ['440300', '广东省', 'Guangdong'],
    ['41', '河南省', 'Henan'],
  ])('%s is shown as %s', (code, zh, en) => {
    expect(regions.label(code)).toEqual({ zh, en });
  });

  it('know nothing of a code outside China', () => {
    expect(regions.label('990000')).toBeUndefined();
    expect(regions.find('')).toBeUndefined();
  });

  it('give a county its city and a city its province', () => {
    expect(regions.find('410105')).toMatchObject({ level: 'county', parent: '410100' });
    expect(regions.find('410100')).toMatchObject({ level: 'city', parent: '41' });
  });

  it('refuse a county of a city that is not in the list', () => {
    const provinces = [{ code: '41', zh: '河南省', en: 'Henan' }];
    const counties = [{ code: '410105', zh: '金水区', city: '410100' }];
    expect(() => createRegions({ source: 'x', provinces, cities: [] }, { source: 'x', counties })).toThrow(
      /410105 belongs to 410100/,
    );
  });
});

describe('a catalogue that cannot be read', () => {
  it('is refused with the file and the place', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'huqi-catalogue-'));
    await expect(loadCatalogue(directory)).rejects.toThrow(CatalogueError);
    await mkdir(join(directory, 'catalogue'));
    await writeFile(join(directory, 'catalogue', 'regions.json'), '{"source":"x","provinces":[],"cities":[{"code":"4101"}]}');
    await writeFile(join(directory, 'catalogue', 'counties.json'), '{"source":"x","counties":[]}');
    await writeFile(join(directory, 'catalogue', 'calendar.yaml'), 'source: x\nyears: {}\n');
    await expect(loadCatalogue(directory)).rejects.toThrow(/regions\.json: cities\.0\.code/);
  });
});
