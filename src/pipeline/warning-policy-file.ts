import { parse } from 'yaml';
import { warningPolicySchema, type WarningPolicy } from '../domain/warning-policy-schema.js';

/** Every mistake at once, each with its path. */
export class WarningPolicyError extends Error {
  readonly retriable = false;
  constructor(
    file: string,
    readonly problems: readonly string[],
  ) {
    super(`${file}: ${problems.join('; ')}`);
    this.name = 'WarningPolicyError';
  }
}

/** Reads the text of `config/warnings.yaml`. `file` names it in messages. */
export function parseWarningPolicy(text: string, file: string): WarningPolicy {
  const result = warningPolicySchema.safeParse(parseYaml(text, file));
  if (result.success) return result.data;
  throw new WarningPolicyError(
    file,
    result.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`),
  );
}

function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 }) as unknown;
  } catch (cause) {
    throw new WarningPolicyError(file, [`not valid YAML: ${cause instanceof Error ? cause.message : String(cause)}`]);
  }
}
