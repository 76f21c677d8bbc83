/**
 * The Debian packages of installed files, from dpkg's lists (`info/NAME[:ARCH].list`, a path a
 * line). They are read once, when first needed; only paths that can be a module or a module's
 * source are kept.
 */
import { isModuleFile } from '../../core/record/module-file.ts';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bytesAsText } from '../../core/elf/bytes.ts';
import { readCopyright, type LicenseStatement } from '../../core/packages/copyright.ts';
import { debControl, paragraphsOf } from '../../core/packages/deb.ts';
import { openFile } from './archive-files.ts';

interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly license: LicenseStatement | undefined;
}

export interface InstalledPackages {
  readonly ownerOf: (path: string) => InstalledPackage | undefined;
}

const maxListBytes = 64 * 1024 ** 2;
const maxStatusBytes = 256 * 1024 ** 2;
const maxCopyrightBytes = 8 * 1024 ** 2;

/**
 * Finds packages. `dpkg` is /var/lib/dpkg, `documents` is /usr/share/doc. Without them, no file has
 * an owner.
 */
export function installedPackages(dpkg: string, documents: string): InstalledPackages {
  let owners: ReadonlyMap<string, string> | undefined;
  let status: ReadonlyMap<string, string> | undefined;
  const packages = new Map<string, InstalledPackage>();
  return {
    ownerOf: (path) => {
      owners ??= readOwners(join(dpkg, 'info'));
      const owner = owners.get(unmerged(path));
      if (owner === undefined) return undefined;
      status ??= readStatus(join(dpkg, 'status'));
      const found = packages.get(owner) ?? describe(owner, status, documents);
      packages.set(owner, found);
      return found;
    },
  };
}

/** Returns the path with /lib for /usr/lib: the two are one directory, and lists have either. */
const unmerged = (path: string) => path.replace(/^\/usr\/lib\//, '/lib/');

const isKept = (path: string) => isModuleFile(path) || path.endsWith('/dkms.conf');

function readOwners(info: string): ReadonlyMap<string, string> {
  const owners = new Map<string, string>();
  for (const file of listsIn(info)) {
    const bytes = readFile(join(info, file), maxListBytes);
    // Most packages hold no such file: searching the bytes is quicker than parsing the text.
    if (bytes === undefined || !(bytes.includes('.ko') || bytes.includes('/dkms.conf'))) continue;
    const name = file.slice(0, -'.list'.length);
    for (const path of bytes.toString('utf8').split('\n')) {
      if (isKept(path)) owners.set(unmerged(path), name);
    }
  }
  return owners;
}

function listsIn(info: string): readonly string[] {
  try {
    return readdirSync(info)
      .filter((name) => name.endsWith('.list'))
      .sort();
  } catch {
    return [];
  }
}

function readFile(path: string, max: number): Buffer | undefined {
  const opened = openFile(path, 'refuse');
  if (!opened.ok) return undefined;
  using file = opened.value;
  if (file.bytes > max) return undefined;
  return Buffer.from(file.readAt(0, file.bytes));
}

/** Reads dpkg's status: `name` and `name:architecture` → its paragraph. */
function readStatus(path: string): ReadonlyMap<string, string> {
  const paragraphs = new Map<string, string>();
  for (const text of readFile(path, maxStatusBytes)?.toString('utf8').split('\n\n') ?? []) {
    const name = /^Package: (\S+)$/m.exec(text)?.[1];
    if (name === undefined) continue;
    paragraphs.set(name, text);
    paragraphs.set(`${name}:${/^Architecture: (\S+)$/m.exec(text)?.[1] ?? ''}`, text);
  }
  return paragraphs;
}

function describe(
  owner: string,
  status: ReadonlyMap<string, string>,
  documents: string,
): InstalledPackage {
  const [name = owner] = owner.split(':', 1);
  const paragraph = status.get(owner) ?? status.get(name);
  const license = licenseIn(join(documents, name, 'copyright'));
  try {
    return { ...debControl(paragraphsOf(paragraph ?? '')[0]), license };
  } catch {
    return { name, version: '', architecture: '', license };
  }
}

function licenseIn(path: string): LicenseStatement | undefined {
  const bytes = readFile(path, maxCopyrightBytes);
  return bytes === undefined ? undefined : readCopyright(bytesAsText(bytes));
}
