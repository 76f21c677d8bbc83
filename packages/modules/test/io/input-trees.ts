/** Trees of files to collect modules from, and what was collected, as text. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  collectInputs,
  type Input,
  type InputOptions,
  type InputProblem,
} from '../../io/inputs/inputs.ts';
import { formatCause } from '../../../base/problem.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

export const scratch = suiteDirectory('test-inputs');

let trees = 0;
/** Makes files and directories. A path that ends with a slash is a directory. */
export function tree(files: Readonly<Record<string, string>>): string {
  const root = join(scratch, `${trees++}`);
  mkdirSync(root);
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(name.endsWith('/') ? join(root, name) : dirname(join(root, name)), {
      recursive: true,
    });
    if (!name.endsWith('/')) writeFileSync(join(root, name), contents);
  }
  return root;
}

export const hostOf = (root: string): InputOptions => ({
  places: {
    dpkg: join(root, 'var/lib/dpkg'),
    documents: join(root, 'usr/share/doc'),
    dkms: join(root, 'var/lib/dkms'),
    sources: join(root, 'usr/src'),
  },
});

export async function collected(
  paths: readonly string[],
  options: InputOptions = hostOf('/nonexistent'),
) {
  const found: (Input | InputProblem)[] = [];
  for await (const each of collectInputs(paths, options)) found.push(each);
  return found;
}

export const lines = (root: string, found: readonly (Input | InputProblem)[]) =>
  found.map((each) => {
    if (each.kind === 'problem') return `${each.path.replace(`${root}/`, '')}! ${each.why}`;
    const bytes = each.read();
    return `${each.label.replace(`${root}/`, '')}: ${bytes.ok ? Buffer.from(bytes.value).toString() : formatCause(bytes.error)}`;
  });
