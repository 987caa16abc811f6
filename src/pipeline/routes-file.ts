import { parse } from 'yaml';
import { routesSchema, type Routes } from '../domain/dispatch-policy.js';

/** Every mistake of the file at once, each with its path. */
export class RoutesError extends Error {
  readonly retriable = false;
  readonly problems: readonly string[];
  constructor(file: string, problems: readonly string[], options?: ErrorOptions) {
    super(`${file}: ${problems.join('; ')}`, options);
    this.name = 'RoutesError';
    this.problems = problems;
  }
}

/** Reads the text of `config/routes.yaml`. `file` names it in messages. */
export function parseRoutes(text: string, file: string): Routes {
  const result = routesSchema.safeParse(parseYaml(text, file));
  if (result.success) return result.data;
  throw new RoutesError(
    file,
    result.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`),
  );
}

function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 }) as unknown;
  } catch (cause) {
    throw new RoutesError(file, [`not valid YAML: ${cause instanceof Error ? cause.message : String(cause)}`], { cause });
  }
}
