import { z } from 'zod';
import { recipientIdSchema, recipientInputSchema, type Recipient, type RecipientInput } from '../domain/recipient.js';
import type { State } from '../ports/state.js';
import { isFresh } from './fresh.js';

/**
 * Who has registered to be told, in slot `recipients` of the state. The secrets that sign webhooks are kept there as they
 * are, because signing needs them: the data directory must be readable by its owner only. No list ever shows them.
 */
export interface Recipients {
  /** `secret` (`whsec_…`) is there when the recipient is new and is never given again; a change keeps the secret. */
  put(id: string, input: RecipientInput): Promise<{ created: boolean; secret?: string }>;
  /** By id, without secrets. */
  list(): Promise<readonly Recipient[]>;
  /** False where there was none. */
  remove(id: string): Promise<boolean>;
  /** For dispatch: everyone with secrets, at most `pollMs` old where another process has changed it. */
  registered(): Promise<ReadonlyMap<string, RegisteredRecipient>>;
}

export interface RegisteredRecipient extends Recipient {
  readonly secret: string;
}

export class RecipientRefused extends Error {
  readonly retriable = false;
  readonly problems: readonly { readonly path: string; readonly message: string }[];
  constructor(problems: readonly { readonly path: string; readonly message: string }[]) {
    super(`recipient refused: ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}`);
    this.name = 'RecipientRefused';
    this.problems = problems;
  }
}

export interface RecipientsOptions {
  readonly state: State;
  readonly clock: { now(): number };
  readonly randomBytes: (count: number) => Uint8Array;
  /** Why nothing could be delivered to an address; null where it may. Asked before a recipient is kept. */
  readonly whyNot?: ((url: string) => Promise<string | null>) | undefined;
  readonly settings: { readonly recipientsMax: number; readonly recipientsPollMs: number };
  readonly telemetry: {
    recipientChanged(fact: { recipient: string; kind: string; how: 'registered' | 'changed' | 'removed' }): void;
  };
}

const slot = 'recipients';
const prefix = 'recipient/';
const versionKey = 'version';
const triesMax = 5;
const storedSchema = recipientInputSchema.safeExtend({ secret: z.string(), createdAt: z.iso.datetime() });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createRecipients(options: RecipientsOptions): Recipients {
  const { state, clock, settings } = options;
  let known: ReadonlyMap<string, RegisteredRecipient> = new Map();
  let knownVersion: Uint8Array | null | undefined;
  let checkedMs = Number.NEGATIVE_INFINITY;

  return {
    async put(id, input) {
      const recipient = check(id, input);
      // Else every delivery to it would be refused for good, and its warnings be lost.
      const reason = await options.whyNot?.(recipient.webhook.url);
      if (reason) throw new RecipientRefused([{ path: 'webhook.url', message: reason }]);
      for (let attempt = 0; attempt < triesMax; attempt++) {
        const { all, version } = await load();
        const before = all.get(id);
        if (!before && all.size >= settings.recipientsMax) {
          throw new RecipientRefused([
            { path: 'id', message: `at most ${settings.recipientsMax} recipients are kept; remove one first` },
          ]);
        }
        const secret = before?.secret ?? `whsec_${Buffer.from(options.randomBytes(24)).toString('base64')}`;
        const stored = { ...recipient, secret, createdAt: new Date(clock.now()).toISOString() };
        const value = encoder.encode(JSON.stringify(stored));
        if (await change(version, { put: { key: prefix + id, value } })) {
          options.telemetry.recipientChanged({ recipient: id, kind: recipient.kind, how: before ? 'changed' : 'registered' });
          return before ? { created: false } : { created: true, secret };
        }
      }
      throw tooContended();
    },

    async list() {
      return [...(await load()).all.values()].map(({ id, kind, match, name, webhook }) => ({ id, kind, match, name, webhook }));
    },

    async remove(id) {
      for (let attempt = 0; attempt < triesMax; attempt++) {
        const { all, version } = await load();
        const before = all.get(id);
        if (!before) return false;
        if (await change(version, { remove: prefix + id })) {
          options.telemetry.recipientChanged({ recipient: id, kind: before.kind, how: 'removed' });
          return true;
        }
      }
      throw tooContended();
    },

    async registered() {
      if (isFresh(clock.now(), checkedMs, settings.recipientsPollMs)) return known;
      return (await load()).all;
    },
  };

  async function load(): Promise<{ all: ReadonlyMap<string, RegisteredRecipient>; version: Uint8Array | null }> {
    const [version = null] = await state.get(slot, [versionKey]);
    if (knownVersion === undefined || !sameBytes(version, knownVersion)) {
      const entries = await state.scan(slot, { prefix, limit: settings.recipientsMax + 1 });
      known = new Map(entries.map(({ key, value }) => [key.slice(prefix.length), read(key.slice(prefix.length), value)]));
      knownVersion = version;
    }
    checkedMs = clock.now();
    return { all: known, version };
  }

  async function change(
    version: Uint8Array | null,
    what: { put?: { key: string; value: Uint8Array }; remove?: string },
  ): Promise<boolean> {
    const next = encoder.encode(String(version === null ? 1 : Number(decoder.decode(version)) + 1));
    const result = await state.commit(slot, {
      expect: [{ key: versionKey, value: version }],
      put: [{ key: versionKey, value: next }, ...(what.put ? [what.put] : [])],
      delete: what.remove === undefined ? [] : [what.remove],
    });
    if (result === 'conflict') return false;
    await load();
    return true;
  }
}

function check(id: string, input: RecipientInput): RecipientInput {
  const problems: { path: string; message: string }[] = [];
  const idResult = recipientIdSchema.safeParse(id);
  const result = recipientInputSchema.safeParse(input);
  for (const issue of idResult.error?.issues ?? []) problems.push({ path: 'id', message: issue.message });
  for (const issue of result.error?.issues ?? []) problems.push({ path: issue.path.join('.'), message: issue.message });
  if (problems.length > 0 || !result.success) throw new RecipientRefused(problems);
  return result.data;
}

function read(id: string, value: Uint8Array): RegisteredRecipient {
  const { createdAt: _, ...recipient } = storedSchema.parse(JSON.parse(decoder.decode(value)));
  return { id, ...recipient };
}

function tooContended(): Error {
  return Object.assign(new Error('recipients: others change them at the same moment; try again'), { retriable: true });
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : Buffer.compare(a, b) === 0;
}
