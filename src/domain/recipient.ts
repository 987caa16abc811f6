import { z } from 'zod';

/**
 * Who may be told: an enterprise about its own accounts, a bank about accounts it keeps, an anti-fraud centre about its region.
 * What `match` means depends on `kind`; what it has to look like is checked here, so that a typo is no silent hole.
 */

export const recipientKinds = ['enterprise', 'bank', 'centre'] as const;
export type RecipientKind = (typeof recipientKinds)[number];

const matchRules: Readonly<Record<RecipientKind, { readonly shape: RegExp; readonly expected: string }>> = {
  enterprise: { shape: /^[0-9A-Za-z-]{4,34}$/, expected: 'a unified social credit code or an account number' },
  bank: { shape: /^[0-9A-Za-z]{3,14}$/, expected: 'a bank number or its first 3 or more digits' },
  centre: { shape: /^(\*|\d{2,6})$/, expected: 'a region of 2 to 6 digits (GB/T 2260), such as 4101, or * for all' },
};

export const recipientIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'expected 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit');

export const recipientInputSchema = z
  .strictObject({
    kind: z.enum(recipientKinds),
    match: z.string(),
    name: z.string().min(1).max(120),
    webhook: z.strictObject({ url: z.url({ protocol: /^https?$/ }).max(2000) }),
  })
  .superRefine((recipient, context) => {
    const rule = matchRules[recipient.kind];
    if (!rule.shape.test(recipient.match)) {
      context.addIssue({ code: 'custom', path: ['match'], message: `expected ${rule.expected}` });
    }
  });
export type RecipientInput = z.infer<typeof recipientInputSchema>;

export interface Recipient extends RecipientInput {
  readonly id: string;
}
