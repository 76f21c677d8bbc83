/**
 * DKMS: modules built on this host from source. Its tree has NAME/VERSION/KERNEL/ARCH/module/X.ko,
 * the source is in /usr/src/NAME-VERSION, and installed modules are in
 * /lib/modules/KERNEL/updates/dkms.
 */
import { bareName } from '../../core/record/module-file.ts';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bytesAsText } from '../../core/elf/bytes.ts';
import { type DkmsConf, readDkmsConf } from '../../core/packages/dkms-conf.ts';
import { openFile } from '../inputs/archive-files.ts';
import { readBounded } from '../../../base/io/regular-file.ts';

export interface DkmsOrigin {
  readonly name: string;
  readonly version: string;
  /** Release of the kernel that the module was built for. */
  readonly kernel: string;
  readonly architecture: string;
  /** The source's directory if it exists: /usr/src/NAME-VERSION. */
  readonly source: string | undefined;
  readonly conf: DkmsConf | undefined;
}

export interface DkmsTree {
  /** Returns the origin of a module in the tree, or of one that was installed from it. */
  readonly originOf: (path: string) => DkmsOrigin | undefined;
  /** Returns directories of the tree that hold modules built from that source. */
  readonly builtDirectories: (name: string, version: string) => readonly string[];
}

const maxConfBytes = 256 * 1024;
const maxBuilds = 10_000;
const moduleBytesMax = 512 * 2 ** 20;
const plain = /^[\w.+~:-]+$/;

/** Reads the tree. `tree` is /var/lib/dkms, `sources` is /usr/src. */
export function dkmsTree(tree: string, sources: string): DkmsTree {
  let installed: ReadonlyMap<string, readonly Built[]> | undefined;
  const root = tree.replace(/\/var\/lib\/dkms$/, '');
  const isInstalled = (path: string) =>
    path.startsWith(`${root}/lib/modules/`) || path.startsWith(`${root}/usr/lib/modules/`);
  const withSource = (place: Place): DkmsOrigin => {
    const source = join(sources, `${place.name}-${place.version}`);
    const conf = dkmsConfIn(source);
    return { ...place, source: conf === undefined ? undefined : source, conf };
  };
  return {
    originOf: (path) => {
      const place = placeOf(path);
      // Paths elsewhere prove nothing: this host's source and packages do not belong to them.
      if (place !== undefined && !path.startsWith(`${tree}/`)) {
        return { ...place, source: undefined, conf: undefined };
      }
      if (place !== undefined) return withSource(place);
      const kernel = /\/modules\/([^/]+)\/(?:updates|extra|kernel|weak-updates)\//.exec(path)?.[1];
      if (kernel === undefined || !isInstalled(path)) return undefined;
      if (/\/kernel\/(?!updates\/)/.test(path)) return undefined;
      installed ??= builtIn(tree);
      const built = builderOf(path, installed.get(`${kernel}/${bareName(path)}`) ?? []);
      return built === undefined ? undefined : withSource(built.place);
    },
    builtDirectories: (name, version) => {
      if (!plain.test(name) || !plain.test(version)) return [];
      const directory = join(tree, name, version);
      return namesIn(directory).flatMap((kernel) =>
        namesIn(join(directory, kernel))
          .map((each) => join(directory, kernel, each, 'module'))
          .filter((each) => namesIn(each).length > 0),
      );
    },
  };
}

type Place = Pick<DkmsOrigin, 'name' | 'version' | 'kernel' | 'architecture'>;

function placeOf(path: string): Place | undefined {
  const found = /\/dkms\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/module\/[^/]+$/.exec(path);
  const [, name, version, kernel, architecture] = found ?? [];
  if (name === undefined || version === undefined) return undefined;
  if (kernel === undefined || architecture === undefined) return undefined;
  return [name, version].every((each) => plain.test(each))
    ? { name, version, kernel, architecture }
    : undefined;
}

interface Built {
  readonly place: Place;
  readonly file: string;
}

/** Returns `KERNEL/MODULE` → the builds of that name, by one source or by several. */
function builtIn(tree: string): ReadonlyMap<string, readonly Built[]> {
  const built = new Map<string, Built[]>();
  for (const place of placesIn(tree)) {
    const { name, version, kernel, architecture } = place;
    const directory = join(tree, name, version, kernel, architecture, 'module');
    for (const file of namesIn(directory)) {
      const key = `${kernel}/${bareName(file)}`;
      built.set(key, [...(built.get(key) ?? []), { place, file: join(directory, file) }]);
    }
  }
  return built;
}

/** Returns the build whose bytes were installed, if several built a module of that name. */
function builderOf(path: string, built: readonly Built[]): Built | undefined {
  if (built.length < 2) return built[0];
  const installed = digestOf(path);
  return installed === undefined
    ? undefined
    : built.find(({ file }) => digestOf(file)?.equals(installed) === true);
}

function digestOf(path: string): Buffer | undefined {
  const bytes = readBounded(path, moduleBytesMax);
  return bytes.ok ? createHash('sha256').update(bytes.value).digest() : undefined;
}

function* placesIn(tree: string): Generator<Place, void, void> {
  let builds = 0;
  for (const name of namesIn(tree)) {
    for (const version of namesIn(join(tree, name))) {
      for (const kernel of namesIn(join(tree, name, version))) {
        if (++builds > maxBuilds) return;
        const directory = join(tree, name, version, kernel);
        for (const architecture of namesIn(directory))
          yield { name, version, kernel, architecture };
      }
    }
  }
}

/** Returns names of directories and files; not links, such as `source` and `kernel-…`. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((each) => !each.isSymbolicLink())
      .map((each) => each.name)
      .sort();
  } catch {
    return [];
  }
}

/** Reads dkms.conf; undefined when the directory has none to read. */
export function dkmsConfIn(directory: string): DkmsConf | undefined {
  const opened = openFile(join(directory, 'dkms.conf'), 'refuse');
  if (!opened.ok) return undefined;
  using file = opened.value;
  return readDkmsConf(bytesAsText(file.readAt(0, Math.min(file.bytes, maxConfBytes))));
}
