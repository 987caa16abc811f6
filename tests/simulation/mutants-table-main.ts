import { tryMutants } from './try-mutants.js';
import { say } from './say.js';

/** Prints the table of docs/simulation.md. */
const verdicts = await tryMutants(2, { seeds: 300, minutes: 10 });
say('| mistake | what it breaks | seeds until it was seen |\n|---|---|---|');
for (const { mutant, isCaught, runs } of verdicts) {
  say(`| ${mutant.name} (\`${mutant.file}\`) | ${mutant.breaks} | ${isCaught ? runs : `not seen in ${runs}`} |`);
}
process.exitCode = verdicts.every(({ isCaught }) => isCaught) ? 0 : 1;
