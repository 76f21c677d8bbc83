/** The program that tests start: what was built where the gate has built it, which starts in half the time, or the sources. */
import { packageFile } from '../src/sys/package-files.ts';

/** The variable that lets the script `bulkhead` and tests start what was built. */
export const builtMark = 'BULKHEAD_BUILT';

export const isBuilt = process.env[builtMark] === 'yes';

/** The file that Node.js runs as the command line. */
export const mainFile = packageFile(isBuilt ? 'dist/main.js' : 'src/main.ts');
