/** A host in a directory, for facts of services. */
import '../../testing/guard/here.ts';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

export const root = suiteDirectory('confine-facts', '/var/tmp');

export const paths: Paths = {
  ...pathsOf(),
  etc: join(root, 'etc'),
  state: join(root, 'state'),
  runtime: join(root, 'run'),
};

export const put = (path: string, text = '') => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
