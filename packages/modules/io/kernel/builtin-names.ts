/**
 * Names of built-in code: entries of /sys/module without a loaded module if the kernel runs here,
 * else the names in its image. The list of built-in modules in the module directory adds more.
 *
 *   modules.builtin    kernel/drivers/char/virtio_console.ko
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../../../base/io/read.ts';
import type { Builtins } from '../../core/kernel/kernel.ts';
import { bareName } from '../../core/record/module-file.ts';
import { plainName } from '../../core/record/module.ts';

interface BuiltinPlaces {
  readonly moduleDirectory: string | undefined;
  /** `/sys` of the kernel if it is the running one. */
  readonly sys: string | undefined;
  readonly inImage: readonly string[] | undefined;
}

/** Collects the names; undefined if none are known. */
export function builtinNames({
  moduleDirectory,
  sys,
  inImage,
}: BuiltinPlaces): Builtins | undefined {
  const present = [...(inImage ?? []), ...(sys === undefined ? [] : withoutModule(sys))];
  const possible =
    moduleDirectory === undefined ? [] : listed(join(moduleDirectory, 'modules.builtin'));
  if (present.length === 0 && possible.length === 0) return undefined;
  return { present: new Set(present), possible: new Set(possible) };
}

/** Returns names without a module: only loaded modules have a state. */
function withoutModule(sys: string): readonly string[] {
  const directory = join(sys, 'module');
  try {
    return readdirSync(directory).filter((name) => !existsSync(join(directory, name, 'initstate')));
  } catch {
    return [];
  }
}

const listed = (path: string): readonly string[] =>
  (readText(path) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => plainName(bareName(line)));
