/**
 * A directory of somebody's source, read-only: no symbolic link leads out of it, files and
 * directories are bounded, and only regular files exist.
 */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { SourceTree } from '../../core/source/source-tree.ts';
import { readBounded } from '../../../base/io/regular-file.ts';

const namesMax = 100_000;
const fileBytesMax = 4 * 1024 * 1024;

/** Opens the directory; undefined when there is none, or it may not be read. */
export function sourceDirectory(root: string): SourceTree | undefined {
  const real = realPath(root);
  if (real === undefined) return undefined;
  const inside = (path: string): string | undefined => {
    const found = realPath(join(real, path));
    return found === real || found?.startsWith(real === sep ? sep : real + sep) ? found : undefined;
  };
  return {
    list: (directory) => {
      const path = inside(directory);
      return path === undefined ? undefined : listDirectory(path, inside, directory);
    },
    read: (path) => {
      const found = inside(path);
      return found === undefined ? undefined : readSource(found);
    },
  };
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function listDirectory(
  path: string,
  inside: (path: string) => string | undefined,
  directory: string,
): readonly string[] | undefined {
  try {
    const names: string[] = [];
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (names.length >= namesMax) break;
      if (entry.isFile()) names.push(entry.name);
      else if (entry.isDirectory()) names.push(`${entry.name}/`);
      else if (entry.isSymbolicLink())
        names.push(...linked(inside(join(directory, entry.name)), entry.name));
    }
    return names;
  } catch {
    return undefined;
  }
}

function linked(target: string | undefined, name: string): readonly string[] {
  if (target === undefined) return [];
  const status = statSync(target, { throwIfNoEntry: false });
  if (status?.isFile() === true) return [name];
  return status?.isDirectory() === true ? [`${name}/`] : [];
}

/** Reads a file; one larger than any source counts as missing. */
function readSource(path: string): Uint8Array | undefined {
  const bytes = readBounded(path, fileBytesMax);
  return bytes.ok ? bytes.value : undefined;
}
