import { describe, expect, test } from 'vitest';
import { readLink, writeLink, type PageState } from '../../src/console/page-link.js';

const nothing: PageState = { warning: null, levels: new Set(), side: null, text: '' };

describe('the link to a page', () => {
  test.each<[PageState, string]>([
    [nothing, ''],
    [{ ...nothing, warning: 'Bvwz74K1_to6KZsOdXsE' }, '#warning=Bvwz74K1_to6KZsOdXsE'],
    [{ warning: 'a', levels: new Set(['red', 'blue']), side: 'mule', text: '吕* 7243 &#' }, ''],
  ])('says what it was made from', (state, fragment) => {
    const link = writeLink(state);
    if (fragment !== '' || state === nothing) expect(link).toBe(fragment);
    expect(readLink(link)).toEqual(state);
  });

  test('what is no link of this page tells nothing', () => {
    for (const fragment of ['', '#', '#feed', '#side=both&warning=', '#%zz']) expect(readLink(fragment)).toEqual(nothing);
  });
});
