/** Loading BPF programs: what is said where it cannot be done. That it can is shown in test/vm/symlinks.test.ts. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { logToStderr } from '../../testing/progress.ts';
import { compileBpf } from '../../scripts/bpf.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { libbpf } from '../../src/sys/bpf/libbpf.ts';
import { blockedLayer, lsmProblem } from '../../src/sys/bpf/lsm.ts';
import { loadObject } from '../../src/sys/bpf/object.ts';
import { refusal } from '../../src/sys/bpf/verifier-log.ts';
import { existingPins, openPins } from '../../src/sys/bpf/pins.ts';
import { pinDirectory } from '../../packages/base/io/pinned-directory.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { suiteDirectory, temporaryDirectory } from '../../testing/temporary-directory.ts';

const ready = await ensurePrerequisites('bpf', logToStderr);
const skip = ready.ok ? false : ready.reason;

const directory = suiteDirectory('bpf');

suite('lsmProblem()', () => {
  const problemWith = (modules: string | undefined, config = 'CONFIG_BPF_LSM=y\n', btf = true) => {
    using scratch = temporaryDirectory('lsm');
    const root = scratch.path;
    mkdirSync(join(root, 'sys/kernel/security'), { recursive: true });
    mkdirSync(join(root, 'sys/kernel/btf'));
    mkdirSync(join(root, 'proc/sys/kernel'), { recursive: true });
    mkdirSync(join(root, 'boot'));
    if (btf) writeFileSync(join(root, 'sys/kernel/btf/vmlinux'), '');
    if (modules !== undefined) writeFileSync(join(root, 'sys/kernel/security/lsm'), modules);
    writeFileSync(join(root, 'proc/sys/kernel/osrelease'), '6.12.1\n');
    writeFileSync(join(root, 'boot/config-6.12.1'), config);
    return lsmProblem({ sys: join(root, 'sys'), proc: join(root, 'proc') });
  };

  test('returns undefined when "bpf" is among the active LSMs', () => {
    assert.equal(problemWith('lockdown,capability,apparmor,bpf'), undefined);
  });

  test('names the command that adds the boot option when "bpf" is not active', () => {
    const problem = problemWith('lockdown,capability,landlock,yama,apparmor');
    assert.match(problem?.reason ?? '', /"bpf" is not in .*lsm \(lockdown,capability,landlock/);
    assert.match(problem?.hint ?? '', /bulkhead setup boot/);
  });

  test('names no command when the kernel was built without it', () => {
    const problem = problemWith('yama', 'CONFIG_MODULES=y\n# CONFIG_BPF_LSM is not set\n');
    assert.match(problem?.hint ?? '', /built without CONFIG_BPF_LSM/);
    assert.doesNotMatch(problem?.hint ?? '', /setup boot/);
  });

  test('a layer is unknown without the list, and not possible without "bpf" in it', () => {
    const stateWith = (modules: string | undefined) => {
      const problem = problemWith(modules, '');
      return problem && blockedLayer('guard', problem).state;
    };
    assert.equal(stateWith(undefined), 'unknown');
    assert.equal(stateWith('capability,yama'), 'unavailable');
    const unknown = problemWith(undefined, '');
    assert.ok(unknown !== undefined);
    assert.match(blockedLayer('guard', unknown).improve ?? '', /^mount -t securityfs/);
  });

  test('does not take "bpfx" for "bpf"', () => {
    assert.notEqual(problemWith('capability,bpfx'), undefined);
  });

  test('asks for securityfs or BTF when it is missing', () => {
    assert.match(problemWith(undefined)?.hint ?? '', /mount -t securityfs/);
    assert.match(problemWith('bpf', undefined, false)?.reason ?? '', /btf\/vmlinux/);
  });
});

suite('openPins()', () => {
  test('makes nothing, and names the mount command, without a BPF file system', () => {
    mkdirSync(join(directory, 'fs/bpf'), { recursive: true });
    const opened = openPins({ sys: directory, instance: 'bulkhead-bpf-test' });
    assert.ok(!opened.ok);
    assert.match(
      formatProblem(opened.error),
      /no BPF file system is mounted on .*; run: mount -t bpf/,
    );
    assert.equal(existingPins({ sys: directory, instance: 'bulkhead-bpf-test' }), undefined);
  });
});

suite('loadObject() and refusal()', { skip }, () => {
  let object = '';
  before(() => {
    const made = compileBpf(join(directory, 'objects'));
    object = made.find((each) => each.endsWith('/symlinks.bpf.o')) ?? '';
  });

  const load = (file: string) => {
    const pins = pinDirectory(directory);
    assert.ok(pins.ok);
    using at = pins.value;
    const plan = { file, name: 'symlinks', generation: '1', entries: [], prove: () => undefined };
    return loadObject(plan, at);
  };

  test('compileBpf() includes the hooks that the symlink guard needs', () => {
    const text = readFileSync(object, 'latin1');
    for (const hook of ['follow_link', 'permission', 'getattr', 'create'])
      assert.ok(text.includes(`lsm/inode_${hook}`), hook);
    assert.ok(text.includes('lsm/file_open'));
  });

  test('loadObject() fails, and names the file, when it is missing or not an object', () => {
    if (!libbpf().ok) return;
    const missing = load(join(directory, 'none.o'));
    assert.ok(!missing.ok);
    assert.match(formatProblem(missing.error), /cannot open .*none\.o: ENOENT/);
    writeFileSync(join(directory, 'text.o'), 'no object');
    assert.ok(!load(join(directory, 'text.o')).ok);
  });

  test("refusal() gives the verifier's last line as the reason", () => {
    const log = Buffer.from(
      '0: (b7) r0 = 1\n1: (95) exit\nAt program exit the register R0 has value (0x1; 0x0) should have been in (0x0; 0x0)\nprocessed 2 insns (limit 1000000)\n\0\0',
    );
    const { reason, errno } = refusal([{ name: 'symlinks_open', log }], -22);
    assert.match(reason, /verifier refuses symlinks_open: .*should have been in \(0x0; 0x0\)$/);
    assert.equal(errno, 'EINVAL');
    assert.match(refusal([{ name: 'a', log: new Uint8Array(8) }], -1).hint ?? '', /as root/);
  });
});
