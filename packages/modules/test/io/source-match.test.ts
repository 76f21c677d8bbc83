/**
 * Source that is known to be the source: Debian's own for every module of its cloud kernel, and a package for
 * DKMS for the module that is built from it here. And with one byte changed, it is not.
 */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { modinfo } from '../../core/record/module.ts';
import type { SourceMatch } from '../../core/source/match-result.ts';
import {
  editBytes,
  setModinfoEntries as setModinfo,
  type Edit,
} from '../../../../testing/oracle/edits.ts';
import { buildModules } from '../../../../testing/oracle/build.ts';
import {
  prepareKernelFiles,
  type OracleKernelFiles,
} from '../../../../testing/oracle/kernel-files.ts';
import { collectInputs } from '../../io/inputs/inputs.ts';
import { findKernelBuild, type KernelBuild } from '../../io/kernel/kernel-build.ts';
import { matchAll, openOffered, readFunctions } from '../../io/source/match-files.ts';
import { openOfferedSource } from '../../io/source/offered-source.ts';
import { bareName } from '../../core/record/module-file.ts';
import { readAll, type ScannedFile } from '../../io/scan/read-modules.ts';
import { kernelSource, packageFile } from './debian-packages.ts';
import { patienceMilliseconds } from '../../../../testing/patience.ts';
import { formatProblem } from '../../../base/problem.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

const kernel = await prepareKernelFiles((line) => console.log(`# ${line}`));
const noKernel = kernel.ok ? false : kernel.error.reason;
const files = (kernel as { value: OracleKernelFiles }).value;
const source = kernel.ok ? await kernelSource(files.image) : undefined;
const noSource = source?.ok === false ? `no source of the kernel: ${source.error.reason}` : false;
const dkms = kernel.ok ? await packageFile('v4l2loopback-dkms') : undefined;
const noDkms = dkms?.ok === false ? `no package v4l2loopback-dkms: ${dkms.error.reason}` : false;
const scratch = suiteDirectory('match');

function kernelBuild(): KernelBuild {
  const build = findKernelBuild(files.release, [files.headers]);
  assert.ok(build.ok, build.ok ? '' : formatProblem(build.error));
  return build.value;
}

async function read(path: string): Promise<readonly ScannedFile[]> {
  const options = { cacheAs: undefined, deep: false, onRead: () => {} };
  const keys = { kernel: [], given: [] };
  const { entries, problems } = await readAll(collectInputs([path]), keys, options);
  assert.deepEqual(problems, []);
  return entries;
}

async function matchDirectory(
  entries: readonly ScannedFile[],
  directory: string,
  build: KernelBuild,
): Promise<ReadonlyMap<string, SourceMatch>> {
  const offered = openOffered(directory, { build });
  assert.ok(offered.ok, offered.ok ? '' : formatProblem(offered.error));
  const functions = offered.value.kind === 'external' ? await readFunctions(entries) : new Map();
  return matchAll(
    entries.map((each) => each.module),
    offered.value,
    undefined,
    functions,
  );
}

suite("the kernel's own source", { skip: noKernel || noSource }, async () => {
  if (source?.ok !== true) return;
  const entries = await read(join(files.modules, 'kernel'));
  const matches = await matchDirectory(entries, source.value, kernelBuild());
  const named = (wanted: (match: SourceMatch) => boolean) =>
    entries.flatMap(({ file }) => {
      const match = matches.get(file)!;
      return wanted(match) ? [`${bareName(file)}: ${match.reasons.join('; ')}`] : [];
    });

  test("differs from none of the kernel's modules", (context) => {
    context.diagnostic(`${entries.length} modules, ${matches.size} compared`);
    assert.ok(entries.length > 1000);
    assert.equal(matches.size, entries.length);
    assert.deepEqual(
      named((match) => match.outcome === 'differs'),
      [],
    );
  });

  test('is consistent with every module with a srcversion, except cifs', (context) => {
    const claiming = entries.filter(({ module }) => modinfo(module, 'srcversion') !== undefined);
    assert.ok(claiming.length > 50);
    const open = named(
      ({ outcome, srcversion }) => outcome !== 'consistent' && srcversion.claimed !== undefined,
    );
    context.diagnostic(`${claiming.length - open.length} of ${claiming.length} consistent`);
    // The ASN.1 compiler of the kernel's build makes a source of it that no package has.
    assert.equal(open.length, 1, open.join('\n'));
    assert.match(open[0]!, /^cifs: .*generated.*cifs_spnego_negtokeninit/);
  });

  test('has every object of every module', () => {
    for (const { file } of entries) {
      const { directory, objects, compilers } = matches.get(file)!;
      assert.notEqual(directory, undefined, file);
      assert.ok(objects.length > 0, file);
      assert.equal(compilers.inModule, compilers.inMakefile, file);
    }
  });
});

suite(
  'the source in a DKMS package',
  { skip: noKernel || noDkms, timeout: patienceMilliseconds },
  () => {
    test('matches the module built from it, and differs when one byte changes', async () => {
      assert.ok(dkms?.ok === true);
      const opened = await openOfferedSource(dkms.value);
      assert.ok(opened.ok, opened.ok ? '' : formatProblem(opened.error));
      using offered = opened.value;
      assert.deepEqual(offered.notes, []);
      // The cloud kernel has no V4L2 to load it with, which does not matter here.
      const built = await buildModules(files, offered.path, scratch, ['KBUILD_MODPOST_WARN=1']);
      const module = join(scratch, 'v4l2loopback.ko');
      writeFileSync(module, built.get('v4l2loopback')!);
      const [entry] = await read(module);
      const build = kernelBuild();
      const outcome = async (directory: string) =>
        (await matchDirectory([entry!], directory, build)).get(module)!;

      const same = await outcome(offered.path);
      assert.equal(same.outcome, 'consistent', same.reasons.join('\n'));
      assert.deepEqual(
        same.srcversion.files.filter((each) => each.endsWith('.c')),
        ['v4l2loopback.c'],
      );
      for (const file of same.srcversion.files) {
        const other = await outcome(withByteChanged(offered.path, file));
        assert.equal(other.outcome, 'differs', file);
        assert.match(other.reasons[0]!, /srcversion of the offered source is/);
      }
    });
  },
);

const bulkhead = new URL('../../../../bulkhead', import.meta.url).pathname;

/** Returns the source of a module of two functions, or with more that its offered source does not have. */
const twice = (more: string): string => `#include <linux/module.h>
int twice_of(int number);
int twice_of(int number) { return 2 * number; }
${more}
static int __init twice_init(void) { return 0; }
module_init(twice_init);
static void __exit twice_exit(void) { kfree(kmalloc(twice_of(1), GFP_KERNEL)); }
module_exit(twice_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Doubles");
MODULE_VERSION("1");
`;
const hidden = ['quodlibet', 'vexillum', 'xylophone', 'zygomorph'];
const secrets = hidden
  .map((name) => `static noinline int ${name}(int n) { return twice_of(n); }`)
  .concat(`int (*volatile secrets[])(int) = { ${hidden.join(', ')} };`)
  .join('\n');

suite(
  'the source of a module for a kernel that does not run here',
  { skip: noKernel, timeout: patienceMilliseconds },
  () => {
    const root = join(files?.headers ?? '', '../../..');
    const sources = (name: string, text: string) => {
      const directory = join(scratch, name);
      mkdirSync(directory);
      writeFileSync(join(directory, 'Makefile'), 'obj-m := twice.o\n');
      writeFileSync(join(directory, 'twice.c'), text);
      return directory;
    };
    const source = sources('honest', twice(''));
    const hiding = sources('hiding', twice(secrets));
    const built = async (directory: string, name: string, edits: readonly Edit[] = []) => {
      const place = join(scratch, name);
      mkdirSync(place);
      const modules = await buildModules(files, directory, place);
      const module = join(place, 'twice.ko');
      writeFileSync(module, editBytes(modules.get('twice')!, edits));
      return module;
    };
    const match = (module: string, ...more: readonly string[]) => {
      const words = ['modules', 'match', module, '--source', source, '--no-cache', ...more];
      const { stdout, stderr, status } = spawnSync(bulkhead, words, { encoding: 'utf8' });
      return { stdout: stdout.replaceAll(/\s+/g, ' '), stderr, status };
    };

    test('modules match exits with 4 while function names cannot be compared', async () => {
      const honest = await built(source, 'as-honest');
      const [entry] = await read(honest);
      const srcversion = modinfo(entry!.module, 'srcversion')!;
      const borrowed = await built(hiding, 'borrowed', [setModinfo('srcversion', srcversion)]);

      const unknown = match(borrowed);
      assert.equal(unknown.status, 4, unknown.stdout);
      assert.match(
        unknown.stdout,
        /^twice: undecided.*headers of its kernel, "6\.[^"]+", are missing/,
      );
      assert.match(unknown.stderr, /Cannot find the headers of kernel "6\./);
      const decided = match(borrowed, '--kernel', root);
      assert.equal(decided.status, 3, decided.stderr);
      assert.match(decided.stdout, /^twice: differs.*"quodlibet"/);

      const right = match(honest, '--kernel', root);
      assert.deepEqual([right.status, right.stderr], [0, ''], right.stdout);

      // A function cannot be found missing if names are stripped.
      const stripped = join(scratch, 'borrowed/stripped/twice.ko');
      mkdirSync(join(scratch, 'borrowed/stripped'));
      execFileSync('strip', ['--strip-unneeded', '-o', stripped, borrowed]);
      const nameless = match(stripped, '--kernel', root);
      assert.equal(nameless.status, 4, nameless.stdout);
      assert.match(nameless.stdout, /bytes of its code belong to no named function/);
    });
  },
);

/** Copies the source, and changes the first letter of the first declaration in a file. */
function withByteChanged(directory: string, file: string): string {
  const copy = mkdtempSync(join(scratch, 'source-'));
  cpSync(directory, copy, { recursive: true });
  const path = join(copy, file);
  const text = readFileSync(path, 'latin1');
  const changed = text.replace(/^(\s*)(?:s(?=tatic |truct )|e(?=num ))/m, '$1Q');
  assert.notEqual(changed, text, file);
  writeFileSync(path, changed, 'latin1');
  return copy;
}
