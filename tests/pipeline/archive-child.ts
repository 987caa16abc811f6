import { openEmbedded } from '../support/embedded.js';
import { openWarehouse, startArchive } from './archive-support.js';

/** The archive in a process of its own that may be killed at any moment. Argument: directory. Ends when the log is stored. */
const [directory = ''] = process.argv.slice(2);
const parts = openEmbedded(directory);
const warehouse = await openWarehouse(directory);
const archive = await startArchive(parts, warehouse);
process.stdout.write('running\n');
await archive.drained();
await archive.leave();
await warehouse.close();
await parts.close();
process.stdout.write('finished\n');
