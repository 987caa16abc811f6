/** A process of its own on Kafka, for the tests of what happens when one is killed, and of what an idle one costs. */
import { writeSync } from 'node:fs';
import { createKafkaLog, type KafkaLogOptions } from '../../../src/adapters/log/kafka.js';

const [task = '', optionsText = ''] = process.argv.slice(2);
const options = JSON.parse(optionsText) as KafkaLogOptions;
/** Written at once, so that a line that the parent has read was printed before the kill. */
const say = (line: string) => void writeSync(1, `${line}\n`);
let warnings = 0;
process.on('warning', () => warnings++);

const log = await createKafkaLog(options);
const consume = () =>
  log.join('shared', 'hits', async (partition) => {
    say(`opens ${partition}`);
    return {
      start: 'earliest',
      limit: { recordsMax: 10, bytesMax: 100_000 },
      process: async ({ records }) => {
        for (const { value } of records) say(`${partition}: ${Buffer.from(value).toString()}`);
      },
      close: async () => say(`closes ${partition}`),
    };
  });

const tasks: Record<string, () => Promise<void>> = {
  /** Takes part in the group `shared` until it is killed. */
  consume: async () => void (await consume()),

  /** Appends once and waits for records that do not come; then prints the CPU milliseconds of three idle seconds, and the warnings of Node. */
  idle: async () => {
    await consume();
    await log.append([{ topic: 'warnings', partition: 0, value: Buffer.from('one') }]);
    void log.waitFor('warnings', 1, 0, 60_000);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const { user, system } = process.cpuUsage(before);
    say(JSON.stringify({ cpuMs: (user + system) / 1_000, warnings }));
    process.exit(0);
  },
};
await tasks[task]!();
