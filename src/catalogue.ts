import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { z } from 'zod';
import { calendarSchema, type CalendarData } from './domain/calendar.js';
import { countiesSchema, createRegions, regionsSchema, type Regions } from './domain/region.js';

/** Versioned reference data under `config/catalogue/`. */
export interface Catalogue {
  readonly regions: Regions;
  /** For `createCalendar`: the caller chooses what an unknown year means. */
  readonly calendar: CalendarData;
}

/** Throws `CatalogueError`, naming file and place, for a file that is missing or wrong. */
export async function loadCatalogue(configDirectory: string): Promise<Catalogue> {
  const path = (name: string) => join(configDirectory, 'catalogue', name);
  const [regions, counties, calendar] = await Promise.all([
    load(path('regions.json'), regionsSchema, JSON.parse),
    load(path('counties.json'), countiesSchema, JSON.parse),
    load(path('calendar.yaml'), calendarSchema, parseYaml),
  ]);
  return { regions: createRegions(regions, counties), calendar };
}

export class CatalogueError extends Error {
  readonly retriable = false;
  constructor(path: string, problem: string, cause?: unknown) {
    super(`${path}: ${problem}`, { cause });
    this.name = 'CatalogueError';
  }
}

async function load<S extends z.ZodType>(path: string, schema: S, parse: (text: string) => unknown): Promise<z.infer<S>> {
  const result = schema.safeParse(await read(path, parse));
  if (result.success) return result.data;
  throw new CatalogueError(path, result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}

async function read(path: string, parse: (text: string) => unknown): Promise<unknown> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new CatalogueError(path, error instanceof Error ? error.message : String(error), error);
  }
}
