import { createReadStream, readFileSync } from 'node:fs';
import process, { argv, stdout } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { hitSchema, type Hit } from '../src/domain/hit.js';
import { absorbHit, warningIdOf, type WarningFacts } from '../src/domain/warning-facts.js';
import { isTold, settleWarning } from '../src/domain/warning-policy.js';
import { parseWarningPolicy } from '../src/pipeline/warning-policy-file.js';

/**
 * How well the set does on a simulated month: of each planted scheme, whether its own pattern found it, and how many warnings
 * concern nobody who was planted, for 1,000 enterprises and a day.
 *
 * `npx tsx bench/months.ts HITS LABELS ENTERPRISES FROM DAYS`, the first two as `huqi score --hits` and `huqi simulate --labels`
 * write them; warnings before the day FROM (the simulation's thin history) are left out.
 */

const labelSchema = z.object({
  transaction: z.string(),
  typology: z.string(),
  scheme: z.number(),
  accounts: z.array(z.string()).default([]),
});

const [hitsFile, labelsFile, enterprises, from, days] = argv.slice(2);
if (!hitsFile || !labelsFile || !(Number(enterprises) > 0) || !/^\d{4}-\d\d-\d\d$/.test(from ?? '') || !(Number(days) > 0)) {
  stdout.write(
    'usage: npx tsx bench/months.ts HITS LABELS ENTERPRISES FROM DAYS, like hits.ndjson labels.ndjson 5000 2026-07-01 30\n',
  );
  process.exitCode = 2;
} else await report(hitsFile, labelsFile, Number(enterprises) * Number(days), from!);

async function* linesOf(file: string): AsyncGenerator {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity }))
    if (line !== '') yield JSON.parse(line);
}

async function report(hitsPath: string, labelsPath: string, enterpriseDays: number, since: string): Promise<void> {
  const policyFile = fileURLToPath(new URL('../config/warnings.yaml', import.meta.url));
  const policy = parseWarningPolicy(readFileSync(policyFile, 'utf8'), policyFile);
  const byTransaction = new Map<string, string>();
  const byAccount = new Map<string, Set<string>>();
  const cases = new Map<string, Set<string>>();
  for await (const line of linesOf(labelsPath)) {
    const { transaction, typology, scheme, accounts } = labelSchema.parse(line);
    const name = `${typology}/${scheme}`;
    byTransaction.set(transaction, name);
    for (const account of accounts) byAccount.set(account, (byAccount.get(account) ?? new Set()).add(name));
    cases.set(typology, (cases.get(typology) ?? new Set()).add(name));
  }

  /** Cases that a hit is about: by its transaction, else by the accounts it names. */
  const casesOf = (hit: Hit): ReadonlySet<string> => {
    const own = byTransaction.get(hit.transaction);
    const names = new Set(own === undefined ? [] : [own]);
    for (const { account } of [hit.payer, hit.payee]) for (const name of byAccount.get(account) ?? []) names.add(name);
    return names;
  };

  const found = new Set<string>();
  /** By patterns in shadow, which warn nobody. */
  const foundInShadow = new Set<string>();
  const warnings = new Map<string, { facts: WarningFacts; isPlanted: boolean }>();
  for await (const line of linesOf(hitsPath)) {
    const hit = hitSchema.parse(line);
    const about = casesOf(hit);
    const catalogued = hit.pattern.replace(/[a-z]$/, '');
    const own = [...about].filter((name) => name.startsWith(`${catalogued}/`));
    for (const name of own) (hit.state === 'active' ? found : foundInShadow).add(name);
    if (hit.state !== 'active') continue;
    const id = warningIdOf(hit);
    const known = warnings.get(id);
    const { facts } = absorbHit(known?.facts ?? null, hit, [], policy);
    if (facts) warnings.set(id, { facts, isPlanted: (known?.isPlanted ?? false) || about.size > 0 });
  }

  const told = [...warnings.values()].filter(({ facts }) => isTold(null, settleWarning(null, facts, policy, 0).warning, policy));
  const wrong = told.filter(({ facts, isPlanted }) => !isPlanted && facts.day >= since);
  stdout.write(
    `${told.length} warnings; ${wrong.length} of them about nobody planted: ${((wrong.length / enterpriseDays) * 1000).toFixed(2)} for 1,000 enterprises a day\n`,
  );
  stdout.write(`their patterns: ${counted(wrong.flatMap(({ facts }) => Object.keys(facts.patterns)))}\n`);
  const schemes = [...cases].filter(([typology]) => /^[VM]\d/.test(typology)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const recall = schemes.map(([typology, names]) => ({
    typology,
    all: names.size,
    found: [...names].filter((name) => found.has(name)).length,
    shadow: [...names].filter((name) => !found.has(name) && foundInShadow.has(name)).length,
  }));
  const good = recall.filter((one) => one.found >= 0.9 * one.all);
  stdout.write(`found by their own pattern: at least 9 of 10 cases for ${good.length} of ${recall.length} schemes\n`);
  for (const { typology, found: ours, all, shadow } of recall.filter((each) => !good.includes(each)))
    stdout.write(`  ${typology} ${ours} of ${all}${shadow > 0 ? `, ${shadow} more in shadow` : ''}\n`);
}

function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
