import { maskAccount } from '../../domain/privacy.js';
import { Unavailable } from '../../ports/unavailable.js';
import { WarehouseError, type WarehouseFault } from '../../ports/warehouse-error.js';

/** Who asks whom, for the sentences of errors: never a password. */
export interface Place {
  /** Such as `ClickHouse at clickhouse:8123`. */
  readonly name: string;
  readonly user: string;
  readonly database: string;
}

/**
 * After these the same statement may succeed: a body that came in cut off, time-outs, too many parts or queries, memory, disk,
 * network within the cluster, Keeper, too few replicas, an insert of unknown outcome, a server that is stopping.
 */
const busyCodes = new Set(
  [
    '3',
    '32',
    '33',
    '159',
    '202',
    '203',
    '209',
    '210',
    '225',
    '236',
    '241',
    '242',
    '243',
    '252',
    '279',
    '285',
    '286',
    '319',
  ].concat(['369', '394', '425', '439', '473', '499', '733', '735', '745', '999']),
);

/** These are about the rows: text, numbers, times that cannot be read, values out of range, constraints. */
const rowCodes = new Set([
  '6',
  '25',
  '26',
  '27',
  '38',
  '41',
  '53',
  '69',
  '70',
  '72',
  '117',
  '131',
  '321',
  '349',
  '376',
  '407',
  '467',
  '469',
  '675',
  '676',
]);

/** Codes that the person who set the server up has to hear in plain words. */
const refusals: Readonly<Record<string, (place: Place) => string>> = {
  '516': ({ name, user }) => `${name} does not know the user "${user}" or its password; check the user and the password`,
  '192': ({ name, user }) => `${name} has no user "${user}"; make it, or name another`,
  '193': ({ name, user }) => `${name} refuses the password of "${user}"; check it`,
  '194': ({ name, user }) => `${name} wants a password for "${user}"; give one`,
  '195': ({ name, user }) => `${name} lets "${user}" in from other addresses only; allow this one`,
  '497': ({ user, database }) => `the user "${user}" has no right to that; GRANT ALL ON ${database}.* TO ${user}`,
  '81': ({ name, database }) => `${name} has no database "${database}"; the first start of the platform makes it`,
  '60': ({ database }) => `a table of the database "${database}" is not there; the next start of the platform makes it`,
  '115': () => 'the server does not know a setting; ClickHouse 24.8 or newer is needed',
  '164': ({ user }) => `the user "${user}" may only read; it needs readonly = 0`,
};

/** Runs a statement and gives its error this program's shape. Long digit runs are masked: the engine quotes data. */
export async function told<T>(what: string, place: Place, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw faultOf(what, place, error);
  }
}

/** `Unavailable` for what never came through or whose end is not known, `WarehouseError` for what the engine refused. */
export function faultOf(what: string, place: Place, error: unknown): Error {
  if (error instanceof WarehouseError || error instanceof Unavailable) return error;
  // A mistake of this program is neither.
  if (error instanceof TypeError || error instanceof ReferenceError) return error;
  const message = error instanceof Error ? error.message || codeOf(error) || error.name : String(error);
  const code = engineCode(error);
  if (code === undefined) {
    const said = masked(message.split('\n', 1)[0] ?? '').slice(0, messageMax);
    return new Unavailable(`warehouse: ${what}: ${place.name} cannot be reached or did not answer: ${said}`, {
      cause: error,
    });
  }
  const plain = refusals[code]?.(place);
  const said = masked(message).slice(0, messageMax);
  return new WarehouseError(`warehouse: ${what}: ${plain ? `${plain} (${said.trim()})` : said}`, classOf(code), code, {
    cause: error,
  });
}

const messageMax = 2_000;

function classOf(code: string): WarehouseFault {
  if (busyCodes.has(code)) return 'busy';
  return rowCodes.has(code) ? 'rows' : 'setup';
}

function masked(text: string): string {
  return text.replace(/[0-9]{9,}/g, maskAccount);
}

/** What an answer says that broke off after it had begun well: `Code: 241. DB::Exception: …`. */
export function exceptionIn(text: string): Error | null {
  const [, code] = /Code: (\d+)\. DB::Exception: /.exec(text) ?? [];
  return code === undefined ? null : Object.assign(new Error(text.slice(text.indexOf('Code: '))), { code });
}

/** The engine's code; undefined where it did not speak. The network's codes are words. */
function engineCode(error: unknown): string | undefined {
  const code = codeOf(error);
  return code !== undefined && /^\d+$/.test(code) ? code : undefined;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { clickhouseCode, code } = error as { readonly clickhouseCode?: unknown; readonly code?: unknown };
  const found = clickhouseCode ?? code;
  return typeof found === 'string' || typeof found === 'number' ? `${found}` : undefined;
}
