import type { FeedFilter } from './feed-model.js';

/** What the address tells: the warning that is read and the filters. In the fragment, which no server gets to see. */
export interface PageState extends FeedFilter {
  readonly warning: string | null;
}

const sides = ['victim', 'mule'] as const;

export function readLink(fragment: string): PageState {
  const values = new URLSearchParams(fragment.replace(/^#/, ''));
  const side = sides.find((known) => known === values.get('side')) ?? null;
  const levels = new Set((values.get('level') ?? '').split('.').filter(Boolean));
  return { warning: values.get('warning') || null, levels, side, text: values.get('text') ?? '' };
}

/** Starts with `#`; empty where there is nothing to tell. */
export function writeLink({ warning, levels, side, text }: PageState): string {
  const values = new URLSearchParams();
  if (warning !== null) values.set('warning', warning);
  if (levels.size > 0) values.set('level', [...levels].join('.'));
  if (side !== null) values.set('side', side);
  if (text !== '') values.set('text', text);
  const fragment = values.toString();
  return fragment === '' ? '' : `#${fragment}`;
}
