import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { calendarSchema, createCalendar } from '../../src/domain/calendar.js';
import { compilePatternSet, type PatternSet, type PatternSource } from '../../src/scoring/pattern-set.js';

const config = fileURLToPath(new URL('../../config/', import.meta.url));

/** The calendar and the pattern files that ship. */
export const workingDays = createCalendar(calendarSchema.parse(parse(readFileSync(`${config}catalogue/calendar.yaml`, 'utf8'))), {
  unknownYears: 'weekends',
});

export function shippedPatterns(directory = `${config}patterns`): PatternSource[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => ({ file, text: readFileSync(join(directory, file), 'utf8') }));
}

/**
 * Those whose hits one partition finds by itself. What the others depend on comes from other partitions, and how it interleaves
 * is settled anew in each run: two runs may differ in them, and both are right.
 */
export function settledPatterns(directory?: string): PatternSource[] {
  return shippedPatterns(directory).filter((source) => {
    const { plan, patterns } = compileOrThrow([source]);
    const hearsOfOthers = (['kin', 'traces', 'gathered'] as const).some((fact) => plan.keeps(fact));
    return !hearsOfOthers && patterns.every(({ pattern }) => pattern.on !== 'use' && pattern.on !== 'arrival');
  });
}

export function compileOrThrow(sources: readonly PatternSource[]): PatternSet {
  const result = compilePatternSet(sources, workingDays);
  if (result.kind === 'broken')
    throw new Error(result.problems.map((p) => `${p.file}:${p.line}:${p.column} ${p.path}: ${p.message}`).join('\n'));
  return result.set;
}
