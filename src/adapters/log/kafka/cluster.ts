import { Unavailable } from '../../../ports/unavailable.js';
import { checkCode, isConnectionFault, KafkaError } from './faults.js';
import { createErrorFromCode } from './kafkajs.js';
import { openLink, type Link, type LinkOptions } from './link.js';

/**
 * What may wait for what: a broker answers the requests of one connection in order, so each lane has its own. `ask` is for
 * what is answered at once, `poll` for the ends of partitions, `fetch` and `write` for data, `group/…` for one membership each.
 */
export type Lane = 'ask' | 'poll' | 'fetch' | 'write' | `group/${string}`;

export interface PartitionPlace {
  /** Id of the broker that leads it; -1 where there is none just now. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSync: readonly number[];
}

export interface Layout {
  readonly brokers: ReadonlyMap<number, string>;
  readonly controllerId: number;
  /** Partitions of each topic that was asked for and is there. */
  readonly topics: ReadonlyMap<string, readonly PartitionPlace[]>;
  /** Error codes of topics that cannot be described; UNKNOWN_TOPIC_OR_PARTITION for those that are not there. */
  readonly topicFaults: ReadonlyMap<string, Error & { readonly type: string }>;
}

export interface Cluster {
  readonly layout: Layout;
  /** Asks some broker where everything is now; callers at the same time share one question. */
  readonly refresh: () => Promise<Layout>;
  leaderOf(topic: string, partition: number): number;
  /** A connection to the broker, opened where there is none yet. */
  link(brokerId: number, lane: Lane): Promise<Link>;
  /** To any broker that answers. */
  anyLink(lane: Lane): Promise<Link>;
  closeLane(lane: Lane): void;
  close(): void;
}

interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly { partitionId: number; leader: number; replicas: number[]; isr: number[] }[];
  }[];
}

/** The brokers, found from those that the options name, and who leads which partition of `topicNames`. */
export function createCluster(options: LinkOptions, topicNames: readonly string[]): Cluster {
  if (options.brokers.length === 0) throw new KafkaError('no broker is named; write host:port into kafka.brokers');
  const links = new Map<string, Promise<Link>>();
  let layout: Layout = { brokers: new Map(), controllerId: -1, topics: new Map(), topicFaults: new Map() };
  let refreshing: Promise<Layout> | null = null;
  let closed = false;

  function refresh(): Promise<Layout> {
    refreshing ??= describe().finally(() => {
      refreshing = null;
    });
    return refreshing;
  }

  async function describe(): Promise<Layout> {
    const link = await anyLink('ask');
    const answer = await link.ask<MetadataAnswer>('Metadata', { topics: topicNames, allowAutoTopicCreation: false });
    layout = layoutOf(answer);
    return layout;
  }

  async function link(brokerId: number, lane: Lane): Promise<Link> {
    const address = layout.brokers.get(brokerId);
    if (address === undefined) throw createErrorFromCode(leaderNotAvailable);
    return linkTo(address, lane);
  }

  async function linkTo(address: string, lane: Lane): Promise<Link> {
    if (closed) throw new Unavailable('the log on Kafka is closed');
    const key = `${address} ${lane}`;
    const known = links.get(key);
    const open = await known?.catch(() => null);
    if (open?.isOpen) return open;
    // Another caller may have opened it meanwhile.
    const current = links.get(key);
    if (current && current !== known) return current;
    const opening = openLink(address, options);
    links.set(key, opening);
    opening.catch(() => links.get(key) === opening && links.delete(key));
    const opened = await opening;
    if (closed) opened.close();
    return opened;
  }

  /** Brokers that are known first, then those that the options name; the first fault that a connection does not explain counts. */
  async function anyLink(lane: Lane): Promise<Link> {
    const known = [...layout.brokers.values()];
    const addresses = [...new Set([...rotated(known), ...options.brokers])];
    let fault: unknown;
    for (const address of addresses) {
      try {
        return await linkTo(address, lane);
      } catch (error) {
        if (!isConnectionFault(error)) throw error;
        fault ??= error;
      }
    }
    throw fault;
  }

  function leaderOf(topic: string, partition: number): number {
    const place = layout.topics.get(topic)?.[partition];
    if (!place || place.leader < 0) throw createErrorFromCode(leaderNotAvailable);
    return place.leader;
  }

  function closeLane(lane: Lane): void {
    for (const [key, opening] of links) {
      if (!key.endsWith(` ${lane}`)) continue;
      links.delete(key);
      closeWhenOpen(opening);
    }
  }

  function close(): void {
    closed = true;
    for (const opening of links.values()) closeWhenOpen(opening);
    links.clear();
  }

  return {
    get layout() {
      return layout;
    },
    refresh,
    leaderOf,
    link,
    anyLink,
    closeLane,
    close,
  };
}

const leaderNotAvailable = 5;
let turn = 0;

/** Begins with another broker each time, so that a broker that hangs is not asked again and again. */
function rotated(addresses: readonly string[]): string[] {
  const at = addresses.length === 0 ? 0 : turn++ % addresses.length;
  return [...addresses.slice(at), ...addresses.slice(0, at)];
}

function closeWhenOpen(opening: Promise<Link>): void {
  opening.then(
    (link) => link.close(),
    () => undefined,
  );
}

function layoutOf({ brokers, controllerId, topicMetadata }: MetadataAnswer): Layout {
  const topics = new Map<string, PartitionPlace[]>();
  const topicFaults = new Map<string, Error & { readonly type: string }>();
  for (const { topic, topicErrorCode, partitionMetadata } of topicMetadata) {
    try {
      checkCode(topicErrorCode);
    } catch (fault) {
      topicFaults.set(topic, fault as Error & { readonly type: string });
      continue;
    }
    const places: PartitionPlace[] = [];
    for (const { partitionId, leader, replicas, isr } of partitionMetadata)
      places[partitionId] = { leader, replicas, inSync: isr };
    topics.set(topic, places);
  }
  return {
    brokers: new Map(brokers.map(({ nodeId, host, port }) => [nodeId, `${host}:${port}`])),
    controllerId,
    topics,
    topicFaults,
  };
}
