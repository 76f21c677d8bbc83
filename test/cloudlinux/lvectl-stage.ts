/** The common part of tests of `lvectl`: a policy in a directory of its own, and the command on it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach } from 'node:test';
import { runLve, type Answer } from './lve-program.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

export const text = `<bulkhead version="1">
  <!-- What everybody gets -->
  <defaults>
    <cpu limit="100%"/>  <!-- a core -->
    <memory limit="1GiB"/>
    <io read="1MiB/s" write="1MiB/s" reads="1024/s" writes="512/s"/>
    <processes limit="100"/>
    <entries limit="20"/>
  </defaults>

  <package name="gold">
    <memory limit="2GiB"/>
  </package>

  <reseller uid="61900">
    <cpu limit="400%"/>
    <tenant uid="61003"/>
  </reseller>

  <tenant uid="61001"/>
  <tenant uid="61002" package="gold">
    <memory soft="1GiB"/>
  </tenant>
</bulkhead>
`;

export const instance = 'bulkhead-lve-apply';

/** The directory of a test, and the policy in it. */
export let directory = '';
export let file = '';

/** Gives each test of a file a policy in a directory of its own. */
export function usePolicy(): void {
  beforeEach((t) => {
    directory = testDirectory(t, 'lvectl');
    file = join(directory, 'policy.xml');
    writeFileSync(file, text, { mode: 0o644 });
  });
}

export const now = () => readFileSync(file, 'utf8');
export const lvectl = (...args: string[]) => runLve(['lvectl', ...args, '--policy', file]);
/** Does not touch the kernel of the machine that runs the tests. */
export const edit = (...args: string[]) => lvectl(...args, '--no-apply');

export interface Listed {
  readonly data: readonly Readonly<Record<string, string>>[];
}

export async function listed(...args: string[]): Promise<Listed['data']> {
  const { status, out, err } = await lvectl(...args, '--json');
  assert.deepEqual([status, err], [0, '']);
  return jsonOf<Listed>('lvectl', out).data;
}

export function refused({ status, out, err }: Answer, code: number, message: RegExp): void {
  assert.deepEqual([status, out], [code, '']);
  assert.match(err, message);
}
