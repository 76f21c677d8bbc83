/**
 * JSON Schemas of what commands print with `--json`, and of the control API's responses, from their
 * types. `jail status --json` prints a `JailStatusJson`, which is in `src/jail/commands/json.ts`;
 * `src/agent/api/api.ts` and the files next to it have the responses. Doc comments become
 * descriptions; `fields.ts` has the rest.
 */
import { globSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import {
  createFormatter,
  createParser,
  createProgram,
  DEFAULT_CONFIG,
  EnumType,
  SchemaGenerator,
  StringType,
  type CompletedConfig,
  type Definition,
  type SubNodeParser,
} from 'ts-json-schema-generator';
import { capabilities } from '../../src/capabilities.ts';
import { makeWholeProgram } from '../../src/cli/program.ts';
import { root } from '../steps.ts';
import { descriptionOf, isInteger, type Path } from './fields.ts';

export interface JsonSchemaFile {
  /** The command without `bulkhead`, or the request to the API. */
  readonly of: string;
  readonly type: string;
  /** The path in the package. */
  readonly path: string;
}

/** The type of each response of the API. */
const apiResponses: Readonly<Record<string, string>> = {
  'GET /v1/status': 'StatusResponse',
  'GET /v1/overview': 'OverviewResponse',
  'GET /v1/top': 'TopResponse',
  'GET /v1/tenants/NAME/processes': 'ProcessesResponse',
  'GET /v1/tenants/NAME/limits': 'ExplainResponse',
  'POST /v1/tenants/NAME/limits': 'SetLimitsResponse',
  'GET /v1/tenants/NAME/apps': 'AppsResponse',
  'POST /v1/tenants/NAME/apps': 'SetAppResponse',
  'GET /v1/tenants/NAME/troubles': 'TroublesResponse',
  'GET /v1/usage': 'UsageResponse',
  'GET /v1/series': 'SeriesResponse',
  'GET /v1/maxima': 'MaximaResponse',
  'GET /v1/replay': 'ReplayResponse',
  'GET /v1/history/window': 'HistoryWindowResponse',
  'GET /v1/series, several metrics': 'SeriesColumnsResponse',
  'GET /v1/incidents': 'IncidentsResponse',
  'GET /v1/incidents/ID': 'IncidentResponse',
  'GET /v1/moved': 'MovedResponse',
  'GET /v1/moved/incidents/ID': 'MovedIncidentResponse',
  'GET /v1/advise': 'AdviseResponse',
  'GET /v1/digest': 'DigestResponse',
  'POST /v1/digest': 'SetDigestResponse',
  'POST /v1/alerts/test': 'AlertsTestResponse',
  'GET /v1/policy': 'PolicyResponse',
  'POST /v1/policy/plan': 'PolicyPlan',
  'PUT /v1/policy': 'PolicyWritten',
  'GET /v1/policy/changes': 'PolicyChangesResponse',
  'GET /v1/policy/changes/N': 'PolicyChangeResponse',
  'POST /v1/policy/keep': 'PolicyKept',
  'POST /v1/policy/simulate': 'SimulateResponse',
  'GET /v1/fleet': 'FleetResponse',
  'GET /v1/fleet/hosts': 'FleetHostsResponse',
  'GET /v1/fleet/outbox': 'FleetOutboxResponse',
  'GET /v1/fleet/answer': 'FleetAnswerResponse',
  'GET /v1/protection': 'ProtectionResponse',
  'GET /v1/modules': 'ModulesResponse',
  'any refused request': 'ErrorResponse',
};

export const apiSchemas: readonly JsonSchemaFile[] = Object.entries(apiResponses).map(
  ([of, type]) => ({ of, type, path: pathOf('api', kebab(type.replace(/Response$/, ''))) }),
);

/** Returns the schemas of all commands that take `--json`. */
export async function commandSchemas(): Promise<readonly JsonSchemaFile[]> {
  return jsonCommands(await makeWholeProgram(capabilities)).map((of) => ({
    of,
    type: `${pascal(of)}Json`,
    path: pathOf('json', of),
  }));
}

function jsonCommands(command: Command, words: readonly string[] = []): readonly string[] {
  const takesJson = command.options.some(({ long }) => long === '--json');
  const inner = command.commands.flatMap((each) => jsonCommands(each, [...words, each.name()]));
  return takesJson ? [words.join(' '), ...inner] : inner;
}

function pathOf(directory: string, name: string): string {
  return `schema/${directory}/${name.replaceAll(' ', '-')}.schema.json`;
}

/** `jail status` → `JailStatus` */
const pascal = (words: string): string =>
  words.replace(/(?:^|[ -])([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** `SetLimits` → `set-limits` */
function kebab(name: string): string {
  return name.replace(/(?<!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
}

const typeFiles = [
  'src/agent/api/api.ts',
  'src/agent/api/console-api.ts',
  'src/agent/api/usage-api.ts',
  'src/agent/api/report-api.ts',
  'src/agent/api/policy-api.ts',
  'src/agent/api/fleet-api.ts',
  'src/agent/api/fleet-hosts-api.ts',
  'src/agent/history/history-api.ts',
  'src/agent/policy/simulate-response.ts',
  'src/agent/api/status-response.ts',
  'src/agent/responses/protection-response.ts',
  ...globSync('src/*/commands/**/json.ts', { cwd: root }).sort(),
];

/** Returns the text of the schema's file. */
export function jsonSchema({ of, type, path }: JsonSchemaFile): string {
  const isApi = path.startsWith('schema/api/');
  const title = isApi ? `The response to ${of}` : `The value that "bulkhead ${of} --json" prints`;
  const schema = { $schema: draft, $id: idOf(path), title, ...schemaOf(type) };
  return `${JSON.stringify(schema, tidy, 2)}\n`;
}

const draft = 'http://json-schema.org/draft-07/schema#';

const idOf = (path: string) =>
  path.replace('schema/', 'urn:bulkhead:').replace('/', ':').replace('.schema.json', '');

/** Returns the type's schema, with the definitions that it needs. */
function schemaOf(type: string): Definition {
  if (!isExported(type)) throw new Error(`no src/*/commands/**/json.ts exports a type ${type}`);
  const definitions = definitionsOf(type);
  const top = withoutAlias(definitions[type] as Definition, definitions);
  const needed = new Set<string>();
  addNeeded(top, definitions, needed);
  const inner = Object.entries(definitions).filter(([name]) => needed.has(name));
  completeFields(top, [type], definitions);
  for (const [name, each] of inner) completeFields(each, [name], definitions);
  const { description, ...rest } = top;
  return {
    ...(description === undefined ? {} : { description }),
    ...rest,
    ...(inner.length === 0 ? {} : { definitions: Object.fromEntries(inner) }),
  };
}

/**
 * Adds what `fields.ts` knows of a schema's fields; throws for one that has neither a doc comment nor a description
 * there. `path` is the type and the fields around it.
 */
function completeFields(schema: unknown, path: Path, definitions: Definitions): void {
  if (typeof schema !== 'object' || schema === null) return;
  if (Array.isArray(schema)) {
    for (const each of schema) completeFields(each, path, definitions);
    return;
  }
  const { properties = {}, ...rest } = schema as Definition;
  for (const [name, shared] of Object.entries(properties)) {
    if (typeof shared === 'boolean') continue;
    // The fields of a record are one object.
    const field = (properties[name] = structuredClone(shared));
    const inner: Path = [...path, name];
    completeFields(field, inner, definitions);
    if (isInteger(inner)) useIntegers(field);
    if (isDescribed(field, definitions)) continue;
    const description = descriptionOf(inner);
    if (description === undefined) throw new Error(`${inner.join('.')} has no doc comment`);
    field.description = description;
  }
  for (const each of Object.values(rest)) completeFields(each, path, definitions);
}

/** Makes the numbers of a field integers, also those in a list, a record or a union. */
function useIntegers(field: Definition): void {
  if (field.type === 'number') field.type = 'integer';
  if (Array.isArray(field.type))
    field.type = field.type.map((each) => (each === 'number' ? 'integer' : each));
  for (const each of [field.items, field.additionalProperties, ...(field.anyOf ?? [])].flat())
    if (typeof each === 'object') useIntegers(each);
}

function isDescribed({ description, $ref }: Definition, definitions: Definitions): boolean {
  if (description !== undefined) return true;
  const target = $ref === undefined ? undefined : definitions[nameIn($ref)];
  return typeof target === 'object' && target.description !== undefined;
}

type Definitions = NonNullable<Definition['definitions']>;

function definitionsOf(type: string): Definitions {
  try {
    return generator().createSchema(type).definitions ?? {};
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // oxlint-disable-next-line preserve-caught-error -- it carries the whole syntax tree
    throw new Error(`cannot make a schema of ${type}: ${reason}`);
  }
}

/** Replaces a reference by what it refers to: `type TopJson = TopResponse`. */
function withoutAlias(schema: Definition, definitions: Definitions): Definition {
  const { $ref, ...rest } = schema;
  const target = $ref === undefined ? undefined : definitions[nameIn($ref)];
  return target === undefined
    ? schema
    : withoutAlias({ ...(target as Definition), ...rest }, definitions);
}

const nameIn = (reference: string) => decodeURIComponent(reference.replace('#/definitions/', ''));

function addNeeded(schema: unknown, definitions: Definitions, needed: Set<string>): void {
  for (const [, reference = ''] of JSON.stringify(schema).matchAll(/"\$ref":"([^"]+)"/g)) {
    const name = nameIn(reference);
    if (needed.has(name)) continue;
    needed.add(name);
    addNeeded(definitions[name], definitions, needed);
  }
}

/** Writes `["string"]` as `"string"`, and leaves out `undefined`, which JSON does not have. */
function tidy(key: string, value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  if (key === 'type' && value.length === 1) return value[0];
  return key === 'anyOf' ? value.filter((each) => JSON.stringify(each) !== '{"not":{}}') : value;
}

const isExported = (type: string): boolean =>
  typeFiles.some((file) =>
    new RegExp(`^export (?:interface|type) ${type}\\b`, 'm').test(
      readFileSync(`${root}${file}`, 'utf8'),
    ),
  );

let made: SchemaGenerator | undefined;

/** Returns the one generator, which reads all types once. */
const generator = (): SchemaGenerator => (made ??= makeGenerator());

function makeGenerator(): SchemaGenerator {
  const config: CompletedConfig = {
    ...DEFAULT_CONFIG,
    path: `${root}{${typeFiles.join(',')}}`,
    tsconfig: `${root}tsconfig.json`,
    // Fields may be added, so that a reader must accept more of them; the tests do not.
    additionalProperties: true,
    sortProps: false,
    // tsc has checked them.
    skipTypeCheck: true,
  };
  const program = createProgram(config);
  const parser = createParser(program, config, (mutable) =>
    mutable.addNodeParser(namesOf(program.getTypeChecker())),
  );
  return new SchemaGenerator(program, parser, createFormatter(config), config);
}

/** Parses `keyof typeof CONSTANT`, which the generator cannot if the constant has a function or a pattern. */
const namesOf = (checker: Checker): SubNodeParser => ({
  supportsNode: (node) => /^keyof typeof [\w.]+$/.test(node.getText()),
  createType: (node) => {
    // The names of errors differ between versions of Node.
    if (node.getText() === 'keyof typeof constants.errno') return new StringType();
    const type = checker.getTypeAtLocation(node);
    const names = (type.isUnion() ? type.types : [type]).map((each) => {
      if (each.isStringLiteral()) return each.value;
      throw new Error(`"${node.getText()}" has names that are not text`);
    });
    return new EnumType(node.getText(), names);
  },
});

type Checker = ReturnType<ReturnType<typeof createProgram>['getTypeChecker']>;
