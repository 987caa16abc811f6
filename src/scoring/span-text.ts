import { comparableText, isComparable } from './comparable-text.js';
import { hasEscape, hashBytes, TransactionView } from './transaction-view.js';
import { wordLists } from './word-lists.js';

const encoder = new TextEncoder();

/**
 * A text of the payment in hand, as conditions ask about it. Its bytes are looked at where they lie, and at most once for each kind
 * of question; a string is made of them only where one is asked for.
 */
export class SpanText {
  private view = new TransactionView();
  private start = -1;
  private end = -1;
  private string: string | undefined = undefined;
  private mentioned: Uint32Array = new Uint32Array(0);
  private equalled: Uint32Array = new Uint32Array(0);
  private from = 0;
  private to = 0;
  private isMentionedKnown = false;
  private isEqualKnown = false;
  /** Which payment it is of (see `Evaluation.take`). */
  round = -1;

  set(view: TransactionView, start: number, end: number): void {
    this.view = view;
    this.start = start;
    this.end = end;
    this.string = undefined;
    this.isMentionedKnown = false;
    this.isEqualKnown = false;
  }

  get isEmpty(): boolean {
    return this.start < 0 || this.start === this.end;
  }

  get text(): string {
    return (this.string ??= this.isEmpty ? '' : this.view.text(this.start, this.end));
  }

  /** The text, made comparable, holds one of the list's words (see `WordLists.register`). */
  mentions(list: number): boolean {
    if (!this.isMentionedKnown) {
      this.mentioned = blank(this.mentioned);
      const bytes = this.comparableBytes();
      wordLists.markMentioned(bytes, this.from, this.to, this.mentioned);
      this.isMentionedKnown = true;
    }
    return ((this.mentioned[list >>> 5]! >>> (list & 31)) & 1) === 1;
  }

  /** The text, made comparable, is one of the list's words. */
  isIn(list: number): boolean {
    if (!this.isEqualKnown) {
      this.equalled = blank(this.equalled);
      const bytes = this.comparableBytes();
      wordLists.markEqual(bytes, this.from, this.to, this.equalled);
      this.isEqualKnown = true;
    }
    return ((this.equalled[list >>> 5]! >>> (list & 31)) & 1) === 1;
  }

  equals(other: SpanText): boolean {
    if (this.isEmpty || other.isEmpty) return this.isEmpty && other.isEmpty;
    if (this.hasSameBytes(other)) return true;
    return (this.isEscaped() || other.isEscaped()) && this.text === other.text;
  }

  /** Asks `has` about the text's bytes, escapes resolved, and their hash. */
  isAmong(has: (bytes: Uint8Array, start: number, end: number, hash: number) => boolean): boolean {
    const bytes = this.bytes();
    return has(bytes, this.from, this.to, hashBytes(bytes, this.from, this.to));
  }

  /** The bytes in which the text stands at `from` to `to`, escapes resolved. */
  private bytes(): Uint8Array {
    if (this.start < 0 || !this.isEscaped()) {
      this.from = Math.max(0, this.start);
      this.to = Math.max(0, this.end);
      return this.view.bytes;
    }
    const bytes = encoder.encode(this.text);
    this.from = 0;
    this.to = bytes.length;
    return bytes;
  }

  /** The same, made comparable with words: most texts are as they lie. */
  private comparableBytes(): Uint8Array {
    const bytes = this.bytes();
    if (isComparable(bytes, this.from, this.to)) return bytes;
    const folded = encoder.encode(comparableText(this.text));
    this.from = 0;
    this.to = folded.length;
    return folded;
  }

  private isEscaped(): boolean {
    return hasEscape(this.view.bytes, this.start, this.end);
  }

  private hasSameBytes(other: SpanText): boolean {
    const length = this.end - this.start;
    if (length !== other.end - other.start) return false;
    const [own, its] = [this.view.bytes, other.view.bytes];
    for (let i = 0; i < length; i++) if (own[this.start + i] !== its[other.start + i]) return false;
    return true;
  }
}

function blank(bits: Uint32Array): Uint32Array {
  const { bitWords } = wordLists;
  if (bits.length < bitWords) return new Uint32Array(bitWords);
  // A few words: a loop is faster than a call of `fill`.
  for (let at = 0; at < bits.length; at++) bits[at] = 0;
  return bits;
}
