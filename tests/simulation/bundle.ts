import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A change of one source text, to be made on its way into the bundle. */
export interface Replacement {
  /** Below the repository's root. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Bundles the simulation with the simulated timers in place of the real ones. Throws where a text is not found exactly once. */
export async function bundleSimulation(outfile: string, replacements: readonly Replacement[] = []): Promise<void> {
  const missing = new Set(replacements);
  await build({
    entryPoints: [`${root}tests/simulation/simulate-main.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'warning',
    alias: { 'node:timers/promises': `${root}tests/simulation/timers-promises.ts` },
    plugins: [sources(replacements, missing)],
  });
  const [left] = missing;
  if (left) throw new Error(`${left.file} is not part of the simulation`);
}

function sources(replacements: readonly Replacement[], missing: Set<Replacement>): Plugin {
  return {
    name: 'sources',
    setup(builder) {
      builder.onLoad({ filter: /\/(src|tests)\/.*\.ts$/ }, ({ path }) => {
        // A file of the bundle is still asked where it stands.
        let contents = readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href));
        for (const replacement of replacements) {
          if (path !== root + replacement.file) continue;
          const parts = contents.split(replacement.from);
          if (parts.length !== 2)
            throw new Error(`${replacement.file} holds "${replacement.from}" ${parts.length - 1} times; adapt the mutant`);
          contents = parts.join(replacement.to);
          missing.delete(replacement);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}
