import { problemSchema } from '../schemas.js';

const problem = { description: 'problem+json', content: { 'application/problem+json': { schema: problemSchema } } };

/** Declared by every route, for the OpenAPI document. */
export const problems = { '4xx': problem, '5xx': problem };
