import { createTwoFilesPatch } from 'diff';
import type { PatternDiff, SetDiff } from '../domain/pattern-views.js';
import { parsePattern, type Pattern, type PatternState } from '../scoring/pattern.js';
import type { PatternSource } from '../scoring/pattern-set.js';

export interface VersionText {
  readonly version: number;
  readonly text: string;
}

/** More edits than this are shown as one text going and another coming. */
const editsMax = 4_000;

export function diffVersions(pattern: string, from: VersionText | null, to: VersionText | null): PatternDiff {
  const [before, after] = [from && patternOf(from.text), to && patternOf(to.text)];
  const parts = changedParts(before, after);
  return {
    pattern,
    from: from?.version ?? null,
    to: to?.version ?? null,
    condition: parts.includes('when') || parts.includes('streams'),
    params: changedParams(before?.params ?? {}, after?.params ?? {}),
    parts: parts.filter((part) => !['when', 'streams', 'params', 'version'].includes(part)),
    text: unified(pattern, from, to),
  };
}

function unified(pattern: string, from: VersionText | null, to: VersionText | null): string {
  if (from?.text === to?.text) return '';
  const name = (one: VersionText | null): string => (one ? `${pattern} version ${one.version}` : '(none)');
  const options = { context: 3, maxEditLength: editsMax };
  const patch: string | undefined = createTwoFilesPatch(name(from), name(to), from?.text ?? '', to?.text ?? '', '', '', options);
  return patch?.replace(/^=+\n/, '') ?? `--- ${name(from)}\n+++ ${name(to)}\n(the texts have next to nothing in common)\n`;
}

function changedParts(from: Pattern | null, to: Pattern | null): string[] {
  const keys = new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})]) as Set<keyof Pattern>;
  return [...keys].filter((key) => JSON.stringify(from?.[key]) !== JSON.stringify(to?.[key]));
}

function changedParams(from: Pattern['params'], to: Pattern['params']): PatternDiff['params'] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names
    .filter((name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]))
    .map((name) => ({
      name,
      ...(from[name] === undefined ? {} : { from: from[name] }),
      ...(to[name] === undefined ? {} : { to: to[name] }),
    }));
}

export function diffSets(from: readonly PatternSource[], to: readonly PatternSource[]): Omit<SetDiff, 'from' | 'to'> {
  const [before, after] = [rulers(from), rulers(to)];
  const both = [...after].flatMap(([pattern, now]) => {
    const was = before.get(pattern);
    return was ? [{ pattern, was, now }] : [];
  });
  return {
    added: [...after.keys()].filter((pattern) => !before.has(pattern)),
    removed: [...before.keys()].filter((pattern) => !after.has(pattern)),
    changed: both.filter(({ was, now }) => was.text !== now.text).map(({ pattern, was, now }) => diffVersions(pattern, was, now)),
    states: both
      .filter(({ was, now }) => was.text === now.text && was.state !== now.state)
      .map(({ pattern, was, now }) => ({ pattern, from: was.state, to: now.state })),
  };
}

/** Of each pattern the version that counts most: the active one, else the newest. */
function rulers(sources: readonly PatternSource[]): Map<string, VersionText & { readonly state: PatternState }> {
  const found = new Map<string, VersionText & { readonly state: PatternState }>();
  for (const { text, state: asked } of sources) {
    const pattern = patternOf(text);
    if (!pattern) continue;
    const state = asked ?? pattern.state;
    const known = found.get(pattern.id);
    const rank = (version: number, at: PatternState): number => version + (at === 'active' ? 10_000 : 0);
    if (!known || rank(pattern.version, state) > rank(known.version, known.state))
      found.set(pattern.id, { version: pattern.version, text, state });
  }
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function patternOf(text: string): Pattern | null {
  const result = parsePattern(text, '');
  return result.kind === 'parsed' ? result.parsed.pattern : null;
}
