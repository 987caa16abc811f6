import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { State } from '../ports/state.js';

/**
 * API keys, in slot `keys` of the state. Only their SHA-256 is kept: a key is shown once, when it is made. A plain hash
 * suffices because a key holds 192 random bits; there is nothing to guess.
 */
export interface Keys {
  /** The key itself is in the answer and nowhere else. */
  make(input: KeyInput): Promise<{ id: string; key: string }>;
  list(): Promise<readonly KeySummary[]>;
  remove(id: string): Promise<boolean>;
  /** Null for an unknown key. Takes the same time whichever key it is compared with. */
  authenticate(key: string): Caller | null;
  /** Looks for keys that another process has made or removed. */
  refresh(): Promise<void>;
  /**
   * On the first start: a key for the anti-fraud centre and one for a sample bank. Null where there are keys already.
   * `keep` must have kept them when it resolves: they become valid after it, so a kill in between leaves no key that nobody has.
   * Of several processes that do so at once, the keys of one become valid.
   */
  ensureFirstKeys(keep: FirstKeysKeeper): Promise<FirstKeys | null>;
}

export type FirstKeysKeeper = (keys: FirstKeys) => Promise<{
  /** They are valid. */
  confirm(): Promise<void>;
  /** Another process's are. */
  discard(): Promise<void>;
}>;

export interface FirstKeys {
  readonly centre: string;
  readonly bank: string;
}

export const keyRoles = ['bank', 'centre', 'enterprise'] as const;

const keyInputSchema = z.strictObject({
  name: z.string().min(1).max(120),
  role: z.enum(keyRoles),
  /** The bank number that a bank's key may report for, or `*` for any; only for banks. */
  bank: z
    .string()
    .regex(/^(\*|[0-9A-Za-z]{3,14})$/, 'expected a bank number, or *')
    .optional(),
});
export type KeyInput = z.infer<typeof keyInputSchema>;

export interface KeySummary extends KeyInput {
  /** First 12 hexadecimal digits of the hash: names the key without giving it away. */
  readonly id: string;
  readonly createdAt: string;
}

export interface Caller {
  /** Of the key. */
  readonly id: string;
  readonly role: (typeof keyRoles)[number];
  /** The one bank that a bank's key may report for; absent where it may report for any. */
  readonly bank?: string;
  readonly name: string;
}

export interface KeysOptions {
  readonly state: State;
  readonly clock: { now(): number };
  readonly randomBytes: (count: number) => Uint8Array;
  readonly telemetry: { keyMade(fact: { name: string; role: string }): void };
}

const slot = 'keys';
const prefix = 'key/';
/** Stands once the first keys were made. */
const firstKey = 'first';
const keysMax = 1000;
const keyBytesMax = 200;
const storedSchema = keyInputSchema.extend({ createdAt: z.iso.datetime() });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface KnownKey {
  readonly hash: Uint8Array;
  readonly summary: KeySummary;
}

interface DrawnKey {
  readonly input: KeyInput;
  readonly key: string;
  readonly hash: Buffer;
}

export async function createKeys(options: KeysOptions): Promise<Keys> {
  const { state, clock } = options;
  let known: readonly KnownKey[] = await load(state);

  function draw(input: KeyInput): DrawnKey {
    const key = `huqi_${input.role}_${Buffer.from(options.randomBytes(24)).toString('base64url')}`;
    return { input, key, hash: hashOf(key) };
  }

  /** All or none of them become valid; none where there must be no first key and is one. */
  async function store(drawn: readonly DrawnKey[], areFirst = false): Promise<boolean> {
    if (known.length + drawn.length > keysMax) throw new RangeError(`keys: at most ${keysMax} are kept; remove one first`);
    const put = drawn.map(({ input: { name, role, bank }, hash }) => {
      const stored = { name, role, ...(bank === undefined ? {} : { bank }), createdAt: new Date(clock.now()).toISOString() };
      return { key: prefix + hash.toString('hex'), value: encoder.encode(JSON.stringify(stored)) };
    });
    const first = { key: firstKey, value: encoder.encode(new Date(clock.now()).toISOString()) };
    const change = areFirst ? { expect: [{ key: firstKey, value: null }], put: [...put, first] } : { put };
    const result = await state.commit(slot, change);
    await keys.refresh();
    if (result === 'conflict') return false;
    for (const { input } of drawn) options.telemetry.keyMade({ name: input.name, role: input.role });
    return true;
  }

  const keys: Keys = {
    async make(input) {
      const made = draw(checkInput(input));
      await store([made]);
      return { id: idOf(made.hash), key: made.key };
    },

    list: async () => {
      await keys.refresh();
      return known.map(({ summary }) => summary);
    },

    async remove(id) {
      await keys.refresh();
      const found = known.find(({ summary }) => summary.id === id);
      if (!found) return false;
      await state.commit(slot, { delete: [prefix + Buffer.from(found.hash).toString('hex')] });
      await keys.refresh();
      return true;
    },

    authenticate(key) {
      const hash = hashOf(key.slice(0, keyBytesMax));
      let found: KnownKey | null = null;
      // Every key is compared, so that the time says nothing about which one, or how far, it matched.
      for (const candidate of known) if (timingSafeEqual(candidate.hash, hash)) found = candidate;
      return found && callerOf(found.summary);
    },

    async refresh() {
      known = await load(state);
    },

    async ensureFirstKeys(keep) {
      await keys.refresh();
      if (known.length > 0) return null;
      const centre = draw(checkInput({ name: 'anti-fraud centre', role: 'centre' }));
      const bank = draw(checkInput({ name: 'sample bank', role: 'bank', bank: '*' }));
      const first = { centre: centre.key, bank: bank.key };
      const kept = await keep(first);
      const areValid = await store([centre, bank], true);
      await (areValid ? kept.confirm() : kept.discard());
      return areValid ? first : null;
    },
  };
  return keys;
}

async function load(state: State): Promise<KnownKey[]> {
  const entries = await state.scan(slot, { prefix, limit: keysMax + 1 });
  return entries.map(({ key, value }) => {
    const hash = Buffer.from(key.slice(prefix.length), 'hex');
    return { hash, summary: { id: idOf(hash), ...storedSchema.parse(JSON.parse(decoder.decode(value))) } };
  });
}

function checkInput(input: KeyInput): KeyInput {
  const checked = keyInputSchema.parse(input);
  if ((checked.role === 'bank') !== (checked.bank !== undefined)) {
    throw new TypeError(`key "${checked.name}": a bank's key names its bank (or *), and only a bank's key does`);
  }
  return checked;
}

function callerOf({ id, role, name, bank }: KeySummary): Caller {
  return bank === undefined || bank === '*' ? { id, role, name } : { id, role, name, bank };
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

function idOf(hash: Uint8Array): string {
  return Buffer.from(hash).toString('hex').slice(0, 12);
}
