import { element, levelShape } from './dom.js';
import type { FeedFilter } from './feed-model.js';
import type { Ui } from './ui.js';

/** The filters over the feed. */
export interface Tools {
  filter(): FeedFilter;
  set(filter: FeedFilter): void;
  clear(): void;
  relabel(): void;
}

const levels = ['red', 'orange', 'yellow', 'blue'] as const;
const sides = ['allSides', 'victim', 'mule'] as const;

export function createTools(
  ui: Ui,
  parts: { readonly levels: HTMLElement; readonly sides: HTMLElement; readonly search: HTMLInputElement },
  onChange: () => void,
): Tools {
  const chosen = new Set<string>();
  let side: 'victim' | 'mule' | null = null;

  function build(): void {
    parts.levels.replaceChildren(
      ...levels.map((level) => {
        const made = toggle([levelShape(level), ui.t(level)], `chip chip-${level}`, chosen.has(level));
        made.addEventListener('click', () => {
          if (!chosen.delete(level)) chosen.add(level);
          made.setAttribute('aria-pressed', String(chosen.has(level)));
          onChange();
        });
        return made;
      }),
    );
    parts.sides.replaceChildren(
      ...sides.map((name) => {
        const value = name === 'allSides' ? null : name;
        const made = toggle([ui.t(name)], 'segment', side === value);
        made.addEventListener('click', () => {
          side = value;
          for (const other of parts.sides.children) other.setAttribute('aria-pressed', String(other === made));
          onChange();
        });
        return made;
      }),
    );
  }

  function set(filter: FeedFilter): void {
    chosen.clear();
    for (const level of levels) if (filter.levels.has(level)) chosen.add(level);
    side = filter.side;
    parts.search.value = filter.text;
    build();
    onChange();
  }

  parts.search.addEventListener('input', onChange);
  build();
  return {
    filter: () => ({ levels: chosen, side, text: parts.search.value.trim().toLowerCase() }),
    set,
    clear: () => set({ levels: new Set(), side: null, text: '' }),
    relabel: build,
  };
}

function toggle(content: readonly (Node | string)[], className: string, isPressed: boolean): HTMLButtonElement {
  return element('button', { type: 'button', class: className, 'aria-pressed': isPressed ? 'true' : 'false' }, ...content);
}
