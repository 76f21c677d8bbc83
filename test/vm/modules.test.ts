/**
 * `bulkhead modules` as an administrator uses it, on a Debian host with systemd and its unmodified kernel:
 * modules in the tree, loaded ones, predictions for insmod, and what modprobe is kept from loading.
 *
 * The first tests are on a host that has only modules. Then it gets files of Debian's packages: the kernel's
 * image, its configuration, the headers.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { ScanReport } from '../../packages/modules/core/reports/report.ts';
import { buildModules } from '../../testing/oracle/build.ts';
import {
  editBytes,
  flipped,
  setModinfoEntries,
  modinfoBy,
  setNames,
  wrongCrc,
  type Edit,
} from '../../testing/oracle/edits.ts';
import { prepareKernelFiles, type OracleKernelFiles } from '../../testing/oracle/kernel-files.ts';
import { makeRunDirectory } from '../../testing/vm/directories.ts';
import { startGuest, type Guest } from '../../testing/vm/guest.ts';
import { prepareImage, type Image } from '../../testing/vm/image.ts';
import { copyInstalled } from '../../testing/vm/installed.ts';
import { decompress } from '../../packages/modules/io/inputs/decompress.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';

const log = (line: string) => process.stderr.write(`${line}\n`);
const image = await prepareImage(log);
const kernel = image.ok ? await prepareKernelFiles(log) : image;
const skip = kernel.ok ? false : kernel.error.reason;
if (!kernel.ok) log(`Skipping test/vm/modules.test.ts: ${kernel.error.reason}`);

const family = join(import.meta.dirname, '../../packages/modules/test/core/family');
/** A directory in the guest outside the tree, where a vendor's installer may leave modules. */
const vendor = '/root/vendor';
const moduleBytesMax = 64 * 2 ** 20;

/** Modules in the order in which they are loaded. A file is named for what is wrong with it. */
const sequence: readonly (readonly [file: string, base: string, ...edits: Edit[]])[] = [
  ['fam_plain', 'fam_plain'],
  ['again', 'fam_plain'],
  ['closed', 'fam_provider', setModinfoEntries('license', 'Proprietary')],
  ['heir', 'fam_plain_user'],
  ['thief', 'fam_gpl_user'],
  ['wrong_crc', 'fam_gpl', wrongCrc('synchronize_rcu')],
  ['no_export', 'fam_ns_user'],
  ['old', 'fam_gpl', modinfoBy('vermagic', (value) => value.replace('SMP ', ''))],
  ['lve', 'fam_plain', ...setNames('lve')],
  ['damaged', 'nls_cp437', flipped(0x48)],
];
/** Has the name of a module of the tree. */
const impostor = ['impostor', 'fam_plain', ...setNames('dummy')] as const;

interface Loaded {
  readonly result: 'load' | 'refuse';
  readonly errnoName: string | null;
  readonly taints: string;
  readonly messages: readonly string[];
}
interface Prediction {
  readonly modules: readonly {
    readonly file: string;
    readonly name: string;
    readonly loader: Loaded & { readonly kernelTaint: number };
  }[];
}

suite('kernel modules on a Debian host', { skip }, () => {
  const files = (kernel as { value: OracleKernelFiles }).value;
  let guest: Guest;
  const bulkhead = (words: string, options: { readonly user?: string } = {}) =>
    guest.run(`bulkhead modules ${words}`, { timeoutMs: longPatienceMilliseconds, ...options });
  const scanned = async (words: string) => {
    const { stdout, stderr, status } = await bulkhead(`scan ${words} --json`);
    assert.notEqual(stdout, '', stderr);
    return { report: JSON.parse(stdout) as ScanReport, stderr, status };
  };
  const tree = () => `/lib/modules/${files.release}`;

  before(
    async () => {
      const scratch = await makeRunDirectory();
      try {
        const [started] = await Promise.all([
          startGuest((image as { value: Image }).value),
          makeVendorDirectory(files, scratch.directory),
        ]);
        guest = started;
        await copyInstalled(guest);
        await guest.copyIn(join(scratch.directory, 'vendor'), vendor);
      } finally {
        scratch.remove();
      }
      assert.equal(await guest.succeed('uname -r'), `${files.release}\n`);
      await guest.succeed('useradd -m ann');
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => guest[Symbol.asyncDispose]());

  const loadedNow = async () =>
    (await guest.succeed('cat /proc/modules')).trimEnd().split('\n').map(procLine);
  /** Modules that were reported before anything but the modules was there. */
  let bare: ScanReport;

  test(
    'modules scan --running takes exports from the kernel, and predict by a user cannot',
    { timeout: longPatienceMilliseconds },
    async () => {
      const [{ report, stderr, status }, user, loaded] = await Promise.all([
        scanned('--running'),
        bulkhead('predict $(/usr/sbin/modinfo -n dummy)', { user: 'ann' }),
        loadedNow(),
      ]);
      bare = report;
      assert.equal(status, 0, stderr);
      assert.equal(report.kernel.exportsFrom, '/proc/kallsyms');
      assert.deepEqual(report.modules.map(plainName).sort(), loaded.map(({ name }) => name).sort());
      for (const { name, loader, signature } of report.modules) {
        assert.equal(loader.result, 'load', `${name}: ${loader.reasons.join('; ')}`);
        assert.equal(signature, 'unknown key', name);
        assert.match(loader.unknown.join('\n'), /holds the key/, name);
      }
      for (const missing of ['linux-headers', 'linux-image']) {
        assert.ok(stderr.includes(`"${missing}-${files.release}"`), stderr);
      }
      assert.match(stderr, /configuration .* is assumed/);

      assert.equal(user.status, 1);
      assert.match(user.stdout, /^dummy .*: loads, as far as is known/);
      assert.match(user.stdout, /symbols that it\s+needs were not looked up/);
      assert.match(user.stderr, /Cannot find the exports of kernel/);
      assert.match(user.stderr, /its addresses are hidden; run this as root/);
    },
  );

  test(
    "modules scan finds every module of the kernel's tree signed and loadable",
    { timeout: longPatienceMilliseconds },
    async () => {
      await copyPackages(guest, files);
      const { report, stderr, status } = await scanned('');
      assert.equal(stderr, '');
      assert.equal(status, 0);
      const listed = await guest.succeed(`find ${tree()}/ -name '*.ko.xz'`);
      assert.deepEqual(
        report.modules.map(({ file }) => `${file}\n`).sort(),
        listed.split(/(?<=\n)/).sort(),
      );
      const { modules } = report.counts;
      assert.deepEqual(report.counts, {
        modules,
        load: modules,
        tainting: 0,
        taintingUnlessTrusted: 0,
        refuse: 0,
        trustLevels: { ...noTrustLevels, signed: modules },
        denied: 0,
        rejected: 0,
        undecided: 0,
        problems: 0,
      });
      assert.match(report.kernel.exportsFrom, /Module\.symvers$/);
      // The running kernel shows the same exports as its headers.
      const gplOnly = new Map(report.modules.map((each) => [each.file, each.gplOnly]));
      for (const each of bare.modules) assert.deepEqual(each.gplOnly, gplOnly.get(each.file));
    },
  );

  test(
    'insmod gives the errno, taints and log lines that modules predict has printed',
    { timeout: longPatienceMilliseconds },
    async () => {
      const paths = sequence.map(([name]) => `${vendor}/${name}.ko`);
      const { stdout, stderr, status } = await bulkhead(`predict ${paths.join(' ')} --json`);
      assert.equal(stderr, '');
      assert.equal(status, 3);
      const predicted = (JSON.parse(stdout) as Prediction).modules;
      assert.deepEqual(
        predicted.map(({ file, loader }) => `${basename(file)} ${loader.errnoName ?? 'loads'}`),
        [
          'fam_plain.ko loads',
          'again.ko EEXIST',
          'closed.ko loads',
          'heir.ko loads',
          'thief.ko ENOENT',
          'wrong_crc.ko EINVAL',
          'no_export.ko ENOENT',
          'old.ko ENOEXEC',
          'lve.ko loads',
          'damaged.ko EKEYREJECTED',
        ],
      );
      for (const { file, name, loader } of predicted) {
        const seen = await insmod(guest, file, name);
        const { result, errnoName, taints, messages, kernelTaint } = loader;
        assert.deepEqual(
          seen,
          {
            errnoName,
            taints: result === 'load' ? taints : seen.taints,
            kernelTaint,
            messages: messages,
          },
          file,
        );
      }
    },
  );

  test(
    'modules scan --running matches loaded modules by build id, or reports them',
    { timeout: longPatienceMilliseconds },
    async () => {
      // The tree has a module of that name, too, but another one.
      await guest.succeed(`insmod ${vendor}/impostor.ko`);
      const [{ report, status }, loaded] = await Promise.all([scanned('--running'), loadedNow()]);
      assert.equal(status, 1);
      const problems = new Map(report.problems.map((each) => [each.file, each.message]));
      for (const name of ['fam_plain', 'fam_provider', 'fam_plain_user', 'lve']) {
        const letters = loaded.find((each) => each.name === name)?.taints;
        assert.equal(
          problems.get(name),
          `is loaded (taints ${letters}), and the tree of this kernel has no file of that name`,
        );
      }
      assert.match(
        [...problems].find(([file]) => file.endsWith('/dummy.ko.xz'))?.[1] ?? '',
        /^is loaded \(taints OE\), but not from the file of that name: their build ids differ$/,
      );
      assert.equal(problems.size, 5);
      const taints = new Map(report.modules.map((each) => [plainName(each), each.loader.taints]));
      const tied = loaded.filter(({ name }) => !name.startsWith('fam_') && !outside.has(name));
      assert.ok(tied.length >= 3);
      assert.deepEqual(taints, new Map(tied.map((each) => [each.name, each.taints])));
    },
  );

  test(
    'modules scan as an ordinary user reports unreadable files, and shows the rest',
    { timeout: longPatienceMilliseconds },
    async () => {
      // Only root can read images, as on Ubuntu.
      await guest.succeed(
        `mkdir /srv/drivers && cp ${vendor}/fam_plain.ko /srv/drivers && cp ${vendor}/lve.ko /srv/drivers &&
         chmod 600 /srv/drivers/lve.ko /boot/vmlinuz-*`,
      );
      const { stdout, stderr, status } = await bulkhead('scan /srv/drivers', { user: 'ann' });
      await guest.succeed('chmod 644 /boot/vmlinuz-*');
      assert.equal(status, 1);
      const lines = stderr.trimEnd().split('\n');
      assert.match(lines[0] ?? '', /Cannot read the kernel image "\/boot\/vmlinuz-.*permission/i);
      assert.match(lines[1] ?? '', /signatures cannot be verified/);
      assert.match(lines[2] ?? '', /^bulkhead: \/srv\/drivers\/lve\.ko: .*permission denied/i);
      assert.equal(lines.length, 3, stderr);
      assert.match(stdout, /^fam_plain +GPL +loads, taints OE /m);
      assert.match(stdout, /^1 module for Linux .*: 1 unsupported$/m);
      assert.match(stdout, /^1 problem, listed above$/m);
    },
  );

  test('explain prints what uses a module', { timeout: longPatienceMilliseconds }, async () => {
    const { stdout, stderr, status } = await bulkhead('explain af-alg');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^ {2}signature: good \(.*Build time autogenerated kernel key/m);
    assert.match(stdout, /^Trust level: signed$/m);
    assert.match(stdout, /^ {2}The kernel stays untainted$/m);
    const dependent = await guest.succeed(
      `modinfo -F filename -F depends af_alg; grep -o '[^/]*\\.ko\\.xz:.*af_alg' ${tree()}/modules.dep`,
    );
    const users = [...dependent.matchAll(/^(\S+)\.ko\.xz:/gm)].map(([, name]) => name);
    const logged = /^ {2}used by ([^]*?)\n\n/m.exec(stdout)?.[1] ?? '';
    assert.deepEqual(
      [...logged.matchAll(/([\w-]+) \(\d+\)/g)].map(([, name]) => name).sort(),
      users.sort(),
    );
    const exported = await guest.succeed(
      `grep -cP '\\tcrypto/af_alg\\t' /usr/src/linux-headers-${files.release}/Module.symvers`,
    );
    assert.match(stdout, new RegExp(`^ {2}It exports ${exported.trim()} symbols`, 'm'));
  });

  test(
    'modules deny keeps modprobe from a module, its users and its alias, until allow',
    { timeout: longPatienceMilliseconds },
    async () => {
      const tries = async () => {
        const { stdout } = await guest.run(
          `for name in af_alg net-pf-38 algif_hash; do
             modprobe $name; echo $name $? $(grep -c ^af_alg /proc/modules); modprobe -rq algif_hash af_alg
           done`,
        );
        return stdout;
      };
      const before = await guest.succeed('ls /etc/modprobe.d');
      assert.equal(await tries(), 'af_alg 0 1\nnet-pf-38 0 1\nalgif_hash 0 1\n');
      const denied = await bulkhead('deny af-alg');
      assert.equal(denied.status, 0, denied.stderr);
      assert.match(denied.stdout, /^Wrote \/etc\/modprobe\.d\/bulkhead\.conf$/m);
      assert.match(denied.stdout, /^ {2}module_blacklist=af_alg$/m);
      assert.match(await tries(), /^af_alg 1 0\nnet-pf-38 \d 0\nalgif_hash 1 0\n$/);
      await guest.succeed(`insmod $(modinfo -n af_alg) && rmmod af_alg`);
      assert.equal((await bulkhead('allow af_alg')).status, 0);
      assert.equal(await guest.succeed('ls /etc/modprobe.d'), before);
      assert.equal(await tries(), 'af_alg 0 1\nnet-pf-38 0 1\nalgif_hash 0 1\n');
    },
  );

  test(
    "modules scan exits with 3 when the policy's trust level is not reached",
    { timeout: longPatienceMilliseconds },
    async () => {
      await guest.succeed('mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml', {
        input: '<bulkhead version="1"><modules require="signed"/></bulkhead>\n',
      });
      const [unmet, met] = await Promise.all([
        bulkhead(`scan ${vendor}/fam_plain.ko`),
        bulkhead('scan $(modinfo -n dummy)'),
      ]);
      assert.equal(unmet.status, 3, unmet.stderr);
      assert.match(unmet.stdout, /^1 below the required trust level or denied by the policy$/m);
      assert.equal(met.status, 0, met.stderr);
    },
  );
});

const noTrustLevels = { contradicted: 0, unsupported: 0, consistent: 0, signed: 0, reproduced: 0 };
/** Modules, other than the family, that are loaded from outside the tree. */
const outside = new Set(['lve', 'dummy']);

const plainName = ({ name }: { readonly name: string }) => name.replaceAll('-', '_');

/** Parses a line of /proc/modules: `veth 45056 0 - Live 0xffffffffc0a1e000 (OE)`. */
function procLine(line: string): { readonly name: string; readonly taints: string } {
  const [name = ''] = line.split(' ');
  return { name, taints: /\(([A-Z]+)\)$/.exec(line)?.[1] ?? '' };
}

/** Loads a module, and returns the kernel's answer and messages. */
async function insmod(guest: Guest, file: string, name: string) {
  const text = await guest.succeed(
    `dmesg -C; strace -e trace=finit_module,init_module insmod ${file} 2>&1 | grep module\\(;
     cat /sys/module/${name}/taint || echo; cat /proc/sys/kernel/tainted; dmesg -t`,
  );
  const [call = '', taints = '', kernelTaint, ...messages] = text.trimEnd().split('\n');
  return {
    errnoName: / = -1 (E\w+)/.exec(call)?.[1] ?? null,
    taints,
    kernelTaint: Number(kernelTaint),
    messages: messages.filter((line) => !ofSlowMachine.test(line)),
  };
}

/** Lines of the kernel that come at any time where the processor is emulated. */
const ofSlowMachine = /^(clocksource|hrtimer|perf|rcu|sched|watchdog|workqueue): /;

/**
 * Copies files to their paths in Debian's linux-image and linux-headers; of the headers, only the files that
 * describe the kernel.
 */
async function copyPackages(
  guest: Guest,
  { release, image, headers }: OracleKernelFiles,
): Promise<void> {
  await guest.copyIn(image, `/boot/vmlinuz-${release}`);
  await guest.copyIn(join(dirname(image), `config-${release}`), `/boot/config-${release}`);
  for (const path of ['Module.symvers', 'include/config/kernel.release']) {
    await guest.copyIn(join(headers, path), `/usr/src/linux-headers-${release}/${path}`);
  }
}

/** Writes the modules of the sequence as files on this host. */
async function makeVendorDirectory(files: OracleKernelFiles, scratch: string): Promise<void> {
  const bases = await buildModules(files, family, scratch);
  const stored = await readFile(join(files.modules, 'kernel/fs/nls/nls_cp437.ko.xz'));
  const signed = decompress(new Uint8Array(stored), 'xz', moduleBytesMax);
  assert.ok(signed.ok);
  bases.set('nls_cp437', signed.value);
  await mkdir(join(scratch, 'vendor'));
  for (const [name, base, ...edits] of [...sequence, impostor]) {
    const bytes = bases.get(base);
    assert.ok(bytes, base);
    await writeFile(join(scratch, 'vendor', `${name}.ko`), editBytes(bytes, edits));
  }
}
