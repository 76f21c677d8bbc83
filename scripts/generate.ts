/**
 * Writes the files that are generated from tables and types: `npm run generate`. With `--check` it
 * writes nothing and fails if one is out of date.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeWholeProgram } from '../src/cli/program.ts';
import { apiSchemas, commandSchemas, jsonSchema } from './generated/json-schemas.ts';
import { manualPage } from './generated/manual.ts';
import { policyReference } from './generated/policy-reference.ts';
import { policySchema } from './generated/policy-schema.ts';
import { withSchemaTable } from './generated/schema-tables.ts';
import { root } from './steps.ts';
import { capabilities } from '../src/capabilities.ts';

interface Generated {
  readonly path: string;
  readonly make: () => string | Promise<string>;
}

const tables: readonly Generated[] = [
  { path: 'schema/bulkhead.xsd', make: policySchema },
  { path: 'docs/policy.md', make: policyReference },
  { path: 'man/bulkhead.8', make: async () => manualPage(await makeWholeProgram(capabilities)) },
];

async function allGenerated(): Promise<readonly Generated[]> {
  const commands = await commandSchemas();
  const pages = [
    { path: 'docs/json.md', make: () => withSchemaTable('docs/json.md', 'command', commands) },
    { path: 'docs/api.md', make: () => withSchemaTable('docs/api.md', 'request', apiSchemas) },
  ];
  const schemas = [...commands, ...apiSchemas].map((each) => ({
    path: each.path,
    make: () => jsonSchema(each),
  }));
  return [...tables, ...pages, ...schemas];
}

/** Returns paths of the files that differ from what would be generated, and of those that nothing generates. */
async function outdated(): Promise<readonly string[]> {
  const all = await allGenerated();
  const found = strayFiles(all);
  for (const { path, make } of all) {
    if (read(path) !== (await make())) found.push(path);
  }
  return found;
}

/** Returns schemas of commands that no longer exist. */
function strayFiles(all: readonly Generated[]): string[] {
  const known = new Set(all.map(({ path }) => path));
  return globSync('schema/*/*', { cwd: root }).filter((path) => !known.has(path));
}

function read(path: string): string | undefined {
  try {
    return readFileSync(`${root}${path}`, 'utf8');
  } catch {
    return undefined;
  }
}

async function write(): Promise<void> {
  const all = await allGenerated();
  for (const path of strayFiles(all)) rmSync(`${root}${path}`);
  for (const { path, make } of all) {
    mkdirSync(dirname(`${root}${path}`), { recursive: true });
    writeFileSync(`${root}${path}`, await make());
    process.stdout.write(`${path}\n`);
  }
}

async function check(): Promise<void> {
  const paths = await outdated();
  for (const path of paths) {
    process.stdout.write(`${path} is out of date; run "npm run generate"\n`);
  }
  if (paths.length > 0) process.exitCode = 1;
}

if (import.meta.main) await (process.argv.includes('--check') ? check() : write());
