/** The official schemas, from the packages that carry them, compiled. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

interface Check {
  (value: unknown): boolean;
  readonly errors?: unknown;
}
interface Validator {
  readonly addSchema: (schema: object, id: string) => unknown;
  readonly compile: (schema: object) => Check;
}
type MakeValidator = new (options: object) => Validator;

/** Formats are checked; keywords that the validator does not know are not. */
function makeValidator(packageName: 'ajv' | 'ajv-draft-04'): Validator {
  const { default: Ajv } = require(packageName) as { readonly default: MakeValidator };
  // A pattern of SARIF's schema is none in Unicode mode.
  const validator = new Ajv({
    strict: false,
    allErrors: true,
    logger: false,
    unicodeRegExp: false,
  });
  const { default: addFormats } = require('ajv-formats') as {
    readonly default: (validator: Validator) => void;
  };
  addFormats(validator);
  return validator;
}

const readSchema = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as object;

export function sarifCheck(): Check {
  // The package wants none of its files read but its main one.
  const directory = dirname(require.resolve('@microsoft/jest-sarif'));
  return makeValidator('ajv-draft-04').compile(
    readSchema(join(directory, 'schemas', 'sarif-2.1.0-rtm.5.json')),
  );
}

function cyclonedxSchema(name: string): object {
  const directory = dirname(require.resolve('@cyclonedx/cyclonedx-library/package.json'));
  return readSchema(join(directory, 'res', 'schema', `${name}.SNAPSHOT.schema.json`));
}

export function cyclonedxCheck(): Check {
  const validator = makeValidator('ajv');
  for (const each of ['spdx', 'jsf-0.82']) {
    validator.addSchema(
      cyclonedxSchema(each),
      `http://cyclonedx.org/schema/${each}.SNAPSHOT.schema.json`,
    );
  }
  return validator.compile(cyclonedxSchema('bom-1.6'));
}

/** Returns the identifiers of SPDX's license list. */
export const spdxLicenses = (): readonly string[] =>
  (cyclonedxSchema('spdx') as { readonly enum: readonly string[] }).enum;

export const check = (schema: object): Check => makeValidator('ajv').compile(schema);

export function assertValid(validate: Check, value: unknown): void {
  assert.ok(validate(value), JSON.stringify(validate.errors, undefined, 2));
}
