import { hashBytes, type TransactionView } from './transaction-view.js';

/**
 * Short texts (remarks, channels, names) repeat: each is decoded once, and what conditions ask about it is answered once: which
 * word lists it mentions, which it is a word of. A full cache is emptied; answers never depend on it.
 */
const entriesMax = 1 << 16;
const placesMax = 32;
/** More than any place in a buffer. */
const roundStep = 2 ** 32;

export interface TextCache {
  /** The text of a span; the empty text for an absent one. */
  entry(view: TransactionView, start: number, end: number): KnownText;
  text(view: TransactionView, start: number, end: number): string;
  /** A number for a list of words, to be given to the questions of a `KnownText`. */
  register(words: readonly string[]): number;
  /** Says that other bytes are in hand than before, wherever they lie. */
  begin(): void;
}

/** A text and what is known of it. Answers: 0 not asked yet, 1 no, 2 yes. */
export class KnownText {
  private mentioned: Uint8Array | undefined = undefined;
  private equalled: Uint8Array | undefined = undefined;

  constructor(
    readonly text: string,
    readonly bytes: Uint8Array,
    private readonly lists: readonly (readonly string[])[],
  ) {}

  /** The text holds one of the list's words. */
  mentions(list: number): boolean {
    const answers = (this.mentioned ??= new Uint8Array(this.lists.length));
    if (answers[list] === 0) answers[list] = this.lists[list]!.some((word) => this.text.includes(word)) ? 2 : 1;
    return answers[list] === 2;
  }

  /** The text is one of the list's words. */
  isIn(list: number): boolean {
    const answers = (this.equalled ??= new Uint8Array(this.lists.length));
    if (answers[list] === 0) answers[list] = this.lists[list]!.includes(this.text) ? 2 : 1;
    return answers[list] === 2;
  }
}

function createTextCache(): TextCache {
  const entries = new Map<number, KnownText>();
  const lists: (readonly string[])[] = [];
  /** Texts of the transaction in hand by where they lie: conditions ask about them again and again. */
  const places = new Float64Array(placesMax);
  const ends = new Float64Array(placesMax);
  const latest: (KnownText | undefined)[] = Array.from({ length: placesMax }, () => undefined);
  /** Tells transactions apart: places of earlier ones mean nothing any more. */
  let round = roundStep;
  let nothing = new KnownText('', new Uint8Array(0), lists);

  function entry(view: TransactionView, start: number, end: number): KnownText {
    if (start < 0 || start === end) return nothing;
    const at = start & (placesMax - 1);
    const place = round + start;
    if (places[at] === place && ends[at] === end) return latest[at]!;
    const found = find(view, start, end);
    places[at] = place;
    ends[at] = end;
    latest[at] = found;
    return found;
  }

  function find(view: TransactionView, start: number, end: number): KnownText {
    const hash = hashBytes(view.bytes, start, end);
    const found = entries.get(hash);
    if (found && equals(found.bytes, view.bytes, start, end)) return found;
    if (entries.size >= entriesMax) entries.clear();
    const made = new KnownText(view.text(start, end), view.bytes.slice(start, end), lists);
    entries.set(hash, made);
    return made;
  }

  return {
    entry,
    text: (view, start, end) => entry(view, start, end).text,
    register(words) {
      const before = lists.findIndex((list) => list.length === words.length && list.every((word, i) => word === words[i]));
      if (before >= 0) return before;
      // Texts have an answer for each list that was there when they were met.
      entries.clear();
      round += roundStep;
      lists.push([...words]);
      nothing = new KnownText('', new Uint8Array(0), lists);
      return lists.length - 1;
    },
    begin() {
      round += roundStep;
    },
  };
}

/** One for all pattern sets of the thread: engines ask it about the texts of a transaction before they know by which set. */
export const texts: TextCache = createTextCache();

function equals(kept: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (kept.length !== end - start) return false;
  for (let i = start, j = 0; i < end; i++, j++) if (kept[j] !== bytes[i]) return false;
  return true;
}
