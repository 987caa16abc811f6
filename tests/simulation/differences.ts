import { TwoContents } from './expected.js';

type Known = ReadonlySet<string> | ReadonlyMap<string, unknown>;

/** What is lost, what nobody asked for, and what says something else; in words. */
export function differences(what: string, wanted: Known, found: Known): string[] {
  const broken: string[] = [];
  const lost = [...wanted.keys()].filter((key) => !found.has(key));
  const phantom = [...found.keys()].filter((key) => !wanted.has(key));
  if (lost.length > 0) broken.push(`lost ${what}: ${lost.length} of ${wanted.size}, such as ${describe(wanted, lost[0]!)}`);
  if (phantom.length > 0) broken.push(`phantom ${what}: ${phantom.length}, such as ${describe(found, phantom[0]!)}`);
  if (!(wanted instanceof Map) || !(found instanceof Map)) return broken;
  const wrong = [...wanted].find(([key, text]) => found.has(key) && typeof text === 'string' && found.get(key) !== text);
  if (wrong)
    broken.push(new TwoContents(`wrong ${what}: ${wrong[0]}`, wrong[1] as string, found.get(wrong[0]) as string).message);
  return broken;
}

function describe(from: Known, key: string): string {
  const value = from instanceof Map ? (from.get(key) as unknown) : null;
  return `${key}${typeof value === 'string' ? ` ${value.slice(0, 160)}` : ''}`;
}
