import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RecipientInput } from '../../src/domain/recipient.js';
import { createKeys } from '../../src/pipeline/keys.js';
import { RecipientRefused } from '../../src/pipeline/recipients.js';
import { temporaryEmbedded, type EmbeddedParts } from '../support/embedded.js';
import { loopbackWebhook, quiet, recipientsIn } from './dispatch-support.js';

let parts: EmbeddedParts & { remove(): Promise<void> };
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

const bank: RecipientInput = { kind: 'bank', match: '102', name: '工商银行', webhook: { url: 'https://bank.example/hook' } };

describe('recipients', () => {
  test('a new recipient gets its secret once; no list and no later change shows it', async () => {
    const recipients = recipientsIn(parts);
    const { created, secret = '' } = await recipients.put('icbc', bank);
    expect(created).toBe(true);
    expect(new Webhook(secret).sign('id', new Date(), 'body')).toMatch(/^v1,/);
    expect(await recipients.put('icbc', { ...bank, name: 'ICBC' })).toEqual({ created: false });
    const listed = await recipients.list();
    expect(listed).toEqual([{ id: 'icbc', ...bank, name: 'ICBC' }]);
    expect(JSON.stringify(listed)).not.toContain('whsec_');
    expect((await recipients.registered()).get('icbc')?.secret).toBe(secret);
  });

  test('an address that nothing may be delivered to is refused with the reason, and nothing is kept', async () => {
    const channel = loopbackWebhook();
    const recipients = recipientsIn(parts, channel);
    for (const url of ['http://10.20.0.5/huqi', 'http://[fd00::1]/huqi', 'https://user:password@bank.example/hook']) {
      const refusal: unknown = await recipients.put('icbc', { ...bank, webhook: { url } }).catch((error: unknown) => error);
      if (!(refusal instanceof RecipientRefused)) throw new Error(`${url} was accepted`);
      expect(refusal.problems.map(({ path }) => path)).toEqual(['webhook.url']);
      if (!url.includes('@')) expect(refusal.message).toContain('dispatch.webhookAllowPrivate');
    }
    expect(await recipients.list()).toEqual([]);
    expect(await recipients.put('icbc', { ...bank, webhook: { url: 'http://127.0.0.1:1/huqi' } })).toMatchObject({
      created: true,
    });
    channel.close();
  });

  test('what one process registers another one sees', async () => {
    const [first, second] = [recipientsIn(parts), recipientsIn(parts)];
    expect(await second.list()).toEqual([]);
    await first.put('icbc', bank);
    expect((await second.list()).map(({ id }) => id)).toEqual(['icbc']);
    expect(await second.remove('icbc')).toBe(true);
    expect(await second.remove('icbc')).toBe(false);
    expect(await first.list()).toEqual([]);
  });

  test('dispatch sees it at once where its clock has been set back', async () => {
    let nowMs = 1_000_000;
    const [first, dispatching] = [recipientsIn(parts), recipientsIn(parts, undefined, { now: () => nowMs })];
    expect((await dispatching.registered()).size).toBe(0);
    await first.put('icbc', bank);
    expect((await dispatching.registered()).size).toBe(0);
    nowMs -= 600_000;
    expect((await dispatching.registered()).size).toBe(1);
  });

  test('two changes at the same moment are both kept', async () => {
    const [first, second] = [recipientsIn(parts), recipientsIn(parts)];
    await Promise.all([first.put('a', bank), second.put('b', bank), first.put('c', bank)]);
    expect((await first.list()).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  test('a recipient that could never be told, or be told too much, is refused with every reason', async () => {
    const recipients = recipientsIn(parts);
    const wrong = { kind: 'bank', match: '*', name: '', webhook: { url: 'ftp://bank.example' } } as const;
    const refusal: unknown = await recipients.put('Not An Id', wrong).catch((error: unknown) => error);
    if (!(refusal instanceof RecipientRefused)) throw new Error('it was accepted');
    expect(refusal.problems.map(({ path }) => path).sort()).toEqual(['id', 'match', 'name', 'webhook.url']);
    for (const match of ['4', '410', 'Henan', '41010000']) {
      const outcome = recipients.put('centre', { ...bank, kind: 'centre', match });
      if (match === '410') await outcome;
      else await expect(outcome).rejects.toThrow(/region of 2 to 6 digits/);
    }
  });
});

describe('API keys', () => {
  const keysIn = () => createKeys({ state: parts.state, clock: Date, randomBytes, telemetry: quiet() });

  test('first keys that could not be kept for anybody never become valid', async () => {
    await expect((await keysIn()).ensureFirstKeys(() => Promise.reject(new Error('the disk is full')))).rejects.toThrow(
      'the disk is full',
    );
    expect(await (await keysIn()).list()).toEqual([]);
  });

  test('the first start makes a key for the centre and one for a sample bank, later starts make none', async () => {
    const shown: unknown[] = [];
    const keep = async (made: unknown) => {
      shown.push(made);
      return { confirm: async () => void shown.push('confirmed'), discard: async () => void shown.push('discarded') };
    };
    // Two processes start at once: the keys of one become valid, and only those are shown.
    const [one, other] = await Promise.all([keysIn(), keysIn()]);
    const made = await Promise.all([one.ensureFirstKeys(keep), other.ensureFirstKeys(keep)]);
    const [first] = made.filter((keys) => keys !== null);
    if (!first) throw new Error('no keys were made');
    expect(made.filter((keys) => keys === null)).toHaveLength(1);
    expect(shown).toHaveLength(4);
    expect(shown).toEqual(expect.arrayContaining([first, 'confirmed', 'discarded']));
    const keys = await keysIn();
    expect(await keys.ensureFirstKeys(() => Promise.reject(new Error('nothing to show')))).toBeNull();
    expect(keys.authenticate(first.centre)).toMatchObject({ role: 'centre', name: 'anti-fraud centre' });
    expect(keys.authenticate(first.bank)).toEqual({ id: expect.any(String) as string, role: 'bank', name: 'sample bank' });
  });

  test("a bank's key names the one bank that it may report for", async () => {
    const keys = await keysIn();
    const { id, key } = await keys.make({ name: 'ICBC Zhengzhou', role: 'bank', bank: '102491002011' });
    expect(keys.authenticate(key)).toEqual({ id, role: 'bank', name: 'ICBC Zhengzhou', bank: '102491002011' });
    await expect(keys.make({ name: 'no bank', role: 'bank' })).rejects.toThrow(/names its bank/);
    await expect(keys.make({ name: 'centre with a bank', role: 'centre', bank: '102' })).rejects.toThrow(/only a bank/);
  });

  test('unknown, shortened, lengthened and removed keys open nothing', async () => {
    const keys = await keysIn();
    const { id, key } = await keys.make({ name: 'centre', role: 'centre' });
    for (const wrong of ['', 'x', key.slice(0, -1), `${key}x`, key.toUpperCase(), 'x'.repeat(100_000)])
      expect(keys.authenticate(wrong)).toBeNull();
    expect(await keys.remove(id)).toBe(true);
    expect(keys.authenticate(key)).toBeNull();
  });

  test('no key is kept: the store holds only its hash', async () => {
    const keys = await keysIn();
    const { key } = await keys.make({ name: 'centre', role: 'centre' });
    const stored = await parts.state.scan('keys', { prefix: '', limit: 10 });
    expect(stored).toHaveLength(1);
    expect(JSON.stringify(stored.map((entry) => [entry.key, Buffer.from(entry.value).toString()]))).not.toContain(key.slice(12));
    expect(JSON.stringify(await keys.list())).not.toContain(key.slice(12));
  });
});
