/**
 * Builds the program in dist/ for the package: `npm run build`. `node scripts/build.ts DIRECTORY`
 * builds it there.
 */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { compileBpf } from './bpf.ts';
import { bundle, modulesEntries, writeModulesTypes } from './bundle.ts';
import { compilableProcessors, compileExec, compileFpm, compilePam } from './entry.ts';
import { root } from './steps.ts';

/** Files of src/ that are started by their path. */
const programs = [
  'main',
  // Processes and threads of their own.
  'apply-child',
  'host/evidence/main',
  'host/placer/main',
  'jail/io/build/main',
  'store/history/history-worker',
  'symlinks/io/audit/main',
  'web/io/entries/receiver-thread',
];

async function buildPackage(directory: string): Promise<void> {
  const entries = Object.fromEntries(programs.map((each) => [each, `src/${each}.ts`]));
  await bundle({ ...entries, ...modulesEntries }, directory);
  compileBpf(`${directory}/bpf`);
  for (const processor of compilableProcessors()) {
    compileExec(`${directory}/entry`, processor);
    compileFpm(`${directory}/entry`, processor);
    compilePam(`${directory}/entry`, processor);
  }
  writeModulesTypes(directory);
}

const [, , elsewhere] = process.argv;
if (elsewhere === undefined) rmSync(`${root}dist`, { recursive: true, force: true });
await buildPackage(resolve(elsewhere ?? `${root}dist`));
