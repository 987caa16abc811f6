import type { Settings } from '../settings.js';
import { PartsMismatch, type OpenStoresOptions, type Stores } from './stores.js';

/** Log and state on Kafka and Redis. */
export function openClusterStores(_settings: Settings, _options: OpenStoresOptions): Promise<Stores> {
  return Promise.reject(new PartsMismatch('the log on Kafka is not there yet; unset HUQI_KAFKA_BROKERS and HUQI_REDIS_URL'));
}

/** The state alone. */
export function openClusterState(_settings: Settings): Promise<Pick<Stores, 'state' | 'close'>> {
  return Promise.reject(new PartsMismatch('the state on Redis is not there yet; unset HUQI_KAFKA_BROKERS and HUQI_REDIS_URL'));
}
