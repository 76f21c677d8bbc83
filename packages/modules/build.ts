/** Builds the library in dist/: `npm run build --workspace packages/modules`, or elsewhere with `node build.ts DIRECTORY`. */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { bundle, modulesEntries, writeModulesTypes } from '../../scripts/bundle.ts';

const own = resolve(import.meta.dirname, 'dist');
const directory = resolve(process.argv[2] ?? own);
if (directory === own) rmSync(own, { recursive: true, force: true });
await bundle(modulesEntries, directory);
writeModulesTypes(directory);
