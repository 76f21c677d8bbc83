/** Files of tests that run inside a guest next to the installed program. */
import { basename, join } from 'node:path';
import { bundleTests } from '../../scripts/bundle.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import type { Guest } from './guest.ts';
import { passInside, type InsideOptions } from './suite.ts';

/**
 * Runs a file of tests like `passInside`, but call `copyInstalled` first. The guest gets the file with all that it imports
 * as one: Node.js would take half a minute of an emulated processor to take the types out of two hundred. The scripts that
 * the tests start are the built ones. The tests must not read the project's sources.
 */
export async function passBundled(
  guest: Guest,
  file: string,
  options: InsideOptions = {},
): Promise<void> {
  const bundle = `dist/inside/${basename(file, '.ts')}.js`;
  using directory = temporaryDirectory('bundled');
  const built = join(directory.path, basename(bundle));
  await bundleTests(file, built);
  await guest.copyIn(built, `/opt/bulkhead/${bundle}`);
  await passInside(guest, bundle, options);
}
