import { decodeEvents } from '../../src/domain/event.js';
import { frameFlag, role } from '../../src/domain/frame.js';
import type { Topic } from '../../src/ports/log.js';
import type { Groups } from './groups.js';
import type { LogServer } from './log.js';
import { entriesOn, framesOn } from './log-views.js';
import { partitions } from './material.js';
import type { Surroundings } from './process.js';
import type { Incarnation, World } from './world.js';

/** How often a rare path was taken, as far as the log shows it. */
export function countRarePaths({ world, log }: Surroundings): void {
  for (let p = 0; p < partitions.transactions; p++) {
    const seen = new Set<string>();
    for (const { text, roles, flags } of entriesOn(log, p)) {
      if (roles >= role.forward) continue;
      if ((flags & frameFlag.maybeResent) !== 0) world.count('a transaction was flagged as perhaps resent');
      const key = `${text} ${roles}`;
      if (seen.has(key))
        world.count((flags & frameFlag.maybeResent) !== 0 ? 'a leg came twice, flagged' : 'a leg came twice, not flagged');
      seen.add(key);
    }
  }
  for (const topic of ['hits', 'warnings', 'deliveries'] as const) {
    const first = new Map<string, string>();
    for (const { producer, sequence, partition, events } of framesOn(log, topic)) {
      const key = `${partition} ${producer} ${sequence}`;
      const text = JSON.stringify(events);
      const before = first.get(key);
      if (before === undefined) first.set(key, text);
      else if (before === text) world.count(`a frame of ${topic} was sent again`);
      else world.count(`a frame of ${topic} was sent again with other events`);
    }
  }
}

/** The broker, and a count of what reaches it from processes whose partition was given to another. */
export function countReplaced(world: World, broker: LogServer, groups: Groups): LogServer {
  function isOfReplaced(topic: Topic, value: Uint8Array, by: Incarnation): boolean {
    if (topic !== 'hits' && topic !== 'warnings' && topic !== 'deliveries') return false;
    const [part = '', partition] = decodeEvents(value).producer.split('/');
    const input = ({ score: 'transactions', warn: 'hits', dispatch: 'warnings' } as const)[part];
    return input !== undefined && groups.isReplaced(by, part, input, Number(partition));
  }
  return {
    ...broker,
    write(topic, partition, values, by) {
      if (values.some((value) => isOfReplaced(topic, value, by)))
        world.count('a frame of somebody who was replaced reached the log');
      broker.write(topic, partition, values, by);
    },
  };
}
