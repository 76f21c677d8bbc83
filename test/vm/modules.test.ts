/**
 * `bulkhead modules` as an administrator uses it, on a Debian host with systemd and its unmodified kernel: what
 * is in the tree, what is loaded, what insmod will do, and what modprobe is kept from.
 *
 * The first tests are of a host that has modules alone. Then it gets what Debian's packages bring: the kernel's
 * image, its configuration, the headers.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { ScanReport } from '../../src/modules/reports/report.ts';
import { buildModules } from '../../src/testing/oracle/build.ts';
import {
  applyEdits,
  flipped,
  modinfo,
  modinfoBy,
  named,
  wrongCrc,
  type Edit,
} from '../../src/testing/oracle/edits.ts';
import { prepareKernelFiles, type KernelFiles } from '../../src/testing/oracle/kernel-files.ts';
import { makeRunFolder } from '../../src/testing/vm/folders.ts';
import { startGuest, type Guest } from '../../src/testing/vm/guest.ts';
import { prepareImage, type Image } from '../../src/testing/vm/image.ts';
import { decompress } from '../../src/trust/decompress.ts';

const log = (line: string) => process.stderr.write(`${line}\n`);
const image = await prepareImage(log);
const kernel = image.ok ? await prepareKernelFiles(log) : image;
const skip = kernel.ok ? false : kernel.error;
if (!kernel.ok) log(`Skipping test/vm/modules.test.ts: ${kernel.error}`);

const family = join(import.meta.dirname, '../modules/family');
const minutes = (count: number) => count * 60_000;
/** In the guest: as a vendor's installer leaves modules about, outside the tree. */
const vendor = '/root/vendor';
const mostModuleBytes = 64 * 2 ** 20;

/** In the order in which they are loaded; the file is named for what is wrong with it. */
const sequence: readonly (readonly [file: string, base: string, ...edits: Edit[]])[] = [
  ['fam_plain', 'fam_plain'],
  ['again', 'fam_plain'],
  ['closed', 'fam_provider', modinfo('license', 'Proprietary')],
  ['heir', 'fam_plain_user'],
  ['thief', 'fam_gpl_user'],
  ['wrong_crc', 'fam_gpl', wrongCrc('synchronize_rcu')],
  ['no_export', 'fam_ns_user'],
  ['old', 'fam_gpl', modinfoBy('vermagic', (value) => value.replace('SMP ', ''))],
  ['lve', 'fam_plain', ...named('lve')],
  ['damaged', 'nls_cp437', flipped(0x48)],
];

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
  const files = (kernel as { value: KernelFiles }).value;
  let guest: Guest;
  const bulkhead = (words: string, options: { readonly user?: string } = {}) =>
    guest.run(`bulkhead modules ${words}`, { timeoutMs: minutes(3), ...options });
  const scanned = async (words: string) => {
    const { stdout, stderr, status } = await bulkhead(`scan ${words} --json`);
    assert.notEqual(stdout, '', stderr);
    return { report: JSON.parse(stdout) as ScanReport, stderr, status };
  };
  const tree = () => `/lib/modules/${files.release}`;

  before(
    async () => {
      const scratch = await makeRunFolder();
      try {
        const [started] = await Promise.all([
          startGuest((image as { value: Image }).value),
          makeVendorFolder(files, scratch.folder),
        ]);
        guest = started;
        await guest.copyProject();
        await guest.copyIn(join(scratch.folder, 'vendor'), vendor);
      } finally {
        scratch.remove();
      }
      assert.equal(await guest.succeed('uname -r'), `${files.release}\n`);
      await guest.succeed('ln -s /opt/bulkhead/bulkhead /usr/bin/bulkhead && useradd -m ann');
    },
    { timeout: minutes(4) },
  );
  after(() => guest[Symbol.asyncDispose]());
});

/** The modules of the sequence as files on this host. */
async function makeVendorFolder(files: KernelFiles, scratch: string): Promise<void> {
  const bases = await buildModules(files, family, scratch);
  const stored = await readFile(join(files.modules, 'kernel/fs/nls/nls_cp437.ko.xz'));
  const signed = decompress(new Uint8Array(stored), 'xz', mostModuleBytes);
  assert.ok(signed.ok);
  bases.set('nls_cp437', signed.value);
  await mkdir(join(scratch, 'vendor'));
  for (const [name, base, ...edits] of sequence) {
    const bytes = bases.get(base);
    assert.ok(bytes, base);
    await writeFile(join(scratch, 'vendor', `${name}.ko`), applyEdits(bytes, edits));
  }
}
