/** The launcher that tests start, `bulkhead-exec`: the built one, or one compiled for them. */
import { compileExec } from '../scripts/entry.ts';
import { entryFile } from '../src/sys/package-files.ts';
import { isBuilt } from './program.ts';

export const launcher = isBuilt ? entryFile('bulkhead-exec') : compileExec();
