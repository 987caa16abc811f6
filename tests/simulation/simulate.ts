import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleSimulation } from './bundle.js';

/** `npm run simulate`: bundles the simulation and runs it with the arguments given. */
const directory = fileURLToPath(new URL('../../node_modules/.cache/huqi-simulation/', import.meta.url));
mkdirSync(directory, { recursive: true });
const outfile = `${directory}simulate-${process.pid}.mjs`;
await bundleSimulation(outfile);
const child = spawn(process.execPath, ['--enable-source-maps', outfile, ...process.argv.slice(2)], { stdio: 'inherit' });
child.on('exit', (code) => {
  rmSync(outfile, { force: true });
  process.exitCode = code ?? 1;
});
