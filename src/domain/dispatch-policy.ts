import { z } from 'zod';
import { channelNames, deliveryId, type ChannelName } from './delivery.js';
import { recipientKinds, type Recipient, type RecipientKind } from './recipient.js';
import { levels, type Level, type Warning } from './warning.js';

/** Who is told of a warning, over what, when, and when again. Pure: recipients, routes, time and chance are passed in. */

const channelList = z.array(z.enum(channelNames)).max(channelNames.length);
const seconds = z.number().min(0).max(31_557_600);
export const routesSchema = z.strictObject({
  channels: z.record(z.enum(levels), z.record(z.enum(recipientKinds), channelList)),
  retry: z.strictObject({
    atSeconds: z
      .array(seconds)
      .min(1)
      .max(100)
      .refine((times) => times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0)), 'expected times that grow'),
    everySeconds: seconds.min(1),
    deadlineSeconds: seconds.min(1),
    jitter: z.number().min(0).max(0.9),
    retryAfterSecondsMax: seconds,
  }),
});
export type Routes = z.infer<typeof routesSchema>;

/** What dispatch remembers of a warning: the latest revision seen and the level that each recipient was told over each channel. */
export const toldSchema = z.object({
  revision: z.int(),
  /** Decides nothing any more; processes of an earlier release read it during a rolling upgrade. */
  acknowledgedAt: z.string().nullable(),
  withdrawn: z.boolean(),
  /** `recipient/channel` → level. */
  levels: z.record(z.string(), z.enum(levels)),
  seenAtMs: z.number(),
});
export type Told = z.infer<typeof toldSchema>;

export interface PlannedDelivery {
  readonly id: string;
  readonly recipient: string;
  readonly channel: ChannelName;
  readonly level: Level;
}

export type DispatchDecision =
  | { readonly kind: 'ignore'; readonly reason: 'repeated' | 'older' }
  | {
      readonly kind: 'act';
      readonly reason: 'told' | 'nothing-new' | 'nobody-registered' | 'withdrawn';
      readonly plan: readonly PlannedDelivery[];
      /** What is planned and not sent yet is given up for this reason, for every recipient, before `plan` is added. */
      readonly cancel: 'withdrawn' | null;
      readonly told: Told;
    };

/** Most recipients of one warning; a warning matches a handful, the bound keeps a mistake from becoming a flood. */
const recipientsPerWarningMax = 200;

/**
 * Each recipient is told once when the warning concerns them first and once more for each rise in level. A disposal cancels what
 * is not sent, because the warning is closed for all. An acknowledgement does not: that one recipient knows tells nothing to the
 * others, whose systems often acknowledge by themselves.
 */
export function decideDispatch(
  previous: Told | null,
  warning: Warning,
  recipients: readonly Recipient[],
  routes: Routes,
  nowMs: number,
): DispatchDecision {
  if (previous && warning.revision === previous.revision) return { kind: 'ignore', reason: 'repeated' };
  if (previous && warning.revision < previous.revision) return { kind: 'ignore', reason: 'older' };

  const withdrawn = warning.status === 'disposed';
  const toldLevels: Record<string, Level> = { ...previous?.levels };
  const concerned = recipientsOf(warning, recipients).slice(0, recipientsPerWarningMax);
  // A firm that turns out to be tricked is told by the very disposal that says so; nobody else hears of a closed warning.
  const addressed = withdrawn
    ? concerned.filter(({ kind }) => kind === 'enterprise' && warning.verdict === 'tricked')
    : concerned;

  const plan: PlannedDelivery[] = [];
  for (const recipient of addressed) {
    for (const channel of routes.channels[warning.level][recipient.kind]) {
      const key = `${recipient.id}/${channel}`;
      const before = toldLevels[key];
      if (before !== undefined && rank(before) >= rank(warning.level)) continue;
      toldLevels[key] = warning.level;
      plan.push({
        id: deliveryId(warning.id, warning.level, recipient.id, channel),
        recipient: recipient.id,
        channel,
        level: warning.level,
      });
    }
  }
  return {
    kind: 'act',
    reason: plan.length > 0 ? 'told' : withdrawn ? 'withdrawn' : concerned.length === 0 ? 'nobody-registered' : 'nothing-new',
    plan,
    cancel: withdrawn && !previous?.withdrawn ? 'withdrawn' : null,
    told: {
      revision: warning.revision,
      acknowledgedAt: warning.acknowledgedAt ?? null,
      withdrawn,
      levels: toldLevels,
      seenAtMs: nowMs,
    },
  };
}

/**
 * The registered recipients that a warning's audience holds.
 * - An enterprise: its own warning only, where the audience holds an enterprise, and never on the mule's side or where it is
 *   suspected itself, unless a person found that the firm was tricked (反洗钱法 2024, art. 35).
 * - A bank: the subject's own bank and the counterparties' banks, each where the audience holds it.
 * - A centre: those whose region holds the subject's; city centres (4 or more digits) and provincial ones by the audience.
 */
export function recipientsOf(warning: Warning, recipients: readonly Recipient[]): Recipient[] {
  const tests: Readonly<Record<RecipientKind, (match: string) => boolean>> = {
    enterprise: enterpriseTest(warning),
    bank: bankTest(warning),
    centre: centreTest(warning),
  };
  return recipients.filter((recipient) => tests[recipient.kind](recipient.match));
}

/** Whether the enterprise that a warning is about may be told of it. */
export function isHolderTold({ audience, side, suspected, verdict }: Warning): boolean {
  const isSuspect = side === 'mule' || suspected === true;
  return audience.includes('enterprise') && (!isSuspect || verdict === 'tricked');
}

function enterpriseTest(warning: Warning): (match: string) => boolean {
  if (!isHolderTold(warning)) return () => false;
  const { subject } = warning;
  return (match) => match === subject.creditCode || match === subject.account;
}

function bankTest({ audience, subject, hits }: Warning): (match: string) => boolean {
  const banks = new Set<string>();
  if (audience.includes('own-bank') && subject.bank !== undefined) banks.add(subject.bank);
  if (audience.includes('other-bank')) {
    for (const { counterparty } of hits) if (counterparty?.bank !== undefined) banks.add(counterparty.bank);
  }
  return (match) => [...banks].some((bank) => bank.startsWith(match));
}

function centreTest({ audience, subject }: Warning): (match: string) => boolean {
  const city = audience.includes('city-centre');
  const province = audience.includes('provincial-centre');
  return (match) => {
    if (match === '*') return city || province;
    if (subject.region === undefined || !subject.region.startsWith(match)) return false;
    return match.length >= 4 ? city : province || city;
  };
}

export type NextAttempt =
  | {
      readonly kind: 'at';
      readonly dueMs: number;
      /** The time of the schedule that the attempt stands for, in milliseconds from when the delivery was planned. */
      readonly slotMs: number;
    }
  | { readonly kind: 'exhausted'; readonly reason: string };

/** Shortest wait between two attempts of one delivery. */
const gapMsMin = 250;

/**
 * When to try again: the next time of the schedule that is still ahead, so that times missed while the platform was down
 * are not made up for. `lastSlotMs` is the one that the attempt just made stood for: made early by jitter, it is not made for
 * the same time once more. `chance` is 0 to 1. `afterMs` is what the endpoint asked for (Retry-After), respected within bounds.
 */
export function nextAttempt(input: {
  readonly plannedAtMs: number;
  readonly nowMs: number;
  readonly lastSlotMs?: number | undefined;
  readonly afterMs?: number | undefined;
  readonly chance: number;
  readonly retry: Routes['retry'];
}): NextAttempt {
  const { plannedAtMs, nowMs, retry } = input;
  const askedMs = Math.min(Math.max(input.afterMs ?? 0, 0), retry.retryAfterSecondsMax * 1000);
  const nextMs = nextSlotMs(Math.max(nowMs - plannedAtMs, input.lastSlotMs ?? 0) + gapMsMin, retry);
  const slotMs = plannedAtMs + nextMs;
  const jittered = (slotMs - nowMs) * (1 + retry.jitter * (2 * input.chance - 1));
  const dueMs = Math.round(nowMs + Math.max(jittered, gapMsMin, askedMs));
  const deadlineMs = plannedAtMs + retry.deadlineSeconds * 1000;
  // Jitter may push the last slot over the deadline; the slot itself decides.
  if (slotMs > deadlineMs) return { kind: 'exhausted', reason: `not delivered within ${retry.deadlineSeconds} s` };
  return { kind: 'at', dueMs: Math.min(dueMs, Math.max(deadlineMs, nowMs + gapMsMin)), slotMs: nextMs };
}

function nextSlotMs(elapsedMs: number, retry: Routes['retry']): number {
  const listed = retry.atSeconds.find((at) => at * 1000 >= elapsedMs);
  if (listed !== undefined) return listed * 1000;
  const lastMs = (retry.atSeconds.at(-1) ?? 0) * 1000;
  const everyMs = retry.everySeconds * 1000;
  return lastMs + Math.max(1, Math.ceil((elapsedMs - lastMs) / everyMs)) * everyMs;
}

export function rank(level: Level): number {
  return levels.indexOf(level);
}
