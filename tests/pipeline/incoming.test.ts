import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readFrame, role } from '../../src/domain/frame.js';
import { createIncoming } from '../../src/pipeline/incoming.js';
import { takenUpTo } from '../../src/pipeline/incoming-slot.js';
import { createIntake, IntakeBusy, type Intake } from '../../src/pipeline/intake.js';
import type { RejectedRecord } from '../../src/pipeline/rejections.js';
import type { Log, Membership } from '../../src/ports/log.js';
import type { State } from '../../src/ports/state.js';
import { eventsOn, temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { exampleRecords } from '../support/references.js';
import { makeStream } from '../support/stream.js';

const lines = makeStream({ transactions: 60, seed: 3 });
const clock = { now: () => Date.parse('2026-07-02T00:00:00+08:00') };
const limit = { recordsMax: 7, bytesMax: 2 ** 20 };

let parts: ReturnType<typeof temporaryEmbedded>;
let members: Membership[];

beforeEach(() => {
  parts = temporaryEmbedded();
  members = [];
});
afterEach(async () => {
  for (const member of members) await member.leave();
  await parts.remove();
});

describe('what banks write to the log themselves', () => {
  test('is taken like lines over HTTP, each once, and what is wrong holds nothing up', async () => {
    const pretty = JSON.stringify(JSON.parse(lines[0]!), null, 2);
    const records = [
      pretty,
      '{"id":"broken"',
      ...lines.slice(1, 30),
      '',
      'null',
      lines[5]!,
      ...lines.slice(30),
      JSON.stringify(exampleRecords.profile),
    ];
    await write(...records);
    await drained(await open());
    expect(await idsOnLog()).toEqual(lines.map((line) => (JSON.parse(line) as { id: string }).id).sort());
    const rejected = (await eventsOn(parts.log, 'rejected')).map(({ data }) => data as RejectedRecord);
    expect(rejected.map(({ reason }) => reason)).toEqual(['malformed', 'malformed', 'malformed']);
    expect(await takenUpTo(parts.state, 0)).toBe(records.length);
  });

  test('goes on from its own position; a batch that was taken before the position moved comes again as duplicates', async () => {
    await write(...lines);
    let commits = 0;
    const state: State = {
      ...parts.state,
      commit: (slot, change) => {
        if (slot.startsWith('incoming/') && ++commits === 4) return Promise.reject(new Error('killed before the position moved'));
        return parts.state.commit(slot, change);
      },
    };
    const first = await open({ state });
    await expect(first.done).rejects.toThrow('killed');
    const before = (await valuesOn(parts.log, 'transactions', 0)).length;
    expect(before).toBeGreaterThan(0);
    await drained(await open());
    const ids = await legsOnLog();
    expect(new Set(ids).size).toBe(ids.length);
    expect(await idsOnLog()).toHaveLength(lines.length);
  });

  test('may be of one bank only, where the settings say so; lists are the centre’s, whoever sends them', async () => {
    const other = JSON.stringify({ ...(JSON.parse(lines[0]!) as object), bank: '999999999999' });
    await write(other, JSON.stringify(exampleRecords.list));
    await drained(await open({ bank: '102491002011' }));
    expect(await idsOnLog()).toEqual([]);
    const rejected = (await eventsOn(parts.log, 'rejected')).map(({ data }) => data as RejectedRecord);
    expect(rejected.map(({ reason, field }) => `${reason} ${field}`)).toEqual(['invalid bank', 'invalid type']);
  });

  test('waits while too much is in hand, and is tried again', async () => {
    await write(...lines.slice(0, 3));
    let refusals = 3;
    const intake = intakeOf(parts);
    const busy: Pick<Intake, 'accept'> = {
      accept: (body, options) =>
        refusals-- > 0 ? Promise.reject(new IntakeBusy('64 bodies are in hand')) : intake.accept(body, options),
    };
    await drained(await open({ intake: busy }));
    expect(await idsOnLog()).toHaveLength(3);
    expect(parts.troubles).toEqual([]);
  });
});

function intakeOf(on: { readonly log: Log; readonly state: State }): Intake {
  return createIntake({ log: on.log, state: on.state, clock, newId: randomUUID });
}

async function open({
  state = parts.state,
  bank = '*',
  intake = intakeOf(parts),
}: { state?: State; bank?: string; intake?: Pick<Intake, 'accept'> } = {}): Promise<Membership> {
  const member = await createIncoming({ log: parts.log, state, intake, newId: randomUUID, settings: { limit, bank } });
  members.push(member);
  return member;
}

function write(...records: readonly string[]): Promise<void> {
  return parts.log.append(records.map((value) => ({ topic: 'incoming', partition: 0, value: Buffer.from(value) })));
}

async function drained(member: Membership): Promise<void> {
  await expect.poll(() => member.lag(), { timeout: 20_000 }).toBe(0);
}

/** `id/leg` of each leg on the log, once for each time it is there. */
async function legsOnLog(): Promise<string[]> {
  const legs: string[] = [];
  for (let partition = 0; partition < parts.log.partitions('transactions'); partition++) {
    for (const value of await valuesOn(parts.log, 'transactions', partition)) {
      for (const { roles, start, end } of readFrame(value)) {
        if (roles >= role.forward) continue;
        const { id } = JSON.parse(Buffer.from(value.subarray(start, end)).toString()) as { id: string };
        if ((roles & role.debit) !== 0) legs.push(`${id}/debit`);
        if ((roles & role.credit) !== 0) legs.push(`${id}/credit`);
      }
    }
  }
  return legs;
}

async function idsOnLog(): Promise<string[]> {
  return [...new Set((await legsOnLog()).map((leg) => leg.split('/')[0]!))].sort();
}
