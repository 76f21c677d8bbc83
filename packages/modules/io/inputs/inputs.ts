/**
 * The kernel modules that a command reads: from files, directories, packages that are not
 * installed, tarballs, and DKMS trees. The order is deterministic. A file that cannot be read is a
 * problem among them, and the rest still comes.
 */
import { isModuleFile } from '../../core/record/module-file.ts';
import { realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { reasonOf } from '../../../base/io/errno.ts';
import { bytesAsText } from '../../core/elf/bytes.ts';
import { readCopyright, type LicenseStatement } from '../../core/packages/copyright.ts';
import { formatCause, type Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { openFile } from './archive-files.ts';
import {
  type Archive,
  type ArchiveLimits,
  archiveLimits,
  openArchive,
  readArchive,
} from './archives.ts';
import { type DkmsOrigin, dkmsConfIn, type DkmsTree, dkmsTree } from '../source/dkms.ts';
import { installedPackages, type InstalledPackages } from './installed-package.ts';
import { causedBy } from '../../../base/problem.ts';
import { type WalkEntry, walk, type WalkLimits, walkLimits } from '../../../base/io/walk.ts';

export interface Input {
  readonly kind: 'module';
  /** The path; in an archive `package.deb!/usr/lib/modules/…/x.ko.xz`. */
  readonly label: string;
  /**
   * Reads the bytes as they are stored, perhaps compressed. Bytes from an archive stay in memory
   * until the input is dropped.
   */
  readonly read: () => Result<Uint8Array, Cause>;
  readonly origin: Origin;
}

export interface InputProblem {
  readonly kind: 'problem';
  readonly path: string;
  /** The reason, without the path. */
  readonly why: string;
}

/** The file's origin, looked up when first needed, as it takes time on a large host. */
export interface Origin {
  readonly package: PackageOrigin | undefined;
  readonly dkms: DkmsOrigin | undefined;
}

interface PackageOrigin {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /**
   * The package's license. In a .deb this comes after the modules: it is known when the iteration
   * has left the package.
   */
  readonly license: LicenseStatement | undefined;
}

interface InputPlaces {
  readonly dpkg: string;
  readonly documents: string;
  readonly dkms: string;
  readonly sources: string;
}

const inputPlaces: InputPlaces = {
  dpkg: '/var/lib/dpkg',
  documents: '/usr/share/doc',
  dkms: '/var/lib/dkms',
  sources: '/usr/src',
};

export interface InputOptions {
  readonly places?: InputPlaces;
  readonly archives?: ArchiveLimits;
  readonly directories?: WalkLimits;
  /** The most bytes of one file on disk. */
  readonly fileBytes?: number;
}

interface Context {
  readonly installed: InstalledPackages;
  readonly dkms: DkmsTree;
  readonly archives: ArchiveLimits;
  readonly directories: WalkLimits;
  readonly fileBytes: number;
}

type Inputs = AsyncGenerator<Input | InputProblem, void, void>;

const dkmsConf = /^usr\/src\/[^/]+\/dkms\.conf$/;
const packageName = /\.(deb|rpm)$/;

export async function* collectInputs(paths: readonly string[], options: InputOptions = {}): Inputs {
  const places = options.places ?? inputPlaces;
  const context: Context = {
    installed: installedPackages(places.dpkg, places.documents),
    dkms: dkmsTree(places.dkms, places.sources),
    archives: options.archives ?? archiveLimits,
    directories: options.directories ?? walkLimits,
    fileBytes: options.fileBytes ?? archiveLimits.fileBytes,
  };
  // A file that is named twice, or lies in a directory that is named too, is one module.
  const given = new Set<string>();
  for (const path of paths) {
    for await (const each of inputsAt(path, context)) {
      if (each.kind === 'module' && given.has(each.label)) continue;
      if (each.kind === 'module') given.add(each.label);
      yield each;
    }
  }
}

const problem = (path: string, why: string): InputProblem => ({ kind: 'problem', path, why });

/** Yields the inputs at a path that the administrator named: a link there is followed. */
async function* inputsAt(path: string, context: Context): Inputs {
  let directory: boolean;
  try {
    directory = statSync(path).isDirectory();
  } catch (error) {
    yield problem(path, reasonOf(error));
    return;
  }
  if (directory) yield* inputsInDirectory(path, context);
  else yield* inputsOfFile(path, context, 'follow');
}

async function* inputsInDirectory(directory: string, context: Context): Inputs {
  let any = false;
  const wants = (name: string) => isModuleFile(name) || packageName.test(name);
  for (const found of walk(directory, wants, context.directories)) {
    any = true;
    if (found.kind === 'problem') yield found;
    else if (found.kind === 'link') yield linked(found.path, context);
    else if (packageName.test(found.path)) yield* inputsOfFile(found.path, context, 'refuse');
    else yield fileInput(found.path, context, found);
  }
  for await (const input of builtFrom(directory, context)) {
    any = true;
    yield input;
  }
  if (!any) yield problem(directory, 'it holds no kernel module (*.ko, *.ko.xz, …) and no package');
}

/** Yields the modules of a DKMS source, which are where dkms built them. */
async function* builtFrom(source: string, context: Context): Inputs {
  const conf = dkmsConfIn(source);
  if (conf?.name === undefined || conf.version === undefined) return;
  const directories = context.dkms.builtDirectories(conf.name, conf.version);
  for (const directory of directories) {
    for (const found of walk(directory, isModuleFile, context.directories)) {
      if (found.kind === 'problem') yield found;
      else if (found.kind === 'file') yield fileInput(found.path, context, found);
    }
  }
  if (directories.length > 0) return;
  const names = conf.modules.map((each) => each.name).join(', ');
  const build = `dkms install ${conf.name}/${conf.version}`;
  yield problem(
    source,
    `it is the source of ${names}, which is not built for any kernel; run: ${build}`,
  );
}

/** Returns the input behind a link, as in weak-updates, whose links root made. */
function linked(path: string, context: Context): Input | InputProblem {
  try {
    const target = realpathSync(path);
    const stat = statSync(target);
    if (!stat.isFile())
      return problem(path, 'it is a link to something that is not a regular file');
    return fileInput(path, context, {
      kind: 'file',
      path: target,
      device: stat.dev,
      inode: stat.ino,
    });
  } catch (error) {
    return problem(path, `it is a link, and of its target: ${reasonOf(error)}`);
  }
}

async function* inputsOfFile(path: string, context: Context, links: 'follow' | 'refuse'): Inputs {
  const archive = await openArchive(path, links);
  if (!archive.ok) {
    yield problem(path, formatCause(archive.error));
  } else if (archive.value !== 'not an archive') {
    using opened = archive.value;
    yield* inputsInArchive(opened, context, links === 'follow');
  } else if (links === 'refuse') {
    yield problem(path, 'it is not a package, whatever its name');
  } else {
    yield linked(path, context);
  }
}

/** Returns an input that is read when needed; the path must then still have the same file. */
function fileInput(
  label: string,
  context: Context,
  found: WalkEntry & { readonly kind: 'file' },
): Input {
  return {
    kind: 'module',
    label,
    origin: installedOrigin(resolve(found.path), context),
    read: () => {
      const opened = openFile(found.path, 'refuse');
      if (!opened.ok) return fail(causedBy(opened.error));
      using file = opened.value;
      if (file.device !== found.device || file.inode !== found.inode) {
        return fail({ reason: 'it was replaced while it was read' });
      }
      if (file.bytes > context.fileBytes) {
        return fail({
          reason: `it has ${file.bytes} bytes; files of more than ${context.fileBytes} are not read`,
        });
      }
      try {
        return ok(file.readAt(0, file.bytes));
      } catch (error) {
        return fail({ reason: reasonOf(error) });
      }
    },
  };
}

function installedOrigin(path: string, { installed, dkms }: Context): Origin {
  return {
    get dkms() {
      return dkms.originOf(path);
    },
    get package() {
      const source = dkms.originOf(path)?.source;
      return installed.ownerOf(source === undefined ? path : join(source, 'dkms.conf'));
    },
  };
}

async function* inputsInArchive(archive: Archive, context: Context, named: boolean): Inputs {
  const late: { license: LicenseStatement | undefined } = { license: archive.package?.license };
  const origin = archiveOrigin(archive, late);
  const copyright = `usr/share/doc/${archive.package?.name ?? ''}/copyright`;
  const wants = (path: string) => isModuleFile(path) || path === copyright || dkmsConf.test(path);
  const labelOf = labelsOf(archive.path);
  let any = false;
  let sources = '';
  for await (const item of readArchive(archive, wants, context.archives)) {
    if (item.kind === 'problem') {
      any = true;
      yield problem(item.path === '' ? archive.path : `${archive.path}!/${item.path}`, item.why);
    } else if (item.path === copyright) {
      late.license ??= statementIn(item.contents);
    } else if (dkmsConf.test(item.path)) {
      sources = ` but the source of one for DKMS, in ${dirname(item.path)}`;
    } else {
      any = true;
      const { contents } = item;
      yield {
        kind: 'module',
        label: labelOf(item.path),
        read: () => ok(contents),
        origin,
      };
    }
  }
  // If packages come from a directory, those without modules do not matter.
  if (!any && named) yield problem(archive.path, `it holds no kernel module${sources}`);
}

/**
 * Returns unique labels: an archive can hold two files of one path. Unpacking leaves the last, but
 * both are read here.
 */
function labelsOf(archive: string): (path: string) => string {
  const seen = new Map<string, number>();
  return (path) => {
    const nth = (seen.get(path) ?? 0) + 1;
    seen.set(path, nth);
    return `${archive}!/${path}${nth === 1 ? '' : ` (entry ${nth} of that path)`}`;
  };
}

function statementIn(contents: Uint8Array): LicenseStatement | undefined {
  return contents.length > 8 * 1024 ** 2 ? undefined : readCopyright(bytesAsText(contents));
}

function archiveOrigin(archive: Archive, late: { readonly license: LicenseStatement | undefined }) {
  const facts = archive.package;
  const origin: Origin = {
    dkms: undefined,
    package:
      facts === undefined
        ? undefined
        : {
            name: facts.name,
            version: facts.version,
            architecture: facts.architecture,
            get license() {
              return late.license;
            },
          },
  };
  return origin;
}
