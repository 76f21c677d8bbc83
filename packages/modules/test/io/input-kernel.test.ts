/** Which kernel is judged for when none is named. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { kernelOfInputs } from '../../io/kernel/input-kernel.ts';
import { readKernel } from '../../io/kernel/read-kernel.ts';
import { elfFile, exportSections } from '../core/kernel/elf-file.ts';
import { tar } from '../core/packages/builders.ts';
import { temporaryDirectory } from '../../../../testing/temporary-directory.ts';

const release = '6.12.1-other';
const vermagic = `${release} SMP preempt mod_unload modversions `;
const vmlinux = elfFile([
  {
    name: '.rodata',
    bytes: Buffer.from(`\0Linux version ${release} (x)\0${vermagic}\0`),
    flags: 2,
  },
  ...exportSections([{ name: 'memcpy', crc: 1 }], [{ name: 'synchronize_rcu', crc: 2 }]),
]);
const moduleOf = (magic: string) =>
  elfFile(
    [
      { name: '.modinfo', bytes: Buffer.from(`license=GPL\0vermagic=${magic}\0`) },
      { name: '.gnu.linkonce.this_module', bytes: Buffer.alloc(1280) },
    ],
    1,
  );
const modules = (directory: string) => `${directory}/lib/modules/${release}`;

async function inTree(
  files: Readonly<Record<string, string | Uint8Array>>,
  run: (root: string, roots: Parameters<typeof kernelOfInputs>[1]) => Promise<void>,
): Promise<void> {
  using scratch = temporaryDirectory('input-kernel');
  const root = scratch.path;
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  const at = (path: string) => join(root, 'host', path);
  await run(root, {
    proc: at('proc'),
    sys: at('sys'),
    modules: at('lib/modules'),
    boot: at('boot'),
    sources: at('usr/src'),
  });
}

test('kernelOfInputs() uses the kernel of the given tree, also for a directory in it', async () => {
  const files = {
    [`tree/boot/vmlinuz-${release}`]: vmlinux,
    [`${modules('tree')}/kernel/a/a.ko`]: moduleOf(vermagic),
    [`${modules('tree')}/extra/b.ko`]: moduleOf(vermagic),
  };
  await inTree(files, async (root, roots) => {
    for (const path of ['tree', modules('tree'), `${modules('tree')}/extra`]) {
      using found = await kernelOfInputs([join(root, path)], roots);
      assert.equal(found?.release, release, path);
      const read = readKernel({ directories: found.directories, cmdline: '', roots });
      assert.ok(read.ok && read.value.kernel.exports.has('memcpy'), path);
    }
  });
});

test("kernelOfInputs() uses the host's kernel whose release all modules are for", async () => {
  const files = {
    'driver/a.ko': moduleOf(vermagic),
    [`host/lib/modules/${release}/kernel/x.ko`]: moduleOf(vermagic),
    [`host/boot/vmlinuz-${release}`]: vmlinux,
    'unknown/a.ko': moduleOf('6.1.0-9 SMP '),
    'mixed/1/a.ko': moduleOf(vermagic),
    'mixed/2/a.ko': moduleOf('6.1.0-9 SMP '),
  };
  await inTree(files, async (root, roots) => {
    using found = await kernelOfInputs([join(root, 'driver')], roots);
    assert.deepEqual(found?.directories, [join(root, 'host/lib/modules', release)]);
    using unknown = await kernelOfInputs([join(root, 'unknown')], roots);
    assert.deepEqual([unknown?.release, unknown?.directories], ['6.1.0-9', undefined]);
    for (const paths of [['mixed'], ['driver', 'unknown'], ['driver/a.ko'], ['missing']]) {
      using none = await kernelOfInputs(
        paths.map((path) => join(root, path)),
        roots,
      );
      assert.equal(none, undefined, paths.join(' '));
    }
  });
});

test('kernelOfInputs() unpacks the kernel from packages, and keeps its file names', async () => {
  const image = tar({ name: `boot/vmlinuz-${release}`, contents: vmlinux });
  const modules = tar(
    ...['a', 'b', 'c', 'd'].map((name) => ({
      name: `usr/lib/modules/${release}/kernel/${name}/${name}.ko`,
      contents: moduleOf(vermagic),
    })),
  );
  await inTree({ 'image.tar': image, 'modules.tar': modules }, async (root, roots) => {
    const paths = ['image.tar', 'modules.tar'].map((path) => join(root, path));
    using found = await kernelOfInputs(paths, roots);
    const read = readKernel({ directories: found?.directories, cmdline: '', roots });
    assert.ok(read.ok);
    assert.equal(read.value.kernel.structBytes, 1280);
    assert.equal(
      found?.renamed(read.value.kernel.exportsFrom),
      join(root, `image.tar!/boot/vmlinuz-${release}`),
    );
    using alone = await kernelOfInputs([join(root, 'modules.tar')], roots);
    assert.deepEqual([alone?.release, alone?.directories], [release, undefined]);
  });
});
