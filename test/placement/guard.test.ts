/** Strict placement refuses kernels and rules that its BPF programs cannot serve. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import {
  placesMax,
  rangesMax,
  type CgroupPath,
  type StrictRule,
  type SubordinateRange,
} from '../../src/placement/core/strict-rule.ts';
import { placementGuard } from '../../src/placement/io/strict.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const root = suiteDirectory('placement-guard');
const paths: Paths = {
  ...pathsOf(),
  sys: join(root, 'sys'),
  state: join(root, 'state'),
  runtime: join(root, 'run'),
};

suite('placementGuard().load()', () => {
  const rule: StrictRule = { placement: 'on', modules: undefined, places: [], ranges: [] };
  const problemOf = (more: Partial<StrictRule>) => {
    const loaded = placementGuard(paths).load({ ...rule, ...more });
    assert.ok(!loaded.ok);
    return formatProblem(loaded.error);
  };
  const kernelHas = (modules: string) => {
    for (const each of ['kernel/security', 'kernel/btf'])
      mkdirSync(join(paths.sys, each), { recursive: true });
    writeFileSync(join(paths.sys, 'kernel/security/lsm'), `${modules}\n`);
    writeFileSync(join(paths.sys, 'kernel/btf/vmlinux'), '');
  };

  test('refuses a kernel that does not report its security modules', () => {
    rmSync(join(paths.sys, 'kernel'), { recursive: true, force: true });
    assert.match(
      problemOf({}),
      /^Cannot enable strict placement: it is unknown whether BPF is in force: .*; mount -t securityfs/,
    );
  });

  test('refuses a kernel that does not ask BPF programs, and names the command that changes that', () => {
    kernelHas('capability,landlock,yama');
    assert.match(
      problemOf({}),
      /^Cannot enable strict placement: this kernel does not ask BPF programs: .*bulkhead setup boot/,
    );
  });

  test('refuses more tenants than the map can hold before it touches the kernel', () => {
    kernelHas('capability,bpf');
    const places = Array.from({ length: placesMax + 1 }, (_, uid): CgroupPath => ({
      uid,
      parent: 1n,
      level: 0,
      name: `u${uid}`,
    }));
    assert.equal(
      problemOf({ places }),
      'Cannot enable strict placement: 65536 tenants are more than the 65535 that it can hold',
    );
  });

  test('refuses more ranges of subordinate uids than the map can hold, and names the file', () => {
    kernelHas('capability,bpf');
    const ranges = Array.from({ length: rangesMax + 1 }, (_, index): SubordinateRange => ({
      first: 100_000 + index,
      last: 100_000 + index,
      owner: 1001,
    }));
    assert.equal(
      problemOf({ ranges }),
      'Cannot enable strict placement: tenants have 65537 ranges of subordinate uids, more than the 65536 that it can hold; take tenants out of /etc/subuid',
    );
  });

  test('accepts as many tenants as the map can hold, and then needs a BPF file system', () => {
    kernelHas('capability,bpf');
    const places = Array.from({ length: placesMax }, (_, uid): CgroupPath => ({
      uid,
      parent: 1n,
      level: 0,
      name: `u${uid}`,
    }));
    assert.match(problemOf({ places }), /no BPF file system is mounted on .*mount -t bpf/);
  });
});
