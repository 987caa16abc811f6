/** The front in a process of its own, that may be killed. Arguments: directory, port, user, password. Prints its address. */
import { openClickHouseFront } from './clickhouse-front.js';

const [directory = '', port = '0', user = 'default', password = ''] = process.argv.slice(2);
const front = await openClickHouseFront({ directory, port: Number(port), users: { [user]: password } });
process.stdout.write(`${front.url}\n`);
process.once('SIGTERM', () => {
  void front.close().then(() => process.exit(0));
});
