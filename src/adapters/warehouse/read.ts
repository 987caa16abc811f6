import type { ClickHouseClient } from '@clickhouse/client';
import { exceptionIn, faultOf, told, type Place } from './faults.js';

interface CompactResult {
  readonly meta: readonly { readonly name: string; readonly type: string }[];
  readonly data: readonly (readonly unknown[])[];
}

export async function runQuery<Row>(client: ClickHouseClient, sql: string, parameters?: Record<string, unknown>): Promise<Row[]> {
  const result = await client.query({ query: sql, format: 'JSONCompact', ...(parameters ? { query_params: parameters } : {}) });
  const { meta, data } = parseAnswer(await result.text());
  const columns = meta.map(({ name, type }) => ({ name, exact: is64Bit(type) ? toExact : undefined }));
  return data.map((values) => {
    const row: Record<string, unknown> = {};
    for (const [i, { name, exact }] of columns.entries()) row[name] = exact ? exact(values[i]) : values[i];
    return row as Row;
  });
}

function parseAnswer(text: string): CompactResult {
  try {
    return JSON.parse(text) as CompactResult;
  } catch (cause) {
    throw exceptionIn(text) ?? new Error('the answer broke off', { cause });
  }
}

/** Bytes as the engine sends them: in this format a text without line ends is a line. */
export async function* readLines(
  client: ClickHouseClient,
  place: Place,
  sql: string,
  parameters?: Record<string, unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { stream } = await told('read', place, () =>
    client.exec({ query: `${sql} FORMAT TSVRaw`, ...(parameters ? { query_params: parameters } : {}) }),
  );
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    // A reader that stopped does not come here.
    throw faultOf('read', place, error);
  } finally {
    stream.destroy();
  }
}

function is64Bit(type: string): boolean {
  return /^(?:(?:Nullable|LowCardinality|Array|SimpleAggregateFunction)\((?:\w+, ?)?)*U?Int64\)*$/.test(type);
}

/** A quoted integer as a number where a number holds it exactly, else as it came. */
function toExact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toExact);
  if (typeof value !== 'string') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
