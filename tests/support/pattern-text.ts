/** A whole pattern file that only payments of exactly this amount meet. */
export function patternText({
  id = 'T01',
  version = 1,
  state = 'active',
  fen = 12_345_677,
  extra = '',
  when = 'tx.amountFen == params.peculiarFen',
}: {
  readonly id?: string;
  readonly version?: number;
  readonly state?: 'draft' | 'shadow' | 'active' | 'retired';
  readonly fen?: number;
  /** Further lines of the file. */
  readonly extra?: string;
  readonly when?: string;
} = {}): string {
  return `id: ${id}
version: ${version}
state: ${state}
title: { zh: "特定金额", en: "A peculiar amount" }
side: victim
family: peculiar-amount
severity: high
audience: [enterprise]
on: debit
${extra}
params:
  peculiarFen: ${fen}
when: |
  ${when}
reason: { zh: "金额特定", en: "The amount is peculiar" }
advice: { zh: "请核实", en: "Check it" }
story: "A test of the life of patterns."
source: "none"
accounts:
  acme: { kind: corporate }
  other: { kind: corporate }
examples:
  hits:
    - name: "the peculiar amount"
      subject: acme
      transactions: [{ at: 2026-07-01 10:00, from: acme, to: other, yuan: ${fen / 100} }]
  misses:
    - name: "one fen more"
      subject: acme
      transactions: [{ at: 2026-07-01 10:00, from: acme, to: other, yuan: ${(fen + 1) / 100} }]
`;
}
