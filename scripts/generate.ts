/**
 * Writes the files that are generated from tables: `npm run generate`. With `--check` it writes
 * nothing and fails if one is out of date.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeWholeProgram } from '../src/cli/program.ts';
import { manualPage } from './generated/manual.ts';
import { policyReference } from './generated/policy-reference.ts';
import { policySchema } from './generated/policy-schema.ts';
import { root } from './steps.ts';
import { capabilities } from '../src/capabilities.ts';

interface Generated {
  readonly path: string;
  readonly make: () => string | Promise<string>;
}

export const generated: readonly Generated[] = [
  { path: 'schema/bulkhead.xsd', make: policySchema },
  { path: 'docs/policy.md', make: policyReference },
  { path: 'man/bulkhead.8', make: async () => manualPage(await makeWholeProgram(capabilities)) },
];

/** Returns paths of the files that differ from what would be generated. */
export async function outdated(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { path, make } of generated) {
    if (read(path) !== (await make())) found.push(path);
  }
  return found;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(`${root}${path}`, 'utf8');
  } catch {
    return undefined;
  }
}

async function write(): Promise<void> {
  for (const { path, make } of generated) {
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
