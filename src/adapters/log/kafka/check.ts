import { topics } from '../../../ports/log.js';
import { createCluster, type Cluster, type Layout } from './cluster.js';
import { groupBy } from './group-by.js';
import type { KafkaLogOptions } from './options.js';
import { connectAtStart } from './start.js';
import { copiesOf, describeTopics, settingProblems, topicNames, topicProblems } from './topics.js';

export interface KafkaFinding {
  readonly check: string;
  readonly verdict: 'good' | 'doubtful' | 'bad';
  readonly detail: string;
}

/** What `huqi doctor` tells about Kafka. Changes nothing and never throws. */
export async function checkKafka(options: KafkaLogOptions): Promise<KafkaFinding[]> {
  let cluster: Cluster | null = null;
  try {
    const names = topicNames(options.topicPrefix ?? 'huqi');
    cluster = createCluster(options, Object.values(names));
    await connectAtStart(cluster, options);
    const layout = await cluster.refresh();
    const reached = brokersFinding(layout);
    const missing = topics.filter((topic) => layout.topicFaults.get(names[topic])?.type === 'UNKNOWN_TOPIC_OR_PARTITION');
    if (missing.length === topics.length) {
      const copies = copiesOf(options, layout.brokers.size);
      const detail = `none yet; the first start makes them with ${copies.replication} copies of each partition`;
      return [reached, { check: 'Kafka topics', verdict: 'good', detail }];
    }
    const settings = await describeTopics(
      cluster,
      Object.values(names).filter((name) => layout.topics.has(name)),
    );
    return [reached, topicsFinding(layout, options, names), copiesFinding(layout, settings), settingsFinding(settings, options)];
  } catch (error) {
    return [{ check: 'Kafka', verdict: 'bad', detail: error instanceof Error ? error.message : String(error) }];
  } finally {
    cluster?.close();
  }
}

function brokersFinding({ brokers }: Layout): KafkaFinding {
  const count = brokers.size;
  const detail = `${count} ${count === 1 ? 'broker' : 'brokers'}: ${[...brokers.values()].join(', ')}`;
  if (count >= 3) return { check: 'Kafka', verdict: 'good', detail };
  return { check: 'Kafka', verdict: 'doubtful', detail: `${detail}; a machine may be lost without loss with three or more` };
}

function topicsFinding(layout: Layout, options: KafkaLogOptions, names: ReturnType<typeof topicNames>): KafkaFinding {
  const problems = topicProblems(layout, options, names);
  if (problems.length > 0) return { check: 'Kafka topics', verdict: 'bad', detail: problems.join('; ') };
  const partitions = [...groupBy(topics, (topic) => options.partitions[topic])];
  const detail = partitions.map(([count, group]) => `${group.length} with ${count} partitions`).join(', ');
  return { check: 'Kafka topics', verdict: 'good', detail };
}

function copiesFinding(layout: Layout, settings: ReadonlyMap<string, ReadonlyMap<string, string>> | null): KafkaFinding {
  const check = 'Kafka copies';
  const places = [...layout.topics].flatMap(([topic, all]) => all.map((place, partition) => ({ topic, partition, ...place })));
  const leaderless = places.filter(({ leader }) => leader < 0);
  if (leaderless.length > 0)
    return {
      check,
      verdict: 'bad',
      detail: `${leaderless.length} partitions have no leader, first ${nameOf(leaderless[0]!)}: start the missing brokers`,
    };
  const behind = places.filter(({ replicas, inSync }) => inSync.length < replicas.length);
  if (behind.length > 0)
    return {
      check,
      verdict: 'doubtful',
      detail: `${behind.length} partitions have copies that are behind, first ${nameOf(behind[0]!)}`,
    };
  const fewest = Math.min(...places.map(({ replicas }) => replicas.length));
  const minInsync = Math.min(...[...(settings?.values() ?? [])].map((found) => Number(found.get('min.insync.replicas') ?? 1)));
  const shown = `${fewest} of each partition, ${Number.isFinite(minInsync) ? minInsync : 'unknown how many'} must have an append`;
  if (fewest < 3) return { check, verdict: 'doubtful', detail: `${shown}; three copies stand the loss of a machine` };
  if (minInsync < 2)
    return {
      check,
      verdict: 'bad',
      detail: `${shown}: what one machine alone has is lost with it; set min.insync.replicas to 2`,
    };
  return { check, verdict: 'good', detail: shown };
}

function settingsFinding(
  settings: ReadonlyMap<string, ReadonlyMap<string, string>> | null,
  options: KafkaLogOptions,
): KafkaFinding {
  const check = 'Kafka topic settings';
  if (!settings)
    return { check, verdict: 'doubtful', detail: 'the user may not ask for them: allow DescribeConfigs on the topics' };
  const problems = [...settings].flatMap(([name, found]) => settingProblems(name, found));
  if (problems.length > 0) return { check, verdict: 'bad', detail: problems.join('; ') };
  const shortened = [...settings].filter(
    ([, found]) => found.get('retention.ms') !== '-1' || found.get('retention.bytes') !== '-1',
  );
  const own = new Set(Object.keys(options.retentionMs ?? {}));
  const surprising = shortened.filter(([name]) => !own.has(name.slice(name.lastIndexOf('.') + 1)));
  if (surprising.length === 0)
    return { check, verdict: 'good', detail: 'cleanup.policy, sizes and retention are as HuQi needs them' };
  const detail = surprising.map(([name, found]) => `${name} keeps records ${retentionOf(found)}`).join('; ');
  return { check, verdict: 'doubtful', detail: `${detail}: HuQi trims by itself; set retention.ms and retention.bytes to -1` };
}

function retentionOf(settings: ReadonlyMap<string, string>): string {
  return `for ${settings.get('retention.ms')} ms and up to ${settings.get('retention.bytes')} bytes`;
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`;
}
