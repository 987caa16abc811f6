/** Opens the log on Kafka in a process of its own, for the contract suite. */
import { createKafkaLog, type KafkaLogOptions } from '../../../src/adapters/log/kafka.js';
import type { Log } from '../../../src/ports/log.js';

export function openLog(options: KafkaLogOptions): Promise<Log> {
  return createKafkaLog(options);
}
