import { z } from 'zod';
import { referenceSchema } from '../domain/reference.js';
import { transactionSchema } from '../domain/transaction.js';

/**
 * What banks send, for the OpenAPI document: bodies of lines are bytes to the framework, so that it knows nothing of the records
 * in them. Made from the schemas that check the records.
 */

type JsonSchema = Record<string, unknown>;

const referenceNames = referenceSchema.options.map((option) => nameOf(option.shape.type.value));
const transactionNames = ['Transaction', ...referenceNames];

/** Components by name: `Transaction`, and a schema for each type of reference record. Made when somebody asks. */
function recordSchemas(): Readonly<Record<string, JsonSchema>> {
  return {
    Transaction: { description: 'Fields that are not named are kept under `extra`', ...jsonSchemaOf(transactionSchema) },
    ...Object.fromEntries(referenceSchema.options.map((option) => [nameOf(option.shape.type.value), jsonSchemaOf(option)])),
  };
}

interface Document {
  readonly paths?: Record<string, unknown>;
  readonly components?: { readonly schemas?: object };
}

/** The document with the bodies of these two addresses. */
export function withRecords<D extends object>(document: D): D {
  const { paths = {}, components: known } = document as Document;
  const schemas = { ...known?.schemas, ...recordSchemas() };
  return {
    ...document,
    paths: {
      ...paths,
      '/v1/transactions': withBody(paths['/v1/transactions'], transactionNames),
      '/v1/reference': withBody(paths['/v1/reference'], referenceNames),
    },
    components: { ...known, schemas },
  };
}

function withBody(path: unknown, names: readonly string[]): unknown {
  const { post, ...others } = path as { readonly post: object };
  const record = { anyOf: names.map((name) => ({ $ref: `#/components/schemas/${name}` })) };
  const content = {
    'application/x-ndjson': { schema: { ...record, description: 'One of these a line' } },
    'application/json': { schema: { type: 'array', items: record } },
  };
  return { ...others, post: { ...post, requestBody: { required: true, content } } };
}

/** As a sender may write it: what has a default may be left out. */
function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}

/** `stop-pay` → `StopPayRecord`. */
function nameOf(type: string): string {
  const words = type.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `${words.join('')}Record`;
}
