import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pomPath = fileURLToPath(new URL('kafka/pom.xml', import.meta.url));
const cachePath = fileURLToPath(new URL('../../../node_modules/.cache/', import.meta.url));

/** The folder with Kafka's jars; Maven fetches them once, into a cache beside the packages. Throws one sentence where Java or Maven is missing. */
export function kafkaJars(): string {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  const major = Number(/version "(\d+)/.exec(java.stderr ?? '')?.[1] ?? 0);
  if (major < 17) {
    const found = major === 0 ? 'there is no java' : `java is ${major}`;
    throw new Error(`Kafka for the cluster tests needs Java 17, but ${found}: install openjdk-17-jre-headless`);
  }
  const version = createHash('sha256').update(readFileSync(pomPath)).digest('hex').slice(0, 12);
  const jars = join(cachePath, `kafka-${version}`);
  if (!existsSync(jars)) fetchJars(jars);
  return jars;
}

/** Fetched beside the place and moved there whole: another run never sees half of it. */
function fetchJars(jars: string): void {
  const partial = `${jars}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    const maven = spawnSync('mvn', ['-q', '-B', '-f', pomPath, 'dependency:copy-dependencies', `-DoutputDirectory=${partial}`], {
      encoding: 'utf8',
    });
    if (maven.error) throw new Error('Kafka for the cluster tests is fetched by Maven, but there is no mvn: install maven');
    if (maven.status !== 0 || !readdirSync(partial).some((name) => name.startsWith('kafka_'))) {
      const reason = `${maven.stdout}${maven.stderr}`.trim().split('\n')[0] ?? 'no jars came';
      throw new Error(`Maven could not fetch Kafka's jars for the cluster tests: ${reason}`);
    }
    if (!existsSync(jars)) renameSync(partial, jars);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
