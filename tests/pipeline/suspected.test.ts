import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Hit } from '../../src/domain/hit.js';
import type { Warning } from '../../src/domain/warning.js';
import { eventRows } from '../../src/pipeline/event-rows.js';
import type { Channel } from '../../src/ports/channel.js';
import { eventsOn, hitsOn, temporaryEmbedded, valuesOn } from '../support/embedded.js';
import { compileOrThrow, shippedPatterns } from '../support/patterns.js';
import { patternStoreOf, startPipeline } from '../support/pipeline.js';
import { body } from '../support/stream.js';
import { recipientsIn, startDispatch, until } from './dispatch-support.js';

let parts: ReturnType<typeof temporaryEmbedded>;
beforeEach(() => {
  parts = temporaryEmbedded();
});
afterEach(() => parts.remove());

const creditCode = '91410100MA3X6AA49P';
const bank = '102491002011';
const shell = {
  account: '41006000000000001',
  kind: 'corporate',
  name: '郑州示例壳贸易有限公司',
  bank,
  region: '410100',
  openedOn: '2026-01-01',
  creditCode,
};
const victim = {
  account: '41006000000000077',
  kind: 'corporate',
  name: '受害企业有限公司',
  bank,
  region: '410100',
  openedOn: '2015-03-01',
};
const above = { account: '6222020000000600009', kind: 'personal', name: '上家', bank, region: '460100' };

const paid = [
  {
    id: 'p-1',
    time: '2026-07-01T09:55:00+08:00',
    amountFen: 48_000_000,
    payer: victim,
    payee: { ...shell, balanceFen: 49_000_000 },
  },
  {
    id: 'p-2',
    time: '2026-07-01T10:00:00+08:00',
    amountFen: 48_000_000,
    payer: { ...shell, balanceFen: 1_000_000 },
    payee: above,
  },
];
const listing = {
  type: 'list',
  id: 'l-1',
  time: '2026-06-30T09:00:00+08:00',
  list: 'case-accounts',
  action: 'add',
  entries: [shell.account],
};

/** Who was sent what, after these records went in by the front door. */
async function sentAfter(records: readonly object[]) {
  const sent: { recipient: string; warning: Warning }[] = [];
  const channel: Channel = {
    name: 'webhook',
    deliver({ target, warning }) {
      sent.push({ recipient: target.recipient, warning });
      return Promise.resolve({ kind: 'delivered', status: 200, acknowledged: false });
    },
  };
  const registered = [
    ['shell', 'enterprise', creditCode],
    ['bank', 'bank', bank],
  ] as const;
  for (const [id, kind, match] of registered)
    await recipientsIn(parts).put(id, { kind, match, name: id, webhook: { url: 'https://receiver.example/hook' } });
  const pipeline = await startPipeline({ ...parts, patternStore: patternStoreOf(compileOrThrow(shippedPatterns())) });
  const dispatch = await startDispatch(parts, { channels: [channel] });
  await pipeline.intake.accept(body(records.map((record) => JSON.stringify(record))));
  await pipeline.drained();
  await until(dispatch.lag.bind(dispatch), (lag) => lag === 0);
  await until(
    () => sent.filter(({ recipient }) => recipient === 'bank').length,
    (count) => count > 0,
  );
  await dispatch.leave();
  await pipeline.stop();
  return sent;
}

const ofShell = ({ warning }: { warning: Warning }): boolean => warning.subject.account === shell.account;

test('a firm that is no suspect is sent the warning on itself', async () => {
  const sent = await sentAfter(paid);
  expect(sent.some((one) => one.recipient === 'shell' && one.warning.side === 'victim')).toBe(true);
});

test('a case account is sent nothing about itself, its bank is told that it is suspected, and the archive keeps it', async () => {
  const sent = await sentAfter([listing, ...paid]);
  expect(sent.filter(({ recipient }) => recipient === 'shell')).toEqual([]);
  expect(sent.filter(ofShell).some(({ warning }) => warning.side === 'victim' && warning.suspected === true)).toBe(true);
  const hits = (await hitsOn(parts.log)).map(({ data }) => data as Hit);
  const own = hits.filter(({ subject, state }) => subject.id === shell.account && state === 'active');
  expect(own.some(({ side }) => side === 'victim')).toBe(true);
  for (const { suspected, audience } of own) expect([suspected, audience.includes('enterprise')]).toEqual([true, false]);
  for (const { data } of await eventsOn(parts.log, 'warnings')) {
    const { subject, audience } = data as Warning;
    if (subject.account === shell.account) expect(audience).not.toContain('enterprise');
  }
  const rows: { subject: string; data: string }[] = [];
  for (let partition = 0; partition < parts.log.partitions('hits'); partition++)
    for (const value of await valuesOn(parts.log, 'hits', partition)) rows.push(...(eventRows('hits', value) as typeof rows));
  expect(rows.filter(({ subject, data }) => subject === shell.account && data.includes('"suspected":true'))).not.toEqual([]);
});
