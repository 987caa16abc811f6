import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { loadCatalogue } from '../catalogue.js';
import { createCalendar } from '../domain/calendar.js';
import { createKeys, type Keys } from '../pipeline/keys.js';
import { createPatternDesk, type PatternDesk } from '../pipeline/pattern-desk.js';
import { readPatternFiles } from '../pipeline/pattern-files.js';
import { createPatternStore, type PatternStore } from '../pipeline/pattern-store.js';
import { reachOf } from '../pipeline/pattern-warming.js';
import type { State } from '../ports/state.js';
import type { WorkingDays } from '../scoring/window.js';
import type { Settings } from '../settings.js';
import { isClustered, openState, openStores } from './parts.js';
import type { OpenStoresOptions } from './stores.js';

/** What commands work on beside a platform: its patterns and its keys, in a data directory or in the state of a cluster. */

export interface OpenPlaceOptions {
  /** Makes the data directory and seeds it where there is none; otherwise `StoreMissing`. */
  readonly makes?: boolean;
  /** Nothing may run on a data directory meanwhile; throws a retriable error where a platform does. */
  readonly alone?: boolean;
}

/** The patterns. */
export async function openPatternStore(
  settings: Settings,
  configDirectory: string,
  clock: { now(): number },
  { makes = false, alone = false }: OpenPlaceOptions = {},
): Promise<{ store: PatternStore; desk: PatternDesk; close(): Promise<void> }> {
  const { state, reach, close } = await openForPatterns(settings, { makes, access: alone ? 'alone' : 'beside' });
  try {
    const workingDays = await workingDaysOf(configDirectory);
    const store = await openSeededStore(state, workingDays, configDirectory, clock.now());
    return { store, desk: createPatternDesk({ store, workingDays, reach, retentionMs: settings.log.retentionMs, clock }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openForPatterns(settings: Settings, options: OpenStoresOptions) {
  if (!isClustered(settings)) {
    const stores = await openStores(settings, options);
    return { state: stores.state, close: () => stores.close(), reach: () => reachOf(stores.log) };
  }
  // Few commands ask how far the log reaches back: it is opened for those alone.
  return { ...(await openState(settings)), reach: () => reachOfCluster(settings) };
}

async function reachOfCluster(settings: Settings) {
  const stores = await openStores(settings);
  try {
    return await reachOf(stores.log);
  } finally {
    await stores.close();
  }
}

/** The keys. Throws `StoreMissing`. */
export async function openKeys(settings: Settings, clock: { now(): number }): Promise<{ keys: Keys; close(): Promise<void> }> {
  const { state, close } = await openState(settings, { access: 'beside' });
  try {
    // Whoever makes it here sees it made; there is no log line to write.
    const keys = await createKeys({ state, clock, randomBytes, telemetry: { keyMade: () => undefined } });
    return { keys, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function workingDaysOf(configDirectory: string): Promise<WorkingDays> {
  const { calendar } = await loadCatalogue(configDirectory);
  return createCalendar(calendar, { unknownYears: 'weekends' });
}

/** An empty one gets the patterns that ship. */
export async function openSeededStore(
  state: State,
  workingDays: WorkingDays,
  configDirectory: string,
  nowMs: number,
): Promise<PatternStore> {
  const store = createPatternStore(state, workingDays);
  await store.seed(await readPatternFiles(join(configDirectory, 'patterns')), nowMs);
  return store;
}
