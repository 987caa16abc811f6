import { z } from 'zod';

/** Administrative divisions (GB/T 2260): names of all provinces, and of the cities and counties of Henan. */

export const regionsSchema = z.object({
  source: z.string().min(1),
  provinces: z.array(z.object({ code: z.string().regex(/^\d{2}$/), zh: z.string().min(1), en: z.string().min(1) })).max(40),
  cities: z.array(z.object({ code: z.string().regex(/^\d{6}$/), zh: z.string().min(1), en: z.string().min(1) })).max(400),
});
export type RegionsData = z.infer<typeof regionsSchema>;

export const countiesSchema = z.object({
  source: z.string().min(1),
  counties: z
    .array(z.object({ code: z.string().regex(/^\d{6}$/), zh: z.string().min(1), city: z.string().regex(/^\d{6}$/) }))
    .max(4_000),
});
export type CountiesData = z.infer<typeof countiesSchema>;

export interface Region {
  readonly code: string;
  readonly level: 'province' | 'city' | 'county';
  readonly zh: string;
  /** Counties go by the English name of their city. */
  readonly en: string;
  /** Code of the city of a county, of the province of a city. */
  readonly parent?: string;
}

export interface Regions {
  /** The most exact division known for a code of 2 to 6 digits: county, else city, else province. */
  find(code: string): Region | undefined;
  /** What people read: `410105` → 郑州市金水区 / Zhengzhou; `440300` → 广东省 / Guangdong. */
  label(code: string): { readonly zh: string; readonly en: string } | undefined;
  readonly provinces: readonly Region[];
  readonly cities: readonly Region[];
  readonly counties: readonly Region[];
}

/** Throws `RangeError` where a county names a city, or a city lies in a province, that is not in the data. */
export function createRegions(data: RegionsData, countiesData: CountiesData): Regions {
  const provinces = data.provinces.map((p): Region => ({ ...p, level: 'province' }));
  const cities = data.cities.map((c): Region => ({ ...c, level: 'city', parent: c.code.slice(0, 2) }));
  const byCode = new Map([...provinces, ...cities].map((region) => [region.code, region]));
  const cityOf = (county: { code: string; city: string }): Region => {
    const city = byCode.get(county.city);
    if (city?.level === 'city') return city;
    throw new RangeError(`counties.json: ${county.code} belongs to ${county.city}, which is not a city of regions.json`);
  };
  for (const city of cities) {
    if (!byCode.has(city.code.slice(0, 2)))
      throw new RangeError(`regions.json: city ${city.code} lies in no province of the list`);
  }
  const counties = countiesData.counties
    // A city that is governed like a county (济源 419001) stands in both lists.
    .filter((county) => county.code !== county.city)
    .map((county): Region => ({ code: county.code, level: 'county', zh: county.zh, en: cityOf(county).en, parent: county.city }));
  for (const county of counties) byCode.set(county.code, county);

  const find = (code: string): Region | undefined =>
    byCode.get(code) ?? (code.length === 6 ? byCode.get(`${code.slice(0, 4)}00`) : undefined) ?? byCode.get(code.slice(0, 2));

  return {
    find,
    label(code) {
      const region = find(code);
      if (region === undefined) return undefined;
      const city = region.level === 'county' ? (byCode.get(region.parent ?? '')?.zh ?? '') : '';
      return { zh: `${city}${region.zh}`, en: region.en };
    },
    provinces,
    cities,
    counties,
  };
}
