/**
 * Builds the program in dist/ for the package: `npm run build`. `node scripts/build.ts DIRECTORY`
 * builds it there.
 *
 * Each program has a file, and shares the rest in chunks, so that a command reads only the few
 * files that it needs. Packages stay outside: npm installs them, under their own licenses.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { compileBpf } from './bpf.ts';
import { compileLandlock, compileNotify, compilePam } from './pam.ts';
import { root, tool } from './steps.ts';

/** Files that are started or imported by their path. */
const entries = [
  'main',
  'kernel-modules/library',
  // Processes and threads of their own.
  'apply-child',
  'host/evidence/main',
  'host/placer/main',
  'jail/io/build/main',
  'kernel-modules/io/scan/reader-thread',
  'store/history/history-worker',
  'symlinks/io/audit/main',
  'web/io/entries/receiver-thread',
];

async function buildPackage(directory: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: entries.map((each) => `src/${each}.ts`),
    outbase: 'src',
    outdir: directory,
    // The chunks are as deep as src/sys/package-files.ts, which says why.
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    packages: 'external',
    logLevel: 'warning',
  });
  compileBpf(`${directory}/bpf`);
  compilePam(`${directory}/pam`);
  compileLandlock(`${directory}/pam`);
  compileNotify(`${directory}/pam`);
  const types = ['-p', `${root}tsconfig.build.json`, '--outDir', directory];
  execFileSync(tool('tsc'), types, { stdio: 'inherit' });
}

const [, , elsewhere] = process.argv;
if (elsewhere === undefined) rmSync(`${root}dist`, { recursive: true, force: true });
await buildPackage(resolve(elsewhere ?? `${root}dist`));
