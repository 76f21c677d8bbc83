/** The life of a policy on the system calls of older kernels: newer ones are missing there, and say so. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pathsOf } from '../../src/host/paths.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { hostHere } from '../conformance/host-here.ts';
import { buildProgram, programsReady } from '../placer/programs.ts';

const instance = 'bulkhead-old-kernel';
const uid = 64_340;
const here = hostHere(instance);
const ready = await programsReady();
const reason = 'skip' in here ? here.skip : ready.ok ? undefined : ready.reason;

if (reason !== undefined) test('system calls of old kernels', { skip: reason }, () => {});
else suite();

function suite(): void {
  const directory = suiteDirectory('old-kernel');
  const policy = `${directory}/policy.xml`;
  const { runtime, state } = pathsOf(instance);
  const remove = () => {
    for (const path of [runtime, state]) rmSync(path, { recursive: true, force: true });
  };
  let program: string;

  before(() => {
    const limits = '<processes limit="33"/><memory limit="256MiB"/><io read="1MiB/s"/>';
    writeFileSync(
      policy,
      `<bulkhead version="1">${treeElement(pathsOf(instance))}<tenant uid="${uid}">${limits}</tenant></bulkhead>`,
    );
    program = buildProgram(fileURLToPath(new URL('old-kernel.c', import.meta.url)), directory);
  });
  after(remove);

  const bulkhead = fileURLToPath(new URL('../../bulkhead', import.meta.url));
  const run = (call: number, ...words: readonly string[]) => {
    const args = [String(call), bulkhead, '--instance', instance, ...words];
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    return { status, stdout, said: stdout + stderr };
  };

  for (const [kernel, call] of [
    ['4.18', 335],
    ['5.14', 449],
  ] as const) {
    test(`apply, verify, exec and release work with the system calls of Linux ${kernel}`, () => {
      for (const words of [['check'], ['apply'], ['verify']]) {
        const { status, said } = run(call, ...words, policy);
        assert.equal(status, 0, said);
      }
      assert.equal(run(call, 'exec', String(uid), '--', 'id', '-u').stdout, `${uid}\n`);
      const { stdout } = run(call, 'status', '--json', '-p', policy);
      const { tenants, unknown } = JSON.parse(stdout) as {
        readonly tenants: readonly { readonly inForce: boolean }[];
        readonly unknown: readonly string[];
      };
      assert.deepEqual([tenants[0]?.inForce, unknown], [true, []]);
      const released = run(call, 'release');
      assert.equal(released.status, 0, released.said);
    });
  }
}
