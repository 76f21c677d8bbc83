/** The directory of a source in which a module is built. */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { quoted } from '../../../base/io/errno.ts';
import { readText } from '../../../base/io/read.ts';
import { bareName, isModuleFile } from '../../core/record/module-file.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

const directoriesMax = 20_000;
const depthMax = 16;
const makefileBytesMax = 2 ** 20;

/** Whether it is the source of a whole kernel. */
export const isKernelTree = (directory: string): boolean =>
  ['Kbuild', 'init/main.c', 'scripts/Kbuild.include'].every((path) =>
    isFile(join(directory, path)),
  );

/**
 * Returns the module's file name: `coretemp` of
 * `/lib/modules/6.12/kernel/drivers/hwmon/coretemp.ko.xz`.
 */
export function moduleFileName(file: string): string | undefined {
  const name = bareName(file);
  return isModuleFile(file) && /^[\w.+-]{1,200}$/.test(name) ? name : undefined;
}

/**
 * Returns the directory of a module in the kernel's source, relative to it. Modules lie below
 * /lib/modules as in the source; otherwise the directory whose makefile names the module counts.
 */
export function directoryInTree(tree: string, file: string): Result<string, Cause> {
  const byPlace = placeInTree(file);
  if (byPlace !== undefined && makefileOf(join(tree, byPlace)) !== undefined) {
    return isWithin(tree, byPlace)
      ? ok(byPlace)
      : fail({ reason: `${quoted(join(tree, byPlace))} leads outside the source` });
  }
  const name = moduleFileName(file) ?? '';
  const named = objectPattern(name);
  for (const directory of directoriesOf(tree)) {
    if (namesObject(makefileOf(join(tree, directory)) ?? '', named)) return ok(directory);
  }
  return fail({ reason: `no makefile in ${quoted(tree)} builds ${quoted(`${name}.ko`)}` });
}

/**
 * Returns the directory to build in an external module's source. It is the one whose makefile names
 * the module, or above it the topmost with a makefile for kernel modules. If no makefile names the
 * module, it is the topmost with such a makefile.
 */
export function directoryOfExternal(source: string, name: string): Result<string, Cause> {
  const named = objectPattern(name);
  const builders: string[] = [];
  for (const directory of directoriesOf(source)) {
    const makefile = makefileOf(join(source, directory)) ?? '';
    if (!/^[ \t]*obj-(?:m|\$)/m.test(makefile)) continue;
    builders.push(directory);
    if (namesObject(makefile, named))
      return ok(builders.find((each) => isAbove(each, directory)) ?? directory);
  }
  const [topmost] = builders;
  return topmost === undefined
    ? fail({ reason: `no makefile in ${quoted(source)} builds a kernel module` })
    : ok(topmost);
}

const isAbove = (above: string, directory: string): boolean =>
  above === '.' || directory === above || directory.startsWith(`${above}/`);

function placeInTree(file: string): string | undefined {
  const place = /\/lib\/modules\/[^/]+\/kernel\/(.+)\/[^/]+$/.exec(`/${file}`)?.[1];
  const parts = place?.split('/') ?? [];
  return parts.some((each) => each === '' || each === '.' || each === '..') ? undefined : place;
}

/**
 * Returns a pattern for the module's object: hyphens and underscores are the same in a module's
 * name.
 */
function objectPattern(name: string): RegExp {
  const pattern = name.replaceAll(/[.+]/g, '\\$&').replaceAll(/[-_]/g, '[-_]');
  return new RegExp(String.raw`^[ \t]*obj-[^\s=]+[ \t]*[+:?]?=.*(?<![\w/-])${pattern}\.o\b`);
}

/**
 * Whether a makefile names the object. It is searched line by line: over a whole file of hostile
 * lines, such a pattern would take quadratic time.
 */
const namesObject = (makefile: string, named: RegExp): boolean =>
  makefile
    .replaceAll('\\\n', ' ')
    .split('\n')
    .some((line) => named.test(line));

/** Returns the makefile's text; Kbuild takes precedence over Makefile. */
function makefileOf(directory: string): string | undefined {
  for (const name of ['Kbuild', 'Makefile']) {
    const path = join(directory, name);
    if (isFile(path)) return readText(path);
  }
  return undefined;
}

function isFile(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && stat.isFile() && stat.size <= makefileBytesMax;
}

/** Yields all directories, relative, those near the top first; no link is followed. */
function* directoriesOf(root: string): Generator<string> {
  let level = [''];
  let count = 0;
  for (let depth = 0; depth < depthMax && level.length > 0; depth++) {
    const next: string[] = [];
    for (const directory of level) {
      if (++count > directoriesMax) return;
      yield directory === '' ? '.' : directory;
      next.push(...subdirectories(root, directory));
    }
    level = next;
  }
}

function subdirectories(root: string, directory: string): readonly string[] {
  try {
    return readdirSync(join(root, directory), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => join(directory, name))
      .sort();
  } catch {
    return [];
  }
}

function isWithin(root: string, directory: string): boolean {
  const real = realpathSync(root);
  return realpathSync(join(root, directory)).startsWith(real === '/' ? real : `${real}/`);
}

/**
 * Returns the directory to build so that the makefiles above a module's directory take effect:
 * `subdir-ccflags-y` applies to all directories below.
 */
export function directoryToBuild(tree: string, directory: string): string {
  const parts = directory.split('/');
  for (let length = 1; length < parts.length; length++) {
    const above = parts.slice(0, length).join('/');
    if (/^[ \t]*subdir-[ac]\w*flags-/m.test(makefileOf(join(tree, above)) ?? '')) return above;
  }
  return directory;
}
