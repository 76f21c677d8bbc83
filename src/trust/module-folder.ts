/** Which folder of a source a module is built in. */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { quoted } from '../host/errno.ts';
import { readText } from '../host/read.ts';
import { bareName, isModuleFile } from '../modules/module-file.ts';
import { fail, ok, type Result } from '../units/result.ts';

const foldersMax = 20_000;
const depthMax = 16;
const makefileBytesMax = 2 ** 20;

/** Whether it is the source of a whole kernel. */
export const isKernelTree = (folder: string): boolean =>
  ['Kbuild', 'init/main.c', 'scripts/Kbuild.include'].every((path) => isFile(join(folder, path)));

/** `coretemp` of `/lib/modules/6.12/kernel/drivers/hwmon/coretemp.ko.xz`. */
export function moduleFileName(file: string): string | undefined {
  const name = bareName(file);
  return isModuleFile(file) && /^[\w.+-]{1,200}$/.test(name) ? name : undefined;
}

/**
 * The folder of a module in the kernel's source, relative to it: from its place below /lib/modules, where
 * each module lies as in the source, else the folder whose makefile names it.
 */
export function folderInTree(tree: string, file: string): Result<string> {
  const byPlace = placeInTree(file);
  if (byPlace !== undefined && makefileOf(join(tree, byPlace)) !== undefined) {
    return isWithin(tree, byPlace)
      ? ok(byPlace)
      : fail(`${quoted(join(tree, byPlace))} leads outside the source`);
  }
  const name = moduleFileName(file) ?? '';
  const named = objectPattern(name);
  for (const folder of foldersOf(tree)) {
    if (namesObject(makefileOf(join(tree, folder)) ?? '', named)) return ok(folder);
  }
  return fail(`no makefile in ${quoted(tree)} builds ${quoted(`${name}.ko`)}`);
}

/**
 * The folder of an external module's source to build: the one whose makefile names it, or the topmost above
 * that whose makefile is one for kernel modules; without such a name, the topmost at all.
 */
export function folderOfExternal(source: string, name: string): Result<string> {
  const named = objectPattern(name);
  const builders: string[] = [];
  for (const folder of foldersOf(source)) {
    const makefile = makefileOf(join(source, folder)) ?? '';
    if (!/^[ \t]*obj-(?:m|\$)/m.test(makefile)) continue;
    builders.push(folder);
    if (namesObject(makefile, named))
      return ok(builders.find((each) => isAbove(each, folder)) ?? folder);
  }
  const [topmost] = builders;
  return topmost === undefined
    ? fail(`no makefile in ${quoted(source)} builds a kernel module`)
    : ok(topmost);
}

const isAbove = (above: string, folder: string): boolean =>
  above === '.' || folder === above || folder.startsWith(`${above}/`);

function placeInTree(file: string): string | undefined {
  const place = /\/lib\/modules\/[^/]+\/kernel\/(.+)\/[^/]+$/.exec(`/${file}`)?.[1];
  const parts = place?.split('/') ?? [];
  return parts.some((each) => each === '' || each === '.' || each === '..') ? undefined : place;
}

/** Hyphens and underscores are the same in a module's name. */
function objectPattern(name: string): RegExp {
  const pattern = name.replaceAll(/[.+]/g, '\\$&').replaceAll(/[-_]/g, '[-_]');
  return new RegExp(String.raw`^[ \t]*obj-[^\s=]+[ \t]*[+:?]?=.*(?<![\w/-])${pattern}\.o\b`);
}

/** Line by line: over a whole file of hostile lines, such a pattern would take quadratic time. */
const namesObject = (makefile: string, named: RegExp): boolean =>
  makefile
    .replaceAll('\\\n', ' ')
    .split('\n')
    .some((line) => named.test(line));

/** Kbuild goes before Makefile. */
function makefileOf(folder: string): string | undefined {
  for (const name of ['Kbuild', 'Makefile']) {
    const path = join(folder, name);
    if (isFile(path)) return readText(path);
  }
  return undefined;
}

function isFile(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.isFile() && stat.size <= makefileBytesMax;
}

/** All folders, relative, those near the top first; no link is followed. */
function* foldersOf(root: string): Generator<string> {
  let level = [''];
  let count = 0;
  for (let depth = 0; depth < depthMax && level.length > 0; depth++) {
    const next: string[] = [];
    for (const folder of level) {
      if (++count > foldersMax) return;
      yield folder === '' ? '.' : folder;
      next.push(...subfolders(root, folder));
    }
    level = next;
  }
}

function subfolders(root: string, folder: string): readonly string[] {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => join(folder, name))
      .sort();
  } catch {
    return [];
  }
}

function isWithin(root: string, folder: string): boolean {
  const real = realpathSync(root);
  return realpathSync(join(root, folder)).startsWith(real === '/' ? real : `${real}/`);
}

/**
 * The folder to build so that the makefiles above a module's folder have their say: `subdir-ccflags-y`
 * holds for all folders below.
 */
export function folderToBuild(tree: string, folder: string): string {
  const parts = folder.split('/');
  for (let length = 1; length < parts.length; length++) {
    const above = parts.slice(0, length).join('/');
    if (/^[ \t]*subdir-[ac]\w*flags-/m.test(makefileOf(join(tree, above)) ?? '')) return above;
  }
  return folder;
}
