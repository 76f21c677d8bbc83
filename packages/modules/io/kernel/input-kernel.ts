/**
 * The one kernel that all modules of the input are for, if there is one. A package or an unpacked
 * tree of another kernel is judged for that kernel, not for the running one.
 *
 * Only a few modules of each input are sampled, so the answer is checked against what is read
 * afterwards.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { isModuleFile } from '../../core/record/module-file.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { type Archive, openArchive, readArchive } from '../inputs/archives.ts';
import { filesIn, type HostRoots } from './kernel-files.ts';
import { releaseOf, sampleBelow } from './module-sample.ts';

export interface InputKernel extends Disposable {
  readonly release: string;
  /** Directories for `readKernel`; undefined if nothing of that kernel is here. */
  readonly directories: readonly string[] | undefined;
  /** The directory of files unpacked from packages, until this is disposed of. */
  readonly copies: string;
  /** Returns a text in which unpacked files have the names of their origin. */
  readonly renamed: (text: string) => string;
}

interface Named {
  readonly release: string;
  readonly directory: string | undefined;
}

/** Finds the kernel of the inputs; undefined if they are for several, or do not state it. */
export async function kernelOfInputs(
  paths: readonly string[],
  roots: HostRoots,
): Promise<InputKernel | undefined> {
  const scratch = mkdtempSync(join(tmpdir(), 'bulkhead-kernel-'));
  const remove = () => rmSync(scratch, { recursive: true, force: true });
  const taken = new Map<string, string>();
  const named: Named[] = [];
  for (const path of paths) {
    const found = await namedBy(path, scratch, taken);
    if (found === undefined) break;
    named.push(found);
  }
  const [first] = named;
  if (
    first === undefined ||
    named.length < paths.length ||
    named.some(({ release }) => release !== first.release)
  ) {
    remove();
    return undefined;
  }
  return {
    release: first.release,
    directories: directoriesOf(first.release, named, roots),
    copies: scratch,
    renamed: (text) =>
      [...taken].reduce((now, [copy, origin]) => now.replaceAll(copy, origin), text),
    [Symbol.dispose]: remove,
  };
}

/** Returns directories from the inputs, else the host's for that release. */
function directoriesOf(
  release: string,
  named: readonly Named[],
  roots: HostRoots,
): readonly string[] | undefined {
  const own = [...new Set(named.flatMap(({ directory }) => directory ?? []))];
  const onHost = [join(roots.modules, release), join(roots.sources, `linux-headers-${release}`)];
  return [own, onHost.filter((each) => existsSync(each))].find((directories) => {
    const files = directories.length === 0 ? undefined : filesIn(directories);
    return files?.ok === true && files.value.images.length + files.value.symvers.length > 0;
  });
}

async function namedBy(
  path: string,
  scratch: string,
  taken: Map<string, string>,
): Promise<Named | undefined> {
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  if (isDirectory === undefined) return undefined;
  if (isDirectory) return namedByDirectory(resolve(path));
  const found = await takeKernel(path, scratch, taken);
  return found.ok ? found.value : undefined;
}

function namedByDirectory(directory: string): Named | undefined {
  const tree = filesIn([directory]);
  const root = tree.ok ? tree.value.moduleDirectory : undefined;
  const { facts, files } = sampleBelow(root === undefined ? directory : join(root, 'kernel'));
  const releases = new Set(facts.map(({ vermagic }) => releaseOf(vermagic)));
  const [release] = releases;
  if (files.length === 0 || releases.size > 1 || release === undefined) return undefined;
  return { release, directory: treeAround(directory, release) };
}

/** Returns `/lib/modules/RELEASE` for a directory below it. */
function treeAround(directory: string, release: string): string {
  for (let each = directory; dirname(each) !== each; each = dirname(each)) {
    if (basename(each) === release && basename(dirname(each)) === 'modules') return each;
  }
  return directory;
}

const kernelFile =
  /^(?:boot\/(?:vmlinu[xz]|Image|config)-([^/]+)|(?:usr\/)?lib\/modules\/([^/]+)\/(?:vmlinuz|config|modules\.builtin))$/;
const image = /(?:^|\/)(?:vmlinu[xz]|Image)(?:-[^/]+)?$/;
const moduleIn = /^(?:usr\/)?lib\/modules\/([^/]+)\/kernel\//;
/** The number of modules to unpack: enough for the size of `struct module`. */
const modulesWanted = 3;

/**
 * Unpacks the parts of a kernel from an archive into the directory, and stops as soon as there is
 * enough.
 */
async function takeKernel(
  path: string,
  scratch: string,
  taken: Map<string, string>,
): Promise<Result<Named, Cause>> {
  const opened = await openArchive(path);
  if (!opened.ok) return opened;
  if (opened.value === 'not an archive') return fail({ reason: 'it is not an archive' });
  using archive = opened.value;
  const releases = new Set<string>();
  const has = { image: false, modules: 0 };
  const wants = (name: string) =>
    kernelFile.test(name) ||
    (has.modules < modulesWanted && moduleIn.test(name) && isModuleFile(name));
  for await (const item of readArchive(archive, wants)) {
    if (item.kind === 'problem') continue;
    const { path: name, contents } = item;
    const [, inBoot, inTree] = kernelFile.exec(name) ?? [];
    releases.add(inBoot ?? inTree ?? moduleIn.exec(name)?.[1] ?? '');
    if (image.test(name)) has.image = true;
    if (moduleIn.test(name)) has.modules += 1;
    const to = join(scratch, name);
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, contents);
    taken.set(to, `${path}!/${name}`);
    if (isEnough(archive, has)) break;
  }
  const [release] = releases;
  if (release === undefined || releases.size > 1)
    return fail({ reason: 'it has modules of several kernels or of none' });
  return ok({ release, directory: scratch });
}

/**
 * Whether enough was unpacked: in a .deb an image comes before the modules, in an .rpm after them.
 */
const isEnough = (
  archive: Archive,
  { image: hasImage, modules }: { readonly image: boolean; readonly modules: number },
): boolean =>
  modules >= modulesWanted &&
  (hasImage || !(archive.kind === 'rpm' && archive.package?.name.startsWith('kernel') === true));
