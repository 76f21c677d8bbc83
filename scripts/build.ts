/**
 * Builds the program in dist/ for the package: `npm run build`. `node scripts/build.ts DIRECTORY`
 * builds it there.
 */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { compileBpf } from './bpf.ts';
import { bundle, modulesEntries, writeModulesTypes } from './bundle.ts';
import { buildConsole } from './console.ts';
import { compilableProcessors, compileEntry } from './entry.ts';
import { programEntries } from './programs.ts';
import { root } from './steps.ts';

async function buildPackage(directory: string): Promise<void> {
  await bundle({ ...programEntries, ...modulesEntries }, directory);
  await buildConsole(`${directory}/console`);
  compileBpf(`${directory}/bpf`);
  for (const processor of compilableProcessors()) compileEntry(`${directory}/entry`, processor);
  writeModulesTypes(directory);
}

const [, , elsewhere] = process.argv;
if (elsewhere === undefined) rmSync(`${root}dist`, { recursive: true, force: true });
await buildPackage(resolve(elsewhere ?? `${root}dist`));
