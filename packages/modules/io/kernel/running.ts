/**
 * The loaded modules, each with the file it came from.
 *
 *   /proc/modules                                 veth 45056 0 - Live 0xffffffffc0a1e000 (OE)
 *   /sys/module/veth/taint                        OE
 *   /sys/module/veth/{srcversion,version}         where the module has them
 *   /sys/module/veth/notes/.note.gnu.build-id     an ELF note
 *
 * Source: kernel/module/procfs.c, kernel/module/sysfs.c.
 */
import { plainName } from '../../core/record/module.ts';
import { bareName, isModuleFile } from '../../core/record/module-file.ts';
import { opendirSync, readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { readText } from '../../../base/io/read.ts';
import { ByteView, FormatError } from '../../core/elf/bytes.ts';
import { readElf } from '../../core/elf/read-elf.ts';
import { readBuildId } from '../../core/elf/notes.ts';
import { failed, formatCause, type Cause, type Problem } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { decompressed } from '../inputs/decompress.ts';
import { readBounded } from '../../../base/io/regular-file.ts';

export interface RunningModule {
  readonly name: string;
  /** Its memory in bytes. */
  readonly bytes: number;
  readonly state: string;
  /** Letters in the order of the bits; empty for none. */
  readonly taints: string;
  readonly usedBy: readonly string[];
  readonly buildId: string | undefined;
  readonly srcversion: string | undefined;
  readonly version: string | undefined;
  readonly origin: ModuleOrigin;
}

/** The origin of the code in memory, as far as the build ids show. */
type ModuleOrigin =
  | { readonly kind: 'same build'; readonly file: string }
  /** A file of the same name whose build id differs: it was replaced, or another one was loaded. */
  | { readonly kind: 'other build'; readonly file: string; readonly buildId: string }
  /** A file of that name, but one of the two has no build id. */
  | { readonly kind: 'same name'; readonly file: string }
  | { readonly kind: 'unreadable'; readonly file: string; readonly why: string }
  | { readonly kind: 'no file' };

export interface RunningPlace {
  readonly proc: string;
  readonly sys: string;
  /** `/lib/modules/RELEASE`; undefined when there is none. */
  readonly moduleDirectory: string | undefined;
}

/**
 * Reads the loaded modules; fails when the kernel has no loadable modules, or /proc is not mounted.
 */
export function readRunningModules(place: RunningPlace): Result<readonly RunningModule[], Problem> {
  const text = readText(join(place.proc, 'modules'));
  if (text === undefined) {
    return failed({
      action: 'read',
      object: join(place.proc, 'modules'),
      reason: 'this kernel has no loadable modules (CONFIG_MODULES), or /proc is not mounted',
    });
  }
  const files = filesByName(place.moduleDirectory);
  return ok(
    parseProcModules(text).map((line) => {
      const directory = join(place.sys, 'module', line.name);
      const attribute = (name: string) => readText(join(directory, name))?.trim();
      const buildId = loadedBuildId(directory);
      return {
        ...line,
        taints: attribute('taint') ?? line.taints,
        buildId,
        srcversion: attribute('srcversion'),
        version: attribute('version'),
        origin: originOf(files.get(line.name) ?? [], buildId),
      };
    }),
  );
}

const procLine = /^(\S+) (\d+) \S+ (\S+) (\S+) 0x[0-9a-f]+(?: \(([A-Z]+)[+-]?\))?/;
/** A module name that can be a file name below /sys/module. */
const moduleName = /^[\w.-]{1,64}$/;

export function parseProcModules(
  text: string,
): readonly Pick<RunningModule, 'name' | 'bytes' | 'state' | 'taints' | 'usedBy'>[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', size, users = '-', state = '', taints = ''] = procLine.exec(line) ?? [];
    if (!moduleName.test(name) || /^\.+$/.test(name)) return [];
    const usedBy = users === '-' ? [] : users.split(',').filter((user) => /^[^[]/.test(user));
    return [{ name, bytes: Number(size), state, taints, usedBy }];
  });
}

const hostIsLittleEndian = endianness() === 'LE';

function loadedBuildId(directory: string): string | undefined {
  try {
    return buildIdOfNotes(
      readFileSync(join(directory, 'notes', '.note.gnu.build-id')),
      hostIsLittleEndian,
    );
  } catch {
    return undefined;
  }
}

const gnuBuildId = 3;

/**
 * Returns the build id. ELF notes have sizes of name and description, and a type; both parts are
 * padded to four bytes. Source: elf(5).
 */
export function buildIdOfNotes(notes: Uint8Array, littleEndian: boolean): string | undefined {
  const view = new ByteView(notes, littleEndian);
  let at = 0;
  while (at + 12 <= notes.length) {
    const [nameBytes, descriptionBytes] = [view.u32(at), view.u32(at + 4)];
    const description = at + 12 + Math.ceil(nameBytes / 4) * 4;
    const end = description + descriptionBytes;
    if (end > notes.length) return undefined;
    if (view.u32(at + 8) === gnuBuildId && view.text(at + 12, at + 12 + nameBytes) === 'GNU') {
      return Buffer.from(view.slice(description, descriptionBytes)).toString('hex');
    }
    at = description + Math.ceil(descriptionBytes / 4) * 4;
  }
  return undefined;
}

const directoriesMax = 20_000;
const depthMax = 24;

/**
 * Indexes files by module name; the kernel writes a dash in a file's name as an underscore. Several
 * files can have one name: depmod decides between them, so all are kept. Symbolic links are not
 * followed.
 */
function filesByName(directory: string | undefined): ReadonlyMap<string, readonly string[]> {
  const files = new Map<string, string[]>();
  const left = directory === undefined ? [] : [{ path: directory, depth: 0 }];
  for (let next = 0; next < left.length && next < directoriesMax; next++) {
    const at = left[next];
    if (at === undefined || at.depth > depthMax) continue;
    for (const entry of entriesOf(at.path)) {
      const path = join(at.path, entry.name);
      if (entry.isDirectory()) left.push({ path, depth: at.depth + 1 });
      if (!entry.isFile() || !isModuleFile(entry.name)) continue;
      const key = plainName(bareName(entry.name));
      const namesakes = files.get(key);
      if (namesakes === undefined) files.set(key, [path]);
      else namesakes.push(path);
    }
  }
  return files;
}

function* entriesOf(path: string) {
  try {
    const directory = opendirSync(path);
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        yield entry;
      }
    } finally {
      directory.closeSync();
    }
  } catch {
    // A directory that vanished or may not be read holds no file that could be named.
  }
}

/** Returns the file of the same build, if there is one; otherwise the first file of that name. */
function originOf(files: readonly string[], buildId: string | undefined): ModuleOrigin {
  const origins = files.slice(0, namesakesMax).map((file) => compare(file, buildId));
  return (
    origins.find((each) => each.kind === 'same build') ?? origins[0] ?? { kind: 'no file' as const }
  );
}

const namesakesMax = 8;
const moduleBytesMax = 512 * 1024 * 1024;

function compare(file: string, loaded: string | undefined): ModuleOrigin {
  const read = buildIdOfFile(file);
  if (!read.ok) return { kind: 'unreadable', file, why: formatCause(read.error) };
  const buildId = read.value;
  if (buildId === undefined || loaded === undefined) return { kind: 'same name', file };
  return buildId === loaded ? { kind: 'same build', file } : { kind: 'other build', file, buildId };
}

function buildIdOfFile(file: string): Result<string | undefined, Cause> {
  const stored = readBounded(file, moduleBytesMax);
  if (!stored.ok) return fail({ reason: stored.error.reason });
  const bytes = decompressed(stored.value, moduleBytesMax);
  if (!bytes.ok) return bytes;
  const elf = readElf(bytes.value);
  if (!elf.ok) return fail({ reason: `it ${elf.error.message}, at offset ${elf.error.offset}` });
  try {
    return ok(readBuildId(elf.value));
  } catch (error) {
    if (error instanceof FormatError) return fail({ reason: `it ${error.message}` });
    throw error;
  }
}
