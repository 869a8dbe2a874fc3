/** The JSON Schema that ships with the package. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Ajv2020 } from 'ajv/dist/2020';

const PATH = join(__dirname, '../../schema/nfconntrack.schema.json');

export type Definition =
  | 'flow'
  | 'event'
  | 'gap'
  | 'expectation'
  | 'expectationEvent'
  | 'stats'
  | 'expectationStats'
  | 'count';

const ajv = new Ajv2020({ strict: true, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(PATH, 'utf8')) as object, 'schema');

/** What the schema has against a line of JSON, as one of its kinds or as any of them; mostly []. */
export function schemaErrors(line: string, definition?: Definition): string[] {
  const pointer = definition === undefined ? 'schema' : `schema#/$defs/${definition}`;
  const validate = ajv.getSchema(pointer)!;
  if (validate(JSON.parse(line)) === true) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message!}`);
}
