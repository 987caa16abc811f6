import { formatShanghai } from '../domain/bank-day.js';
import type { Reference } from '../domain/reference.js';
import { encodeTransaction } from '../domain/transaction-record.js';
import type { KnownProfile } from './known-profile.js';
import { scanTransaction } from './reader.js';
import { TransactionView } from './transaction-view.js';

/** The counterparty of what is no payment. */
const nobody = '0000';

/**
 * A reference record about an account in the form of a payment of nothing, so that patterns about records are asked, and hits
 * made, like all others: the account is the payer, the record's id and time are the transaction's.
 */
export function recordView(
  reference: Exclude<Reference, { type: 'list' | 'exchange-rate' }>,
  known: KnownProfile | undefined,
): TransactionView {
  const own = reference.type === 'profile' ? reference : undefined;
  const name = own?.name ?? known?.name;
  const creditCode = own?.creditCode ?? known?.creditCode;
  const bytes = encodeTransaction({
    id: reference.id,
    time: reference.time,
    amountFen: 1,
    currency: 'CNY',
    status: 'settled',
    payer: {
      account: reference.account,
      kind: 'corporate',
      ...(name ? { name } : {}),
      ...(creditCode ? { creditCode } : {}),
      ...(own?.region ? { region: own.region } : {}),
      ...(reference.bank ? { bank: reference.bank } : {}),
    },
    payee: { account: nobody },
    ...(reference.bank ? { bank: reference.bank } : {}),
  });
  const view = viewOf(bytes);
  view.amountFen = 0;
  return view;
}

/** A payment of which only the engine's own memory is left. */
export function pastPayment(payment: {
  readonly id: string;
  readonly timeMs: number;
  readonly amountFen: number;
  readonly payer: string;
  readonly payee: string;
}): TransactionView {
  const { id, timeMs, amountFen, payer, payee } = payment;
  const time = formatShanghai(timeMs);
  return viewOf(
    encodeTransaction({
      id,
      time,
      amountFen,
      currency: 'CNY',
      status: 'settled',
      payer: { account: payer },
      payee: { account: payee },
    }),
  );
}

function viewOf(bytes: Uint8Array): TransactionView {
  const view = new TransactionView();
  if (!scanTransaction(bytes, 0, bytes.length, view)) throw new Error('what was written canonically cannot be read');
  return view;
}
