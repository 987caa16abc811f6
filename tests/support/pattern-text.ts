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

/** A pattern file for tests of the language: it asks what it is told to, and says the values of `said` in its English reason. */
export function askingPattern({
  id = 'T01',
  state = 'active',
  subjects = 'any',
  on = 'debit',
  when = 'tx.amountFen > 0',
  said = [],
  extra = '',
}: {
  readonly id?: string;
  readonly state?: string;
  readonly subjects?: 'any' | 'corporate';
  readonly on?: string;
  readonly when?: string;
  readonly said?: readonly string[];
  /** Further lines of the file, such as its streams. */
  readonly extra?: string;
}): string {
  return `
id: ${id}
version: 1
state: ${state}
title: { zh: 试, en: test }
side: mule
family: test-family
severity: low
audience: [city-centre]
subjects: ${subjects}
on: ${on}
${extra}
when: |
  ${when}
reason:
  zh: '-'
  en: '${said.length > 0 ? said.map((expression) => `\${${expression}}`).join(' ') : '-'}'
advice: { zh: '-', en: '-' }
story: '-'
source: '-'
examples:
  hits: [{ name: a, subject: a, transactions: [{ at: 2026-07-01 09:00, from: a, to: b, yuan: 1 }] }]
  misses: [{ name: a, subject: a, transactions: [{ at: 2026-07-01 09:00, from: b, to: c, yuan: 1 }] }]
`;
}
