/** Elements are made here; text is always set as text, never as markup. */

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    made.setAttribute(name, value === true ? '' : String(value));
  }
  made.append(...children);
  return made;
}

/** Changes the text only where it differs, so that nothing is announced or repainted for nothing. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`index.html has no <${kind.name}> #${id}`);
  return found;
}

export function button(text: string, className: string, onClick: () => void): HTMLButtonElement {
  const made = element('button', { type: 'button', class: className }, text);
  made.addEventListener('click', onClick);
  return made;
}

/** What is asked for many times in one moment is done once; a hidden tab gets no animation frames. */
export function oncePerFrame(run: () => void): () => void {
  let isDue = false;
  const runOnce = () => {
    isDue = false;
    run();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    if (document.hidden) setTimeout(runOnce, 200);
    else requestAnimationFrame(runOnce);
  };
}

const svgNamespace = 'http://www.w3.org/2000/svg';

/** A level by shape as well as colour: ▲ ◆ ● ■. The word always stands beside it. */
const shapePaths: Readonly<Record<string, string>> = {
  red: 'M8 1.5 15.2 14.2H.8z',
  orange: 'M8 .8 15.2 8 8 15.2.8 8z',
  yellow: 'M8 1.4a6.6 6.6 0 1 1 0 13.2A6.6 6.6 0 0 1 8 1.4z',
  blue: 'M2.2 2.2h11.6v11.6H2.2z',
};

export function levelShape(level: string): SVGSVGElement {
  const svg = document.createElementNS(svgNamespace, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', 'shape');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(svgNamespace, 'path');
  path.setAttribute('d', shapePaths[level] ?? '');
  svg.append(path);
  return svg;
}
