/**
 * Facts that a few modules of a kernel show about it: the size of its `struct module`, and its
 * vermagic.
 */
import { modinfo as modinfoOf, type KernelModule } from '../../core/record/module.ts';
import { plainRelease } from './kernel-files.ts';
import { isModuleFile } from '../../core/record/module-file.ts';
import { readdirSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { FormatError, bytesAsText } from '../../core/elf/bytes.ts';
import { readElf } from '../../core/elf/read-elf.ts';
import { decompressed, OutputBuffer } from '../inputs/decompress.ts';
import { readBounded } from '../../../base/io/regular-file.ts';

export interface ModuleFacts {
  readonly machine: number;
  readonly structBytes: number;
  readonly vermagic: string | undefined;
}

export interface ModuleSample {
  /** The facts that all of them agree on; undefined if there are none, or if they differ. */
  readonly facts: ModuleFacts | undefined;
  readonly files: readonly string[];
  readonly agree: boolean;
}

const modulesWanted = 5;
const moduleBytesMax = 64 * 1024 * 1024;

/**
 * Samples `kernel/`, which has the modules of the kernel's own build; other modules would prove
 * nothing.
 */
export function sampleModules(moduleDirectory: string): ModuleSample {
  const { facts, files } = sampleBelow(join(moduleDirectory, 'kernel'));
  const agree = facts.every((each) => JSON.stringify(each) === JSON.stringify(facts[0]));
  return { facts: agree ? facts[0] : undefined, files, agree };
}

/** Samples a few modules of any directory; returns the facts of each. */
export function sampleBelow(directory: string): {
  readonly facts: readonly ModuleFacts[];
  readonly files: readonly string[];
} {
  const buffer = new OutputBuffer();
  const read: { file: string; facts: ModuleFacts }[] = [];
  for (const file of someModules(directory)) {
    const facts = factsOf(file, buffer);
    if (facts !== undefined) read.push({ file, facts });
    if (read.length === modulesWanted) break;
  }
  return { facts: read.map(({ facts }) => facts), files: read.map(({ file }) => file) };
}

/**
 * Returns the kernel that a module was built for, if its vermagic names one that can be a
 * directory.
 */
export function builtFor(module: KernelModule): string | undefined {
  const release = releaseOf(modinfoOf(module, 'vermagic'));
  return release !== undefined && plainRelease(release) ? release : undefined;
}

/** Returns the first word of a vermagic. */
export const releaseOf = (vermagic: string | undefined): string | undefined =>
  vermagic?.split(' ', 1)[0];

const entriesMax = 5000;

/** Yields at most one module of each directory, so that they are not all of one driver. */
function* someModules(root: string): Generator<string> {
  const left = [root];
  let entries = 0;
  for (
    let directory = left.pop();
    directory !== undefined && entries < entriesMax;
    directory = left.pop()
  ) {
    const found = listed(directory);
    entries += found.length;
    for (const each of found) if (each.isDirectory()) left.push(join(directory, each.name));
    const module = found.find((each) => each.isFile() && isModuleFile(each.name));
    if (module !== undefined) yield join(directory, module.name);
  }
}

/**
 * Lists a directory; one that cannot be listed is empty. Symbolic links are neither files nor
 * directories here.
 */
function listed(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function factsOf(file: string, buffer: OutputBuffer): ModuleFacts | undefined {
  const stored = readBounded(file, moduleBytesMax);
  const bytes = stored.ok ? decompressed(stored.value, moduleBytesMax, buffer) : stored;
  const elf = bytes.ok ? readElf(bytes.value) : undefined;
  if (elf?.ok !== true) return undefined;
  const structModule = elf.value.section('.gnu.linkonce.this_module');
  if (structModule === undefined) return undefined;
  const modinfo = elf.value.section('.modinfo');
  try {
    return {
      machine: elf.value.machine,
      structBytes: structModule.size,
      vermagic: modinfo === undefined ? undefined : vermagicIn(elf.value.data(modinfo)),
    };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

const vermagicIn = (modinfo: Uint8Array): string | undefined =>
  bytesAsText(modinfo)
    .split('\0')
    .find((entry) => entry.startsWith('vermagic='))
    ?.slice('vermagic='.length);
