import { createRequire } from 'node:module';

const { Session } = createRequire(import.meta.url)('chdb') as typeof import('chdb');

/** Runs statements that change something, one after the other, beside an embedded warehouse that this process has open on `directory`. */
export async function runStatements(directory: string, database: string, ...statements: readonly string[]): Promise<void> {
  const session = new Session(directory);
  try {
    for (const statement of [`USE ${database}`, ...statements]) await session.queryAsync(statement);
  } finally {
    session.close();
  }
}
