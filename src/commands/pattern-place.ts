import type { Command } from 'commander';
import { z } from 'zod';
import { isClustered, openPatternStore } from '../app.js';
import {
  lifeEntrySchema,
  lifeLogSchema,
  patternDetailSchema,
  patternDiffSchema,
  patternItemSchema,
  pushedSchema,
  setDiffSchema,
} from '../domain/pattern-views.js';
import type { DeskOutcome, PatternDesk } from '../pipeline/pattern-desk.js';
import { describeProblem, type StoreCommand } from '../pipeline/pattern-store.js';
import type { PatternSource } from '../scoring/pattern-set.js';
import { loadSettings } from '../settings.js';
import { type CommandContext, CommandFailure, wholeNumber } from './context.js';

/** Where the patterns of a command live: behind the interface of a running platform, or in a data directory. */
export interface PatternPlace extends Pick<PatternDesk, 'list' | 'get' | 'diff' | 'diffSets' | 'log'> {
  push(files: readonly PatternSource[], note?: string): Promise<DeskOutcome>;
  command(command: StoreCommand, note?: string): Promise<DeskOutcome>;
}

export interface PlaceFlags {
  readonly config?: string;
  readonly data?: string;
  readonly to?: string;
  readonly key?: string;
  readonly by?: string;
  readonly json?: boolean;
}

export function withPlaceOptions(command: Command): Command {
  return command
    .option('--to <url>', 'address of a running platform; a data directory otherwise')
    .option('--key <key>', "key of a centre's person; HUQI_KEY in the environment otherwise")
    .option('--data <directory>', 'data directory of the platform')
    .option('--config <file>', 'settings that differ from the defaults')
    .option('--json', 'print as JSON');
}

/** `decides`: what is in force may change, so on a data directory nothing else may be running. */
export type Access = 'reads' | 'seeds' | 'decides';

export async function withPlace(
  flags: PlaceFlags,
  access: Access,
  context: CommandContext,
  work: (place: PatternPlace) => Promise<void>,
): Promise<void> {
  if (flags.to !== undefined) {
    if (flags.data !== undefined) throw new CommandFailure('--to and --data name two places; give one of them', 2);
    return work(remotePlace(flags.to, flags.key ?? context.env['HUQI_KEY'], access, context));
  }
  const settings = loadSettings({
    file: flags.config,
    env: context.env,
    overrides: flags.data === undefined ? {} : { dataDir: flags.data },
  });
  if (access === 'decides' && isClustered(settings))
    throw new CommandFailure(
      'the patterns of a cluster are decided on by the interface of a process that runs http: --to http://HOST:PORT --key KEY',
    );
  const options = { makes: access === 'seeds', alone: access === 'decides' };
  const opened = await openPatternStore(settings, context.paths.config, context.clock, options).catch((error: unknown) => {
    if (access !== 'decides' || !(error instanceof Error && 'retriable' in error && error.retriable === true)) throw error;
    throw new CommandFailure(
      `a platform runs on ${settings.dataDir}; decide there: --to http://127.0.0.1:${settings.http.port} --key KEY`,
    );
  });
  const by = flags.by ?? 'command line';
  try {
    await work({
      ...opened.desk,
      async push(files, note) {
        const result = await opened.store.push(files, by, context.clock.now(), note);
        if (result.kind !== 'in-force') return result.kind === 'broken' ? brokenOf(result.problems.map(describeProblem)) : result;
        const { kind, set, added, changed, same } = result;
        return { kind: 'proposed', pushed: { kind, set: set.id, added: [...added], changed: [...changed], same: [...same] } };
      },
      command: (command, note) => opened.desk.command(command, by, note),
    });
  } finally {
    await opened.close();
  }
}

function brokenOf(sentences: readonly string[]): DeskOutcome {
  return { kind: 'broken', errors: sentences.map((sentence) => ({ pointer: '', detail: sentence })) };
}

const problemAnswer = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
});

/** `V01`, or one version of it: `V01@3`. */
export function patternNamed(text: string): { readonly id: string; readonly version: number | undefined } {
  const [id = '', version] = text.split('@');
  return { id, version: version === undefined ? undefined : wholeNumber(`${id}@`, version, 1, 9_999) };
}

/** Many files are checked and tried before a push is answered. */
const answerMsMax = 120_000;

export function remotePlace(to: string, key: string | undefined, access: Access, context: CommandContext): PatternPlace {
  const base = URL.canParse(to) ? new URL(to) : undefined;
  if (!base || !/^https?:$/.test(base.protocol))
    throw new CommandFailure(`--to ${to}: expected an address such as http://127.0.0.1:8080`, 2);
  if (access !== 'reads' && !key)
    throw new CommandFailure("this needs the key of a centre's person: --key KEY, or HUQI_KEY in the environment", 2);

  async function ask(path: string, body?: object): Promise<{ status: number; answer: unknown }> {
    const response = await fetch(new URL(path, base), {
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
      headers: {
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(key ? { authorization: `Bearer ${key}` } : {}),
      },
      signal: AbortSignal.any([context.stop, AbortSignal.timeout(answerMsMax)]),
    }).catch((error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      throw new CommandFailure(`${base!.host} cannot be reached: ${cause}`);
    });
    const text = await response.text();
    try {
      return { status: response.status, answer: JSON.parse(text) as unknown };
    } catch {
      throw new CommandFailure(`${base!.host} answered ${response.status} and no JSON; is it a HuQi platform?`);
    }
  }

  async function read<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const { status, answer } = await ask(path);
    if (status !== 200) throw new CommandFailure(`${base!.host} answered ${status}: ${detailOf(answer)}`);
    return schema.parse(answer);
  }

  async function decide<T>(path: string, body: object, done: (answer: unknown) => T): Promise<T | DeskOutcome> {
    const { status, answer } = await ask(path, body);
    if (status === 200) return done(answer);
    const { errors } = problemAnswer.parse(answer);
    if (status === 422 && errors) return { kind: 'broken', errors };
    if (status === 404 || status === 409)
      return { kind: status === 404 ? 'unknown' : 'refused', reason: detailOf(answer).replace(/\.$/, '') };
    throw new CommandFailure(`${base!.host} answered ${status}: ${detailOf(answer)}`);
  }

  const query = (values: Readonly<Record<string, string | number | undefined>>): string => {
    const given = Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as const],
    );
    return given.length === 0 ? '' : `?${new URLSearchParams(Object.fromEntries(given)).toString()}`;
  };
  const pathOf = (id: string): string => `/v1/patterns/${encodeURIComponent(id)}`;

  return {
    list: () => read('/v1/patterns', z.object({ patternSet: z.string(), items: z.array(patternItemSchema) })),
    get: (id, version) => read(`${pathOf(id)}${query({ version })}`, patternDetailSchema),
    diff: (id, from, to) => read(`${pathOf(id)}/diff${query({ from, to })}`, patternDiffSchema),
    diffSets: (from, to) => read(`/v1/patterns/diff${query({ from, to })}`, setDiffSchema),
    log: ({ before, limit, pattern }) => read(`/v1/patterns/log${query({ before, limit, pattern })}`, lifeLogSchema),
    push: (files, note) =>
      decide('/v1/patterns', { files: files.map(({ file, text }) => ({ file, text })), ...(note ? { note } : {}) }, (answer) => ({
        kind: 'proposed' as const,
        pushed: pushedSchema.parse(answer),
      })),
    command: (command, note) => {
      const noted = note ? { note } : {};
      const done = (answer: unknown) => ({ kind: 'done' as const, entry: lifeEntrySchema.parse(answer) });
      if (command.kind === 'rollback-set')
        return decide('/v1/patterns/rollback', { ...(command.set ? { set: command.set } : {}), ...noted }, done);
      const version = command.version === undefined ? {} : { version: command.version };
      return decide(`${pathOf(command.pattern)}/${command.kind}`, { ...version, ...noted }, done);
    },
  };
}

function detailOf(answer: unknown): string {
  const { data } = problemAnswer.safeParse(answer);
  return data?.detail ?? data?.title ?? 'no reason given';
}
