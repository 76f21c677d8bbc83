/**
 * Parses what a command printed with `--json`, or what the control API answered, and checks it against its schema.
 * Unlike readers, tests accept no field that the schema does not have.
 */
import { Ajv, type ValidateFunction } from 'ajv';
import { globSync, readFileSync } from 'node:fs';
import { packageFile } from '../src/sys/package-files.ts';

/** Returns the value that `bulkhead COMMAND --json` printed: `jsonOf('jail status', stdout)`. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the value is
export const jsonOf = <T>(command: string, text: string): T =>
  checked(`schema/json/${command.replaceAll(' ', '-')}.schema.json`, text) as T;

/** Returns the response of the API to `GET /v1/top?all=1`; one with another status than 200 is a refusal. */
export function responseOf(request: string, status: number, text: string): unknown {
  if (status !== 200) return checked('schema/api/error.schema.json', text);
  const [asked = ''] = request.split('?');
  const found = responses().find(([pattern]) => pattern.test(asked));
  if (found === undefined) throw new Error(`schema/api does not describe the response to ${asked}`);
  return checked(found[1], text);
}

/** Requests, as the titles of the API's schemas name them, and the files. */
const responses = (): readonly (readonly [request: RegExp, file: string])[] =>
  globSync('schema/api/*.json', { cwd: packageFile('') }).map((file) => {
    const { title } = JSON.parse(readFileSync(packageFile(file), 'utf8')) as { title: string };
    const request = title.replace('The response to ', '').replace(/NAME|ID/, '[^/]+');
    return [new RegExp(`^${request}$`), file];
  });

function checked(file: string, text: string): unknown {
  const value: unknown = JSON.parse(text);
  const validate = validatorOf(file);
  if (validate(value)) return value;
  const errors = JSON.stringify(validate.errors, undefined, 2);
  throw new Error(`${file} does not describe ${text.slice(0, 10_000)}\n${errors}`);
}

const validators = new Map<string, ValidateFunction>();

function validatorOf(file: string): ValidateFunction {
  let validate = validators.get(file);
  if (validate === undefined) {
    const schema: unknown = JSON.parse(readFileSync(packageFile(file), 'utf8'), closed);
    validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema as object);
    validators.set(file, validate);
  }
  return validate;
}

/** Closes each object whose fields are listed. */
function closed(_key: string, value: unknown): unknown {
  const isOpen = isSchemaOfObject(value) && value.additionalProperties === undefined;
  return isOpen ? { ...value, additionalProperties: false } : value;
}

const isSchemaOfObject = (
  value: unknown,
): value is { readonly type: 'object'; readonly additionalProperties?: unknown } =>
  typeof value === 'object' &&
  value !== null &&
  'type' in value &&
  value.type === 'object' &&
  'properties' in value;
