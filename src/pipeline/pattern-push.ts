import { basename } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { problemsOf, runExamples } from '../scoring/example-runner.js';
import { parsePattern, type ParsedPattern, type PatternProblem, type PatternState } from '../scoring/pattern.js';
import { compilePatternSet, patternsMax, type PatternSource } from '../scoring/pattern-set.js';
import type { WorkingDays } from '../scoring/window.js';
import { type Life, type LifeLine, type Move, moveTo, type PatternVersion, type SetMember, stateIn } from './pattern-life.js';

/** What a push of pattern files means for what stands. */

/** Ids of the patterns of a push, by what became of them. */
export interface Pushed {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly same: readonly string[];
}

export interface Checked {
  readonly kind: 'planned';
  readonly pushed: Pushed;
  readonly moves: readonly Move[];
  readonly versions: readonly PushedVersion[];
  /** The files as they were named by whoever pushed, by their names in the set. */
  readonly names: ReadonlyMap<string, string>;
}

interface PushedVersion {
  readonly version: PatternVersion;
  readonly text: string;
}

interface Pushing {
  readonly by: string;
  readonly at: string;
  readonly note?: string | undefined;
}

type KnownVersion = (pattern: string, version: number) => Promise<PushedVersion | null>;

/** `push` puts each into the state that its text names, `propose` makes each a draft. Texts that are known already change nothing. */
export async function planPush(
  sources: readonly PatternSource[],
  life: Life,
  mode: 'push' | 'propose',
  who: Pushing,
  knownVersion: KnownVersion,
): Promise<Checked | { kind: 'broken'; problems: PatternProblem[] }> {
  const problems: PatternProblem[] = [];
  const pushed = { added: [] as string[], changed: [] as string[], same: [] as string[] };
  const moves: Move[] = [];
  const versions: PushedVersion[] = [];
  const names = new Map<string, string>();
  const seen = new Map<string, string>();
  for (const source of sources) {
    const destroyed = destroyedIn(source);
    if (destroyed) {
      problems.push(destroyed);
      continue;
    }
    const result = parsePattern(source.text, source.file);
    if (result.kind === 'broken') {
      problems.push(...result.problems);
      continue;
    }
    const { parsed } = result;
    const { id, version, state } = parsed.pattern;
    const earlier = seen.get(id);
    const line = life.lines[id];
    const known = line && version <= line.latest ? await knownVersion(id, version) : null;
    const problem = earlier
      ? problemAt(parsed, 'id', `pattern ${id} stands in ${earlier} already`)
      : (stateProblem(parsed, mode) ?? (known?.text === source.text ? null : versionProblem(parsed, line)));
    seen.set(id, source.file);
    if (problem) {
      problems.push(problem);
      continue;
    }
    const to: PatternState = mode === 'push' ? state : 'draft';
    if (line && known && !isUndecided(line, version, to)) {
      pushed.same.push(id);
      continue;
    }
    (line ? pushed.changed : pushed.added).push(id);
    moves.push(...moveTo(id, line, version, to));
    const { by, at, note } = who;
    const approved = mode === 'push' && to === 'active' ? { approved: { by, at } } : {};
    // Only the name: where it lay on somebody's machine is nobody's business.
    const file = basename(source.file);
    const proposed = known?.version.proposed ?? { by, at };
    versions.push({
      version: { id, version, file, textState: state, proposed, ...(note === undefined ? {} : { note }), ...approved },
      text: source.text,
    });
    names.set(file, source.file);
  }
  if (Object.keys(life.lines).length + pushed.added.length > linesMax)
    problems.push({
      file: '',
      line: 1,
      column: 1,
      path: '',
      message: `at most ${linesMax} patterns are kept, retired ones included`,
    });
  if (problems.length > 0) return { kind: 'broken', problems };
  return { kind: 'planned', pushed, moves, versions, names };
}

const linesMax = patternsMax * 4;

/** Where a text was read in another encoding than it was written in, each character that was lost stands as U+FFFD. */
function destroyedIn({ file, text }: PatternSource): PatternProblem | null {
  const at = text.indexOf('\uFFFD');
  if (at < 0) return null;
  const lines = text.slice(0, at).split('\n');
  return {
    file,
    line: lines.length,
    column: lines.at(-1)!.length + 1,
    path: '',
    message: 'a character is lost here (U+FFFD): the text was not sent as UTF-8',
  };
}

/** A proposal that nobody has decided on, which whoever holds the data directory puts into force by pushing it there. */
function isUndecided(line: LifeLine, version: number, to: PatternState): boolean {
  return stateIn(line, version) === 'draft' && to !== 'draft' && line.takenBack?.version !== version;
}

/** A changed pattern needs a higher version: hits name it, and the same version must always mean the same condition. */
function versionProblem(parsed: ParsedPattern, line: LifeLine | undefined): PatternProblem | null {
  const { id, version } = parsed.pattern;
  if (!line || version > line.latest) return null;
  const where = line.active === line.latest ? 'is in force as' : 'was pushed up to';
  return problemAt(
    parsed,
    'version',
    `${id} ${where} version ${line.latest} with another text; raise the version to ${line.latest + 1}`,
  );
}

function stateProblem(parsed: ParsedPattern, mode: 'push' | 'propose'): PatternProblem | null {
  const { id, state } = parsed.pattern;
  if (mode === 'push' || state !== 'retired') return null;
  return problemAt(
    parsed,
    'state',
    `a proposal cannot be retired; take the pattern out of force with: huqi patterns retire ${id}`,
  );
}

function problemAt(parsed: ParsedPattern, path: string, message: string): PatternProblem {
  return { file: parsed.file, ...parsed.placeOf([path]), path, message };
}

/** Members under the file names of a set: one name a version, the plain one for what is in force. */
export function membersWith(members: readonly SetMember[], versions: readonly PatternVersion[]) {
  const taken = new Set<string>();
  const count = new Map<string, number>();
  for (const { pattern } of members) count.set(pattern, (count.get(pattern) ?? 0) + 1);
  return members.map((member, i) => {
    const { file, textState } = versions[i]!;
    const isBeside = member.state === 'shadow' && count.get(member.pattern)! > 1;
    const plain = isBeside ? file.replace(/(\.ya?ml)?$/, `@${member.version}$1`) : file;
    const name = taken.has(plain) ? `${member.pattern}@${member.version}.yaml` : plain;
    taken.add(name);
    return { ...member, file: name, textState };
  });
}

/** What is wrong with each of these files by itself: what does not compile, and examples that do not come out as they must. */
export async function problemsOfEach(sources: readonly PatternSource[], workingDays: WorkingDays): Promise<PatternProblem[]> {
  const problems: PatternProblem[] = [];
  for (const { file, text } of sources) {
    // One pattern after the other: a running platform does other work in between.
    await nextTurn();
    const result = parsePattern(text, file);
    const compiled = compilePatternSet([{ file, text, state: 'active' }], workingDays);
    if (compiled.kind === 'broken') problems.push(...compiled.problems);
    else if (result.kind === 'parsed')
      problems.push(...problemsOf(result.parsed, runExamples(compiled.set, result.parsed.pattern)));
  }
  return problems;
}

/** Those that none of the problems is about. */
export function withoutBroken(sources: readonly PatternSource[], problems: readonly PatternProblem[]): PatternSource[] {
  const broken = new Set(problems.map(({ file }) => file));
  return sources.filter(({ file }) => !broken.has(file));
}
