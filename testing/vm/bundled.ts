/** Files of tests that run inside a guest next to the installed program. */
import { chmodSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bundleTests } from '../../scripts/bundle.ts';
import { builtMark } from '../program.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import type { Guest } from './guest.ts';
import { passInside, type InsideOptions } from './suite.ts';

/**
 * Runs a file of tests like `passInside`. The guest gets the file with all that it imports as one: Node.js would take half
 * a minute of an emulated processor to take the types out of two hundred. The program and the scripts that the tests start
 * are the built ones. The tests must not read the project's sources, and `copyBundled` brings scripts of their own.
 */
export async function passBundled(
  guest: Guest,
  file: string,
  options: InsideOptions = {},
): Promise<void> {
  await copyBundled(guest, [file]);
  await passInside(guest, `dist/inside/${bundleOf(file)}`, {
    ...options,
    environment: { ...options.environment, [builtMark]: 'yes' },
  });
}

/**
 * Copies scripts to the guest, each as one file: `test/a/steps.ts` to /opt/bulkhead/dist/inside/steps.js, where tests find
 * it by `scriptBeside`.
 */
export async function copyBundled(guest: Guest, scripts: readonly string[]): Promise<void> {
  using directory = temporaryDirectory('bundled');
  chmodSync(directory.path, 0o755);
  for (const each of scripts) await bundleTests(each, join(directory.path, bundleOf(each)));
  await guest.copyIn(directory.path, '/opt/bulkhead/dist/inside');
}

const bundleOf = (file: string) => `${basename(file, '.ts')}.js`;
