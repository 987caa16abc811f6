import { role } from '../../src/domain/frame.js';
import type { Warning } from '../../src/domain/warning.js';
import { archivedTopics } from '../../src/ports/log.js';
import { differences } from './differences.js';
import type { LogServer } from './log.js';
import { entriesOn, eventsOn, hitsOn } from './log-views.js';
import { partitions } from './material.js';
import type { Surroundings } from './process.js';

/** The archive holds what the log holds, each thing once. */
export function checkArchive({ log, warehouse }: Surroundings): string[] {
  const transactions = new Set<string>();
  for (let p = 0; p < partitions.transactions; p++) {
    for (const { text, roles } of entriesOn(log, p)) {
      if (roles >= role.forward || (roles & role.debit) === 0) continue;
      const { id, bank } = JSON.parse(text) as { id: string; bank: string };
      transactions.add(`${id} ${bank}`);
    }
  }
  const broken = differences('archived transactions', transactions, warehouse.final('transactions'));
  for (const topic of archivedTopics) {
    if (topic === 'transactions' || topic === 'legs' || topic === 'events' || topic === 'controls') continue;
    const table = topic === 'commands' ? 'events' : topic;
    const rows = [...warehouse.final(table).values()].map(({ id, revision }) =>
      topic === 'warnings' ? `${id}#${revision}` : id,
    );
    const onLog =
      topic === 'warnings'
        ? lastRevisions(log)
        : new Set((topic === 'hits' ? hitsOn(log) : eventsOn(log, topic)).map(({ id }) => id));
    broken.push(...differences(`archived ${topic}`, onLog, new Set(rows)));
  }
  return broken;
}

function lastRevisions(log: LogServer): Set<string> {
  const last = new Map<string, number>();
  for (const { data } of eventsOn(log, 'warnings')) {
    const { id, revision } = data as Warning;
    last.set(id, Math.max(revision, last.get(id) ?? 0));
  }
  return new Set([...last].map(([id, revision]) => `${id}#${revision}`));
}
