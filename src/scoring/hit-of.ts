import * as crypto from 'node:crypto';
import { formatShanghai } from '../domain/bank-day.js';
import type { Hit, HitParty } from '../domain/hit.js';
import { formatWan, formatYuan } from '../domain/money.js';
import { accountKinds } from '../domain/transaction.js';
import type { Evaluation } from './evaluation.js';
import { evidence } from './history-walk.js';
import type { CompiledPattern } from './pattern-set.js';
import type { Pattern } from './pattern.js';
import { baseBit } from './plan.js';
import { isSuspected } from './suspects.js';
import type { PartyView, TransactionView } from './transaction-view.js';

/** Makes hits of patterns that hold. */

const evidenceMost = 20;
/** Below so many amounts nothing is said of what is usual. */
const normSamplesMin = 5;

/** What the hits of one payment have in common is made once. */
interface Common {
  round: number;
  transaction: string;
  bank: string;
  time: string;
  currency: string;
  payer: HitParty;
  payee: HitParty;
}

export function createHitMaker(): (compiled: CompiledPattern, leg: Evaluation) => Hit {
  let common: Common | undefined;
  return (compiled, leg) => {
    if (common?.round !== leg.round) common = commonOf(leg);
    return hitOf(compiled, leg, common);
  };
}

function commonOf({ view, round }: Evaluation): Common {
  return {
    round,
    transaction: view.id,
    bank: view.reporter,
    time: formatShanghai(view.timeMs),
    currency: view.text(view.currencyStart, view.currencyEnd) || 'CNY',
    payer: partyOf(view, view.payer),
    payee: partyOf(view, view.payee),
  };
}

function hitOf(compiled: CompiledPattern, leg: Evaluation, common: Common): Hit {
  const { pattern, state, looksAt } = compiled;
  const { transaction, bank } = common;
  const subject = subjectOf(pattern.on, leg, common);
  // Field by field: with `...(x ? { x } : {})` for what may be missing it takes ten times as long.
  const hit: Partial<Hit> = {
    id: sha256(`${bank}\n${transaction}\n${pattern.id}\n${pattern.version}\n${subject.id}\n${sideOf(pattern.on, leg)}`).slice(
      0,
      32,
    ),
    pattern: pattern.id,
    version: pattern.version,
    transaction,
  };
  if (bank) hit.bank = bank;
  hit.time = common.time;
  hit.subject = subject;
  hit.side = pattern.side;
  hit.severity = pattern.severity;
  hit.score = scoreOf(compiled, leg);
  hit.state = state === 'active' ? 'active' : 'shadow';
  hit.explanation = explanationOf(compiled, leg);
  hit.evidence = pattern.on === 'use' ? [transaction] : evidence(leg, looksAt, evidenceMost);
  hit.amountFen = leg.view.amountFen;
  hit.currency = common.currency;
  hit.payer = common.payer;
  hit.payee = common.payee;
  hit.family = pattern.family;
  hit.title = pattern.title;
  hit.advice = pattern.advice;
  const suspected = isSuspected(leg, warnedOf(pattern, leg));
  hit.audience = suspected ? pattern.audience.filter((audience) => audience !== 'enterprise') : pattern.audience;
  if (pattern.bankCode) hit.bankCode = pattern.bankCode;
  if (pattern.refer.length > 0) hit.refer = pattern.refer;
  if (pattern.warns === 'payers') hit.warns = pattern.warns;
  if (suspected) hit.suspected = suspected;
  hit.late = leg.late;
  hit.receivedAtMs = leg.receivedAtMs;
  return hit as Hit;
}

function explanationOf({ shown, reasonZh, reasonEn }: CompiledPattern, leg: Evaluation): Hit['explanation'] {
  const explanation: Hit['explanation'] = { zh: reasonZh(leg), en: reasonEn(leg), condition: shown(leg) };
  const norm = normOf(leg);
  if (norm) explanation.norm = norm;
  return explanation;
}

/** The one-shot function came with Node 20.12. */
const oneShot = (crypto as { hash?: typeof crypto.hash }).hash;

function sha256(text: string): string {
  return oneShot ? oneShot('sha256', text, 'hex') : crypto.createHash('sha256').update(text).digest('hex');
}

function subjectOf(on: string, leg: Evaluation, { payer, payee }: Common): Hit['subject'] {
  if (on === 'use') return { kind: leg.useKindName, id: leg.useValue };
  return { kind: 'account', id: (leg.self === leg.view.payer ? payer : payee).account };
}

/** Who would be warned: where a pattern warns the payers or is about a shared thing, not the holder of the leg's own account. */
function warnedOf({ on, warns }: Pattern, leg: Evaluation): PartyView {
  return on === 'use' || warns === 'payers' ? leg.view.payer : leg.self;
}

/** Part of the hit's id. The words of the two sides of a payment stay as they were: ids must not change. */
function sideOf(on: string, leg: Evaluation): string {
  return on === 'debit' || on === 'credit' || on === 'both' ? (leg.isDebit ? 'debit' : 'credit') : on;
}

function scoreOf({ strength, score }: CompiledPattern, leg: Evaluation): number {
  if (!strength) return score;
  const value = strength(leg);
  return Number.isNaN(value) ? score : Math.round(Math.min(Math.max(value, 0), 1) * 1_000) / 1_000;
}

/** What is usual for the account on this side, where the set keeps a summary of its amounts. */
function normOf(leg: Evaluation): { readonly zh: string; readonly en: string } | undefined {
  const bit = leg.isDebit ? baseBit.debit : baseBit.credit;
  const sketch = leg.memory.plannedSketches.findIndex((planned) => planned.bit === bit);
  if (sketch < 0) return undefined;
  const samples = leg.samples(sketch);
  if (samples < normSamplesMin) return undefined;
  const medianFen = leg.percentile(sketch, 0.5);
  const days = Math.round(leg.memory.plannedSketches[sketch]!.windowMs / 86_400_000);
  return {
    zh: `该账户近${days}天${leg.isDebit ? '付款' : '收款'}通常约${formatWan(medianFen)}（${samples}笔的中位数）`,
    en: `The account usually ${leg.isDebit ? 'pays' : 'receives'} about CNY ${formatYuan(medianFen)} (median of ${samples} in ${days} days)`,
  };
}

function partyOf(view: TransactionView, party: PartyView): HitParty {
  const name = view.text(party.nameStart, party.nameEnd);
  const kind = accountKinds[party.kind - 1];
  const bank = view.text(party.bankStart, party.bankEnd);
  const creditCode = view.text(party.creditCodeStart, party.creditCodeEnd);
  const region = view.text(party.regionStart, party.regionEnd);
  const shown: HitParty = { account: view.text(party.accountStart, party.accountEnd) };
  if (name) shown.name = name;
  if (kind) shown.kind = kind;
  if (bank) shown.bank = bank;
  if (creditCode) shown.creditCode = creditCode;
  if (region) shown.region = region;
  return shown;
}
