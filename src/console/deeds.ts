import type { PresentedWarning } from '../http/present.js';
import { getJson, postJson, Refused, session } from './api.js';
import type { Disposition } from './disposition-form.js';
import type { MessageKey } from './messages.js';
import type { Ui } from './ui.js';

/** What people do about a warning. */
export interface Deeds {
  acknowledge(warning: PresentedWarning): Promise<void>;
  dispose(warning: PresentedWarning, disposition: Disposition): Promise<void>;
}

export interface DeedsActions {
  /** Asks for a key; false where none was given. */
  unlock(problem?: string): Promise<boolean>;
  /** A warning as it stands now. */
  onWarning(warning: PresentedWarning): void;
  notify(text: string): void;
}

interface Deed {
  readonly path: 'ack' | 'disposition';
  readonly done: MessageKey;
  readonly body: object;
}

export function createDeeds(ui: Ui, actions: DeedsActions): Deeds {
  /** Asks for a key where one is missing or refused, as long as people give one. */
  async function act(warning: PresentedWarning, deed: Deed): Promise<void> {
    const officer = session.officer();
    if (session.key() === '' && !(await actions.unlock())) return;
    const place = `/v1/warnings/${encodeURIComponent(warning.id)}`;
    try {
      const by = session.officer() || officer;
      const answer = await postJson<{ warning?: PresentedWarning }>(`${place}/${deed.path}`, {
        ...deed.body,
        ...(by === '' ? {} : { by }),
      });
      if (answer.warning) actions.onWarning(answer.warning);
      actions.notify(ui.t(deed.done, { name: ui.name(warning.subject) }));
    } catch (error) {
      const status = error instanceof Refused ? error.status : null;
      if (status === 401 || status === 403) {
        if (await actions.unlock(ui.t('keyRefused'))) await act(warning, deed);
        return;
      }
      actions.notify(ui.t('failed', { why: ui.t(whyRefused(status)) }));
      // Somebody else was faster; what became of it is read here too, as the stream may be late or broken.
      if (status === 409) await reread(place);
    }
  }

  async function reread(place: string): Promise<void> {
    try {
      actions.onWarning(await getJson<PresentedWarning>(place));
    } catch {
      // The notice has said what is wrong.
    }
  }

  return {
    acknowledge: (warning) => act(warning, { path: 'ack', done: 'done_acknowledge', body: {} }),
    dispose: (warning, disposition) => act(warning, { path: 'disposition', done: 'done_dispose', body: disposition }),
  };
}

/** The platform's own words are English, and for programs. */
function whyRefused(status: number | null): MessageKey {
  switch (status) {
    case null:
      return 'unreachableServer';
    case 404:
      return 'refusedGone';
    case 409:
      return 'refusedChanged';
    case 429:
    case 503:
      return 'refusedBusy';
    default:
      return 'refusedOther';
  }
}
