export interface Ports {
  readonly plain: number;
  readonly sasl: number;
  /** As `plain`; what it calls itself there may be the port of a proxy. */
  readonly front: number;
  readonly controller: number;
}

/** The user of the SASL listeners; a password for tests alone. */
export const kafkaUser = { username: 'huqi', password: 'only-for-tests' } as const;

/** `server.properties` of one broker that is a controller as well; `all` are the ports of every broker by id, from 1. */
export function brokerSettings(
  id: number,
  all: readonly Ports[],
  directory: string,
  options: { readonly settings?: Record<string, string>; readonly frontPorts?: readonly number[] },
): string {
  const { plain, sasl, front, controller } = all[id - 1]!;
  const copies = String(Math.min(3, all.length));
  const minInsync = all.length >= 3 ? '2' : '1';
  const plainLogin = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': all.map((ports, i) => `${i + 1}@127.0.0.1:${ports.controller}`).join(','),
    listeners: `PLAIN://127.0.0.1:${plain},SASL://127.0.0.1:${sasl},FRONT://127.0.0.1:${front},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAIN://127.0.0.1:${plain},SASL://127.0.0.1:${sasl},FRONT://127.0.0.1:${options.frontPorts?.[id - 1] ?? front}`,
    'listener.security.protocol.map': 'PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,FRONT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAIN',
    'controller.listener.names': 'CONTROLLER',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
    'listener.name.sasl.plain.sasl.jaas.config': `${plainLogin} user_${kafkaUser.username}="${kafkaUser.password}" user_nobody="${kafkaUser.password}" user_limited="${kafkaUser.password}";`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'log.dirs': directory,
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': '2',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': minInsync,
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // All but the users `nobody` and `limited`, who have the rights that they are given.
    'super.users': `User:ANONYMOUS;User:${kafkaUser.username}`,
    'group.initial.rebalance.delay.ms': '0',
    // Smaller than anyone would run it, so that tests of a lost member need not wait long.
    'group.min.session.timeout.ms': '2000',
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '500',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.cleaner.dedupe.buffer.size': '8000000',
    ...options.settings,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}
