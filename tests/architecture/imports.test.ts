import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const source = join(root, 'src');

/** Which part may import which, its own files aside. A part is a folder of `src`, or a file in it. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  scoring: ['domain'],
  ports: ['domain'],
  modules: ['domain'],
  telemetry: ['domain', 'ports'],
  simulate: ['domain', 'scoring'],
  adapters: ['domain', 'ports'],
  pipeline: ['domain', 'scoring', 'ports', 'telemetry', 'settings.ts'],
  http: ['domain', 'scoring', 'ports', 'telemetry'],
  'settings.ts': ['ports', 'telemetry'],
  'catalogue.ts': ['domain'],
  'app.ts': ['adapters', 'app', 'catalogue.ts', 'domain', 'http', 'pipeline', 'ports', 'scoring', 'settings.ts', 'telemetry'],
  app: ['adapters', 'catalogue.ts', 'domain', 'http', 'pipeline', 'ports', 'scoring', 'settings.ts', 'telemetry'],
  bench: ['app.ts', 'domain', 'pipeline', 'scoring', 'settings.ts', 'simulate'],
  commands: ['app.ts', 'bench', 'catalogue.ts', 'domain', 'pipeline', 'scoring', 'settings.ts', 'simulate'],
  'main.ts': ['commands'],
};

function files(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return files(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** The console is a program of its own, for browsers. */
const sources = files(source).filter((file) => !file.startsWith(join(source, 'console')));
const parsed = new Map(
  sources.map((file) => [file, ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)]),
);

/** Modules that a file names; `values`: only those that are there when the program runs. */
function importsOf(file: ts.SourceFile, values = false): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = ts.isImportDeclaration(node) || ts.isExportDeclaration(node) ? node.moduleSpecifier : undefined;
    if (specifier && ts.isStringLiteral(specifier) && !(values && isTypeOnly(node))) found.push(specifier.text);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteral(argument)) found.push(argument.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function isTypeOnly(node: ts.Node): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || !node.importClause) return false;
  const { isTypeOnly: whole, name, namedBindings } = node.importClause;
  return (
    whole ||
    (!name &&
      !!namedBindings &&
      ts.isNamedImports(namedBindings) &&
      namedBindings.elements.every((element) => element.isTypeOnly))
  );
}

const partOf = (file: string): string => relative(source, file).split('/')[0]!;
const named = (file: string): string => relative(root, file);

describe('the house', () => {
  it('has only the parts of the table', () => {
    expect([...new Set(sources.map(partOf))].filter((part) => !(part in mayImport))).toEqual([]);
  });

  it('lets a part import only what the table allows', () => {
    const forbidden: string[] = [];
    for (const [file, tree] of parsed) {
      for (const specifier of importsOf(tree)) {
        if (!specifier.startsWith('.')) continue;
        const part = partOf(file);
        const target = partOf(resolve(dirname(file), specifier).replace(/\.js$/, '.ts'));
        if (target !== part && !mayImport[part]!.includes(target)) forbidden.push(`${named(file)} imports ${target}`);
      }
    }
    expect(forbidden).toEqual([]);
  });

  it('keeps the packages of a store behind its adapter', () => {
    const behind = {
      lmdb: 'adapters',
      chdb: 'adapters',
      '@clickhouse/client': 'adapters',
      kafkajs: 'adapters',
      ioredis: 'adapters',
      fastify: 'http',
    };
    const leaks = [...parsed].flatMap(([file, tree]) =>
      importsOf(tree).flatMap((specifier) => {
        const home = Object.entries(behind).find(([name]) => specifier === name || specifier.startsWith(`${name}/`))?.[1];
        return home && partOf(file) !== home ? [`${named(file)} imports ${specifier}`] : [];
      }),
    );
    expect(leaks).toEqual([]);
  });

  it('reads the process in main alone', () => {
    const readers = [...parsed].filter(
      ([file, tree]) =>
        named(file) !== 'src/main.ts' && /\bprocess\.(argv|env|exit|exitCode|stdout|stderr|on|cwd)\b/.test(tree.text),
    );
    expect(readers.map(([file]) => named(file))).toEqual([]);
  });

  it('has no cycles of modules at run time', () => {
    const edges = new Map(
      [...parsed].map(([file, tree]) => [
        file,
        importsOf(tree, true)
          .filter((name) => name.startsWith('.'))
          .map((name) => resolve(dirname(file), name).replace(/\.js$/, '.ts')),
      ]),
    );
    const done = new Set<string>();
    const cycles: string[] = [];
    const walk = (file: string, trail: readonly string[]): void => {
      if (trail.includes(file)) cycles.push([...trail.slice(trail.indexOf(file)), file].map(named).join(' → '));
      if (trail.includes(file) || done.has(file)) return;
      for (const next of edges.get(file) ?? []) walk(next, [...trail, file]);
      done.add(file);
    };
    for (const file of edges.keys()) walk(file, []);
    expect(cycles).toEqual([]);
  });
});

describe('the tree', () => {
  it('has no file that is too long to read', () => {
    const long = [...parsed]
      .map(([file, tree]) => ({ file: named(file), lines: tree.text.split('\n').length }))
      .filter(({ lines }) => lines > 450);
    expect(long).toEqual([]);
  });

  it('leaves nothing open in the source', () => {
    expect([...parsed].filter(([, tree]) => /\b(TODO|FIXME|XXX)\b/.test(tree.text)).map(([file]) => named(file))).toEqual([]);
  });

  it('names no address in the package lock', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved"|https?:\/\/registry/);
  });

  it('has one pattern a file, named after its id', () => {
    const directory = join(root, 'config/patterns');
    const wrong = readdirSync(directory).filter((name) => {
      const id = /^id: (\w+)$/m.exec(readFileSync(join(directory, name), 'utf8'))?.[1];
      return !id || !name.startsWith(`${id}-`);
    });
    expect(wrong).toEqual([]);
  });
});
