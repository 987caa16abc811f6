import { setTimeout as sleep } from 'node:timers/promises';
import { topics, type Topic } from '../../../ports/log.js';
import type { Cluster, Layout } from './cluster.js';
import { checkCode, isPassing, KafkaError, reasonOf, refusal, rideOut } from './faults.js';
import type { KafkaLogOptions } from './options.js';
import { batchBytesMax } from './writer.js';

/** What a topic must take: a batch of the most that is sent at a time. */
export const messageBytesMax = batchBytesMax + 2 ** 20;
const topicResource = 2;
const topicAlreadyExists = 36;
const unsettledMsMax = 10_000;

export function topicNames(prefix: string): Record<Topic, string> {
  if (!/^[a-zA-Z0-9._-]{1,100}$/.test(prefix))
    throw new KafkaError(`kafka.topicPrefix "${prefix}" may have letters, digits, dots, dashes and underscores only`);
  return Object.fromEntries(topics.map((topic) => [topic, `${prefix}.${topic}`])) as Record<Topic, string>;
}

export interface Copies {
  readonly replication: number;
  readonly minInsync: number;
}

export function copiesOf(options: KafkaLogOptions, brokers: number): Copies {
  const replication = options.replication ?? Math.min(3, brokers);
  const minInsync = options.minInsync ?? (replication >= 3 ? 2 : 1);
  if (minInsync > replication)
    throw new KafkaError(`kafka.minInsync ${minInsync} is more than kafka.replication ${replication}; set it lower`);
  return { replication, minInsync };
}

/** Makes the topics that are missing and checks those that are there. Throws one sentence for what is wrong with them. */
export async function prepareTopics(cluster: Cluster, options: KafkaLogOptions, names: Record<Topic, string>): Promise<void> {
  const layout = await cluster.refresh();
  const missing = topics.filter((topic) => layout.topicFaults.get(names[topic])?.type === 'UNKNOWN_TOPIC_OR_PARTITION');
  if (missing.length > 0) await createTopics(cluster, options, names, missing);
  const problems = topicProblems(await settled(cluster, names), options, names);
  if (problems.length > 0) throw new KafkaError(problems[0]!);
  const settings = await describeTopics(cluster, Object.values(names));
  const wrong = settings === null ? [] : [...settings].flatMap(([name, found]) => settingProblems(name, found));
  if (wrong.length > 0) throw new KafkaError(wrong[0]!);
}

/** Waits until every partition of the topics has a leader. */
async function settled(cluster: Cluster, names: Record<Topic, string>): Promise<Layout> {
  const until = performance.now() + unsettledMsMax;
  for (;;) {
    const layout = await cluster.refresh();
    const unsettled = Object.values(names).filter((name) => {
      const places = layout.topics.get(name);
      return places ? places.some(({ leader }) => leader < 0) : isPassing(layout.topicFaults.get(name));
    });
    if (unsettled.length === 0 || performance.now() > until) return layout;
    await sleep(100);
  }
}

async function createTopics(
  cluster: Cluster,
  options: KafkaLogOptions,
  names: Record<Topic, string>,
  missing: readonly Topic[],
): Promise<void> {
  const copies = copiesOf(options, cluster.layout.brokers.size);
  const what = `making the topics ${missing.map((topic) => names[topic]).join(', ')}`;
  await rideOut({ what, deadlineMs: unsettledMsMax, refresh: cluster.refresh }, async () => {
    const link = await cluster.link(cluster.layout.controllerId, 'ask');
    const { topicErrors } = await link.ask<{ topicErrors: { topic: string; errorCode: number }[] }>('CreateTopics', {
      topics: missing.map((topic) => ({
        topic: names[topic],
        numPartitions: options.partitions[topic],
        replicationFactor: copies.replication,
        configEntries: Object.entries(topicSettings(topic, options, copies)).map(([name, value]) => ({ name, value })),
      })),
      validateOnly: false,
      timeout: unsettledMsMax / 2,
    });
    // Another process may have made it meanwhile.
    for (const { errorCode } of topicErrors) if (errorCode !== topicAlreadyExists) checkCode(errorCode);
  });
}

function topicSettings(topic: Topic, options: KafkaLogOptions, copies: Copies): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'retention.ms': String(options.retentionMs?.[topic] ?? -1),
    'retention.bytes': '-1',
    'max.message.bytes': String(messageBytesMax),
    'min.insync.replicas': String(copies.minInsync),
    'unclean.leader.election.enable': 'false',
    'compression.type': 'producer',
    // The only copy must be on disk before an append counts; several copies are not lost together.
    ...(copies.replication === 1 ? { 'flush.messages': '1' } : {}),
  };
}

/** What is wrong with the topics as they are laid out. */
export function topicProblems(layout: Layout, options: KafkaLogOptions, names: Record<Topic, string>): string[] {
  return topics.flatMap((topic) => {
    const name = names[topic];
    const places = layout.topics.get(name);
    const configured = options.partitions[topic];
    if (!places) {
      const fault = refusal(`the topic ${name}`, layout.topicFaults.get(name));
      return [
        fault instanceof KafkaError ? fault.message.replace(/^Kafka: /, '') : `there is no topic ${name}: ${reasonOf(fault)}`,
      ];
    }
    if (places.length === configured) return [];
    return [
      `the topic ${name} has ${places.length} partitions, ${configured} are configured: set log.partitions.${topic} to ${places.length}, or use another kafka.topicPrefix`,
    ];
  });
}

/** Settings of each topic by name; null where the user may not ask. */
export async function describeTopics(
  cluster: Cluster,
  names: readonly string[],
): Promise<Map<string, Map<string, string>> | null> {
  const what = 'asking for the settings of the topics';
  return rideOut({ what, deadlineMs: unsettledMsMax, refresh: cluster.refresh }, async () => {
    const link = await cluster.anyLink('ask');
    const answer = await link.ask<{
      resources: {
        errorCode: number;
        resourceName: string;
        configEntries: { configName: string; configValue: string | null }[];
      }[];
    }>('DescribeConfigs', {
      resources: names.map((name) => ({ type: topicResource, name, configNames: settingNames })),
      includeSynonyms: false,
    });
    if (answer.resources.some(({ errorCode }) => errorCode === topicAuthorizationFailed)) return null;
    for (const { errorCode } of answer.resources) checkCode(errorCode);
    return new Map(
      answer.resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(configEntries.map(({ configName, configValue }) => [configName, configValue ?? ''])),
      ]),
    );
  });
}

const topicAuthorizationFailed = 29;
const settingNames = ['cleanup.policy', 'max.message.bytes', 'min.insync.replicas', 'retention.ms', 'retention.bytes'];

/** Settings under which records would vanish or be refused. */
export function settingProblems(name: string, settings: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  if (settings.get('cleanup.policy') !== 'delete')
    problems.push(
      `the topic ${name} has cleanup.policy ${settings.get('cleanup.policy')}, which would remove records: set it to delete`,
    );
  if (Number(settings.get('max.message.bytes')) < messageBytesMax)
    problems.push(
      `the topic ${name} takes records up to ${settings.get('max.message.bytes')} bytes: set its max.message.bytes to ${messageBytesMax}`,
    );
  return problems;
}
