/** `bulkhead modules scan` judges modules of a small kernel, and files that are hostile. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  makeIdentity,
  noOpenssl,
  signDetached,
} from '../../packages/modules/test/io/certificates.ts';
import {
  appendSignature,
  buildModule,
  sampleModinfo,
} from '../../packages/modules/test/core/elf-builder.ts';
import {
  root,
  release,
  kernel,
  tree,
  put,
  module,
  licensed,
  run,
  onKernel,
  scan,
  reportOf,
} from './modules-stage.ts';

const outOfTree = (name: string) =>
  sampleModinfo(name).filter((each) => !each.startsWith('intree='));

describe('bulkhead modules scan', () => {
  test('scan judges a tree for its own kernel if none is named, with a note', () => {
    const { stdout, stderr } = run('scan', '--no-cache', '--json', kernel);
    assert.match(stderr, /are for Linux 6\.12\.118 and judged for it/);
    const report = reportOf(stdout);
    assert.equal(report.kernel.release, release);
    assert.deepEqual(
      report.modules.map((each) => [each.name, each.loader.result]),
      [
        ['lib', 'load'],
        ['user', 'load'],
      ],
    );
    const one = run('scan', '--no-cache', '--json', join(tree, 'kernel/lib.ko'));
    assert.doesNotMatch(one.stderr, /judged for it/);
  });

  test('scan judges every module of a kernel', () => {
    const { stdout, status } = scan('--json');
    const report = reportOf(stdout);
    assert.equal(status, 0);
    assert.equal(report.kernel.release, release);
    const user = report.modules.find((each) => each.name === 'user');
    assert.ok(user !== undefined && user.file.endsWith('user.ko.gz'));
    assert.deepEqual(user.gplOnly, ['lib_do', 'rcu']);
    assert.equal(user.loader.result, 'load');
    assert.equal(user.loader.errno, null);
    assert.equal(user.loader.taints, 'E');
    assert.equal(user.license, 'GPL');
    assert.equal(user.trustLevel, 'unsupported');
    assert.equal(user.accepted, null);
  });

  test('scan reads the rest of the tree when one file is named', () => {
    const [only] = reportOf(scan('--json', join(tree, 'kernel/user.ko.gz')).stdout).modules;
    assert.equal(only?.loader.result, 'load');
  });

  test('scan exits with 3 and prints the reason when a module is contradicted', () => {
    const liar = put(
      join(root, 'liar/liar.ko'),
      module('liar', licensed('liar', 'GPL\0Proprietary')),
    );
    const { stdout, status } = scan(liar);
    assert.equal(status, 3);
    assert.match(stdout, /^contradicted: 1 module\n/);
    assert.match(stdout, /liar +GPL +loads, taints E/);
    assert.match(stdout, /^GPL-ONLY: number of symbols/m);
    assert.equal(run('explain', ...onKernel, liar).status, 3);
    assert.equal(scan('--format', 'sarif', liar).status, 3);
    assert.equal(scan(liar, join(root, 'no-such.ko')).status, 3, 'what was found comes first');
  });

  test(
    'scan, explain and predict print taints that depend on a keyring as open',
    { skip: noOpenssl },
    () => {
      const stranger = makeIdentity('/CN=Machine owner', 'ec');
      const elf = module('owned', { modinfo: outOfTree('owned') });
      const file = put(
        join(root, 'owned/owned.ko'),
        appendSignature(elf, signDetached(elf, stranger)),
      );
      const [report] = reportOf(scan('--json', file).stdout).modules;
      assert.equal(report?.signature, 'unknown key');
      assert.equal(report.loader.taints, 'O');
      assert.equal(report.loader.taintsUnlessTrusted, 'E');
      assert.equal(report.loader.kernelTaint, 1 << 12);
      assert.equal(report.loader.kernelTaintUnlessTrusted, 1 << 13);
      const { stdout } = scan(file);
      assert.match(stdout, /loads, taints O, E\? /);
      assert.match(stdout, /^E\?: taints the kernel E unless a keyring/m);
      const words = run('explain', ...onKernel, file).stdout.replaceAll(/\s+/g, ' ');
      assert.match(
        words,
        /is then tainted: O: .*? and unless one of its keyrings .*: E: an unsigned module/,
      );
      const predicted = run('predict', ...onKernel, file).stdout.replaceAll(/\s+/g, ' ');
      assert.match(predicted, /taints O, and E unless a keyring/);
      assert.match(predicted, /kernel log: owned: loading out-of-tree module/);
      assert.match(
        predicted,
        /kernel log, unless a keyring [^:]*: owned: module verification failed/,
      );
    },
  );

  test('scan exits with 4 when a module is undecided', { skip: noOpenssl }, () => {
    const stranger = makeIdentity('/CN=Somebody', 'ec');
    const elf = module('some');
    const file = put(join(root, 'some/some.ko'), appendSignature(elf, signDetached(elf, stranger)));
    // No image, no keys: it may be signed as well as can be.
    const { stdout, status } = scan('--require', 'signed', '--json', file);
    assert.equal(status, 4);
    const { modules, counts } = reportOf(stdout);
    assert.equal(modules[0]?.accepted, null);
    assert.match(modules[0].undecidedReason ?? '', /keys that its kernel trusts are not known/);
    assert.equal(counts.undecided, 1);
    assert.equal(scan('--require', 'reproduced', file).status, 3, 'no key would make it that');
    const unsigned = join(tree, 'kernel/lib.ko');
    assert.equal(scan('--require', 'signed', file, unsigned).status, 3, 'one that is below');
  });

  test('scan exits with 3 when a module is below --require or denied by the policy', () => {
    const file = join(tree, 'kernel/lib.ko');
    assert.equal(scan('--require', 'unsupported', file).status, 0);
    assert.equal(scan('--require', 'signed', file).status, 3);
    for (const wrong of [
      ['scan', '--require', 'sound'],
      ['scan', '--format', 'yaml'],
      ['explain', '--require', 'sound'],
    ]) {
      const { status, stderr } = run(...wrong, ...onKernel, file);
      assert.equal(status, 2, wrong.join(' '));
      assert.match(stderr, /Allowed choices are /);
    }
    assert.match(scan('--require', 'signed', file).stdout, /^1 below the required trust level/m);
    const policy = put(
      join(root, 'policy.xml'),
      '<bulkhead version="1"><modules><deny name="lib" reason="old"/></modules></bulkhead>\n',
    );
    const denied = scan('--json', '-p', policy, file);
    assert.equal(denied.status, 3);
    assert.equal(reportOf(denied.stdout).modules[0]?.deniedReason, 'old');
  });

  test('scan --format writes csv, sarif, spdx and cyclonedx', () => {
    const formats = {
      csv: /^file,/,
      sarif: /"2\.1\.0"/,
      spdx: /SPDX-2\.3/,
      cyclonedx: /"CycloneDX"/,
    };
    for (const [format, pattern] of Object.entries(formats)) {
      const { stdout, status } = scan('--format', format);
      assert.equal(status, 0, format);
      assert.match(stdout, pattern);
      if (format !== 'csv') assert.ok(JSON.parse(stdout));
    }
  });

  test('scan reads the rest when files are broken, and prints the problem of each', () => {
    const directory = join(root, 'broken');
    const good = module('good');
    put(join(directory, 'good.ko'), good);
    put(join(directory, 'text.ko'), 'no module at all');
    put(join(directory, 'cut.ko'), good.subarray(0, 200));
    put(join(directory, 'empty.ko'), '');
    put(join(directory, 'cut.ko.gz'), gzipSync(good).subarray(0, 60));
    const huge = Uint8Array.from(good);
    // The size of the second section, 4 GiB: e_shoff, a header of 64 bytes, sh_size at 32.
    const view = new DataView(huge.buffer);
    view.setBigUint64(Number(view.getBigUint64(40, true)) + 64 + 32, 2n ** 32n, true);
    put(join(directory, 'huge.ko'), huge);
    put(join(directory, 'bomb.ko.gz'), gzipSync(Buffer.alloc(600 * 2 ** 20), { level: 9 }));
    put(join(directory, 'sparse.ko'), '');
    truncateSync(join(directory, 'sparse.ko'), 2 ** 40);
    symlinkSync('..', join(directory, 'loop'));
    const elf = put(join(directory, 'object.ko'), good);
    writeFileSync(elf, buildModule({ structBytes: 0, modinfo: false }));
    const { stdout, stderr, status } = scan('--json', directory);
    assert.equal(status, 1);
    const { modules, problems } = reportOf(stdout);
    assert.deepEqual(
      modules.map((each) => each.name),
      ['good'],
    );
    const names = problems.map((each) => each.file.slice(directory.length + 1)).sort();
    assert.deepEqual(names, [
      'bomb.ko.gz',
      'cut.ko',
      'cut.ko.gz',
      'empty.ko',
      'huge.ko',
      'object.ko',
      'sparse.ko',
      'text.ko',
    ]);
    for (const name of names) assert.match(stderr, new RegExp(`${name}: .+`));
  });

  test('scan refuses a module of another architecture', () => {
    const other = put(join(root, 'arm/arm.ko'), module('arm', { machine: 183 }));
    const [report] = reportOf(scan('--json', other).stdout).modules;
    assert.equal(report?.machine, 'arm64');
    assert.equal(report.loader.errnoName, 'ENOEXEC');
    assert.equal(report.loader.errno, 8);
  });

  test(
    'scan reports a file that it may not read',
    { skip: process.getuid?.() === 0 && 'root reads all' },
    () => {
      const file = put(join(root, 'closed/closed.ko'), module('closed'));
      chmodSync(file, 0);
      assert.match(scan(file).stderr, /closed\.ko: .*permission denied/);
    },
  );

  test('scan caches results, and reads a changed file again', () => {
    const directory = join(root, 'cached');
    for (let index = 0; index < 40; index++) {
      put(join(directory, `m${index}.ko`), module(`m${index}`));
    }
    const cached = () => reportOf(run('scan', '--kernel', kernel, '--json', directory).stdout);
    const first = cached();
    assert.equal(first.modules.length, 40);
    assert.deepEqual(cached(), first);
    put(join(directory, 'm7.ko'), module('m7', licensed('m7', 'Proprietary')));
    const changed = cached().modules.find((each) => each.name === 'm7');
    assert.equal(changed?.license, 'Proprietary');
  });

  test('scan exits with 1 when --kernel contains no kernel', () => {
    const { stderr, status } = run('scan', '--kernel', join(root, 'liar'));
    assert.equal(status, 1);
    assert.match(stderr, /Cannot find a kernel/);
  });
});

test('bulkhead modules scan names the command line it assumes, and shortens long licenses', () => {
  const license = `GPL ${'x'.repeat(2 ** 20)}`;
  const long = put(join(root, 'long/long.ko'), module('long', licensed('long', license)));
  assert.match(
    scan(long).stdout,
    /judged with an empty command line, since it does not run here$/m,
  );
  assert.match(scan('--cmdline', 'quiet', long).stdout, /judged with the command line "quiet"$/m);
  for (const format of ['csv', 'json', 'cyclonedx', 'spdx']) {
    const { stdout } = scan('--format', format, long);
    assert.ok(stdout.includes('xxx'), format);
    assert.ok(stdout.length < 64 * 1024, `${format}: ${stdout.length} characters`);
  }
});

test(
  'bulkhead modules scan prints one line when a kernel has no modules',
  { skip: existsSync('/proc/modules') ? 'this kernel has loadable modules' : false },
  () => {
    for (const words of [['scan'], ['scan', '--running']]) {
      const { stdout, stderr, status } = run(...words);
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(
        stderr,
        /^bulkhead: This kernel has no loadable modules \(CONFIG_MODULES\).*\n$/,
      );
    }
  },
);
