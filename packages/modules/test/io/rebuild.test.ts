/** Modules built here as their vendor would, and built again from what is offered as their source. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { readElf } from '../../core/elf/read-elf.ts';
import { readModule } from '../../core/record/read-module.ts';
import { prepareKernelFiles } from '../../../../testing/oracle/kernel-files.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';
import { findCompiler } from '../../io/rebuild/compiler.ts';
import { runInJail } from '../../io/rebuild/sandbox.ts';
import { findKernelBuild, type KernelBuild } from '../../io/kernel/kernel-build.ts';
import { rebuild, type Rebuilt } from '../../io/rebuild/rebuild.ts';
import { archiveOf } from '../../io/source/source-files.ts';
import { formatCause, formatProblem } from '../../../base/problem.ts';
import { makeJailCgroup } from '../../../../src/modules/io/sandbox-cgroup.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;

const kernel = await prepareKernelFiles((line) => console.log(`# ${line}`));
const skip = kernel.ok ? false : kernel.error.reason;
const scratch = suiteDirectory('rebuild');

const honest: Files = {
  Makefile: 'obj-m := sum.o\nsum-y := main.o parts/add.o\n',
  'main.c': `#include <linux/module.h>
int add(int a, int b);
static int __init sum_init(void)
{
	WARN_ON(add(1, 2) != 3);
	pr_info("sum %d\\n", add(40, 2));
	return 0;
}
static void __exit sum_exit(void) { }
module_init(sum_init);
module_exit(sum_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Adds");
`,
  'parts/add.c': 'int add(int a, int b);\nint add(int a, int b) { return a + b + 0; }\n',
};

function directoryWith(files: Files): string {
  const directory = mkdtempSync(join(scratch, 'source-'));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content, { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
  }
  return directory;
}

function kernelBuild(): KernelBuild {
  assert.ok(kernel.ok);
  const build = findKernelBuild(kernel.value.release, [kernel.value.headers]);
  assert.ok(build.ok, build.ok ? '' : formatProblem(build.error));
  return build.value;
}

/**
 * Builds the module as DKMS does, in another directory than ours. `WARN_ON` leaves its path in the
 * module.
 */
async function vendorBuild(files: Files): Promise<Uint8Array> {
  const { headers, mounts } = kernelBuild();
  const source = { directory: directoryWith(files), files: Object.keys(files), compiled: [] };
  const writable = '/var/lib/dkms/sum/1.0/build';
  const script = `tar -xf - && make -C ${headers} M=${writable} CONFIG_DEBUG_INFO_BTF_MODULES= modules 2>&1 && cat sum.ko >&3`;
  const run = await runInJail({
    makeCgroup: makeJailCgroup,
    command: ['sh', '-c', script],
    writable,
    mounts: [{ from: undefined, to: '/usr/src' }, ...mounts],
    input: archiveOf(source),
  });
  assert.ok(run.ok, run.ok ? '' : formatProblem(run.error));
  assert.deepEqual(run.value.end, { kind: 'exit', status: 0 }, run.value.lastLines.join('\n'));
  return run.value.result;
}

async function rebuilt(
  module: Uint8Array,
  files: Files,
  path = '/var/lib/dkms/sum.ko',
): Promise<Rebuilt> {
  const read = readModule(path, module);
  const elf = readElf(module);
  assert.ok(read.ok && elf.ok);
  return rebuild(read.value, elf.value, directoryWith(files), kernelBuild(), {
    makeCgroup: makeJailCgroup,
  });
}

const why = (result: Rebuilt): string =>
  result.outcome === 'undecided' ? [result.reason, ...result.lastLines].join('\n') : result.outcome;

suite('rebuild()', { skip }, () => {
  test('reproduces a module from its source, wherever it was built', async () => {
    const module = await vendorBuild(honest);
    assert.ok(Buffer.from(module).includes('/var/lib/dkms/sum/1.0/build/main.c'));
    const result = await rebuilt(module, honest);
    assert.equal(result.outcome, 'reproduced', why(result));
    assert.ok(result.outcome === 'reproduced' && result.comparison.compared.relocations > 0);
    assert.deepEqual(result.comparison.modinfo, []);
    const renamed = await rebuilt(module, honest, '/tmp/copy-of.sum.ko');
    assert.equal(renamed.outcome, 'reproduced', why(renamed));
  });

  test('names the function whose constant was changed', async () => {
    const add = 'int add(int a, int b);\nint add(int a, int b) { return a + b + 1; }\n';
    const module = await vendorBuild({ ...honest, 'parts/add.c': add });
    const result = await rebuilt(module, honest);
    assert.equal(result.outcome, 'differs', why(result));
    assert.ok(result.outcome === 'differs' && result.comparison.changed.includes('add'));
  });

  test('leaves compiled code in the source out of the build', async () => {
    const object = compile('int add(int a, int b) { return a + b + 7; }\n');
    const { 'parts/add.c': _source, ...rest } = honest;
    const blob = { 'parts/add.o_shipped': object, 'parts/.add.o.cmd': '' };
    const module = await vendorBuild({ ...rest, ...blob });
    const result = await rebuilt(module, { ...rest, ...blob });
    assert.equal(result.outcome, 'undecided');
    assert.deepEqual(result.compiled, ['parts/add.o_shipped']);
    assert.match(why(result), /compiled code that was left out/);
    const replaced = await rebuilt(module, { ...honest, ...blob });
    assert.equal(replaced.outcome, 'differs', why(replaced));
  });

  test('rebuild() follows dkms.conf: patches, PRE_BUILD and MAKE for the kernel', async () => {
    const makefile = `${honest['Makefile'] as string}ccflags-y := -DLEVEL=`;
    const main = honest['main.c'] as string;
    const leveled = (result: string) => main.replace('!= 3', `+ LEVEL + EXTRA != ${result}`);
    const include = '#include "extra.h"\n';
    const built = {
      ...honest,
      Makefile: `${makefile}7\n`,
      'extra.h': '#define EXTRA 5\n',
      'main.c': include + leveled('15'),
    };
    const module = await vendorBuild(built);
    const offered = {
      ...honest,
      Makefile: `${makefile}$(LEVEL)\n`,
      'main.c': include + leveled('14'),
      'prepare.sh': '#!/bin/sh\necho "#define EXTRA $(cat extra.txt)" >extra.h\n',
      'extra.txt': '5',
      'patches/right.patch': patchOf(include + leveled('14'), include + leveled('15')),
      'patches/wrong.patch': 'no patch\n',
      'dkms.conf': `PACKAGE_NAME="sum"
PACKAGE_VERSION="1.0"
PRE_BUILD="prepare.sh"
PATCH[0]="right.patch"
PATCH[1]="wrong.patch"
PATCH_MATCH[1]="^5\\."
BUILT_MODULE_NAME[0]="$PACKAGE_NAME"
DEST_MODULE_LOCATION[0]="/updates"
MAKE[0]="make -C $kernel_source_dir M=$dkms_tree/$PACKAGE_NAME/$PACKAGE_VERSION/build LEVEL=1"
MAKE[1]="make -C $kernel_source_dir M=$dkms_tree/sum/1.0/build LEVEL=7"
MAKE_MATCH[1]="^6\\."
`,
    };
    const same = await rebuilt(module, offered);
    assert.equal(same.outcome, 'reproduced', why(same));
    const other = await rebuilt(module, { ...offered, 'extra.txt': '6' });
    assert.equal(other.outcome, 'differs', why(other));
    const broken = await rebuilt(module, { ...offered, 'prepare.sh': '#!/bin/sh\nexit 1\n' });
    assert.equal(broken.outcome, 'undecided');
    assert.match(broken.errors.join('\n'), /PRE_BUILD of dkms\.conf failed/);
  });

  test('rebuild() distinguishes a build that fails from a module that differs', async () => {
    const module = await vendorBuild(honest);
    const result = await rebuilt(module, { ...honest, 'main.c': 'no C\n' });
    assert.equal(result.outcome, 'undecided');
    assert.match(why(result), /failed with status[^]*main\.c/);
    assert.match(result.errors[0]!, /main\.c:1:1: error: /);
    const without = await rebuilt(module, { README: 'none\n' });
    assert.match(why(without), /no makefile in .* builds a kernel module/);
  });
});

function patchOf(before: string, after: string): string {
  const directory = directoryWith({ 'a/main.c': before, 'b/main.c': after });
  const { stdout } = spawnSync('diff', ['-u', 'a/main.c', 'b/main.c'], { cwd: directory });
  return stdout.toString();
}

function compile(text: string): Uint8Array {
  const directory = directoryWith({ 'blob.c': text });
  execFileSync('gcc-14', ['-O2', '-fno-pic', '-mcmodel=kernel', '-c', 'blob.c'], {
    cwd: directory,
  });
  return execFileSync('cat', ['blob.o'], { cwd: directory });
}

suite('findCompiler()', () => {
  test('names the missing compiler, and that no package has it', async () => {
    const result = await findCompiler(['GCC: (Debian 3.3.6-1) 3.3.6']);
    assert.ok(!result.ok);
    assert.match(
      formatCause(result.error),
      /GCC 3\.3\.6 \(Debian 3\.3\.6-1\) is not installed.*no package in the configured sources has it/,
    );
  });

  test('uses the compiler of the last object, which every build compiles itself', async () => {
    const result = await findCompiler(['GCC: (A) 3.3.6', 'GCC: (A) 3.3.6', 'GCC: (B) 2.95.1']);
    assert.ok(!result.ok);
    assert.match(formatCause(result.error), /GCC 2\.95\.1 \(B\) is not installed/);
  });

  test('fails when the module names no compiler, or one other than GCC', async () => {
    assert.equal((await findCompiler([])).ok, false);
    assert.equal((await findCompiler(['Debian clang version 19.1.7'])).ok, false);
  });
});

suite('findKernelBuild()', () => {
  test('fails with the directories it tried and what to install', () => {
    const result = findKernelBuild('1.2.3-none');
    assert.ok(!result.ok);
    assert.match(
      formatProblem(result.error),
      /"\/usr\/src\/linux-headers-1\.2\.3-none".*apt install/,
    );
  });
});
