/**
 * Relocations of x86-64 that the loader would refuse, without knowing an address.
 *
 * The loader goes through the sections in order and stops at the first defect: an unknown type, or
 * a place that is not zero before it is filled in. A place or a symbol outside is checked only
 * here; the kernel would write or read there. Source: `apply_relocations()`,
 * arch/x86/kernel/module.c.
 */
import { FormatError } from '../elf/bytes.ts';
import { layouts, sectionFlags, sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { LoaderDefect } from '../record/module.ts';
import { isEarlier } from '../kernel/releases.ts';

const entryBytes = 24;
/** Bytes that are changed, by type: NONE, 64, PC32, PLT32, 32, 32S, PC64. */
const sizes = new Int8Array(64).fill(-1);
for (const [type, size] of [
  [0, 0],
  [1, 8],
  [2, 4],
  [4, 4],
  [10, 4],
  [11, 4],
  [24, 8],
] as const) {
  sizes[type] = size;
}

/** Sections that are removed from memory before relocations are applied. */
const takenOut = ['.modinfo', '__versions'];
const perCpu = '.data..percpu';

/** Returns the first defect that each release would stop at. Throws `FormatError`. */
export function relocationDefects(elf: Elf, name: string): readonly LoaderDefect[] {
  const found: LoaderDefect[] = [];
  const table = elf.symbolTable;
  if (table === undefined) return found;
  const symbolCount = Math.floor(table.size / layouts[elf.bits].symbolBytes);
  // Sections may share their bytes in a hostile file: the most that is read is what a true one can
  // hold.
  let budget = elf.view.length;
  for (const section of elf.sections) {
    const target = elf.sections[section.info];
    if (target === undefined || !isRelocated(elf, target)) continue;
    if ((section.flags & sectionFlags.livepatch) !== 0) continue;
    if (section.type === sectionTypes.rela) budget -= section.size;
    if (budget < 0) throw new FormatError('has relocations that overlap', section.headerOffset);
    const defects = defectsIn(elf, section, target, symbolCount, name);
    if (isUsed(elf, target, perCpu)) found.push(...defects.flatMap(sincePerCpu));
    else if (defects.length > 0) return [...found, ...defects];
  }
  return found;
}

/**
 * Limits a defect of per-CPU data, which is loaded on its own, to 6.14 and later: older releases do
 * not relocate it.
 */
function sincePerCpu(defect: LoaderDefect): LoaderDefect[] {
  const from = [6, 14] as const;
  const isOlder = defect.before !== undefined && !isEarlier(from, defect.before);
  if (isOlder) return [];
  const isLater = defect.from !== undefined && isEarlier(from, defect.from);
  return [isLater ? defect : { ...defect, from }];
}

/** Returns one defect, or one for each wording of it. */
function defectsIn(
  elf: Elf,
  section: Section,
  target: Section,
  symbolCount: number,
  name: string,
): readonly LoaderDefect[] {
  if (section.type === sectionTypes.rel) {
    const why = `Its section "${section.name}" has relocations without addends`;
    return [refuse(why, `module ${name}: REL relocation unsupported`)];
  }
  if (section.type !== sectionTypes.rela) return [];
  const bad = firstBad(elf, section, target, symbolCount);
  return bad < 0 ? [] : describe(elf, section, target, symbolCount, bad, name);
}

/** Whether it is the section of that name that the loader takes. */
const isUsed = (elf: Elf, section: Section, name: string): boolean =>
  section.name === name && elf.loadedSection(name) === section;

function isRelocated(elf: Elf, target: Section): boolean {
  if ((target.flags & sectionFlags.alloc) === 0) return false;
  return !takenOut.some((name) => isUsed(elf, target, name));
}

const refuse = (why: string, message: string | undefined): LoaderDefect => ({
  step: 'relocations',
  errno: 'ENOEXEC',
  message,
  why,
});

/**
 * Returns the file offset of the first bad relocation, or -1. Runs over millions of them: no
 * objects, no calls.
 */
function firstBad(elf: Elf, section: Section, target: Section, symbolCount: number): number {
  const { data } = elf.view;
  const base = target.offset;
  const hasBytes = target.type !== sectionTypes.nobits && target.type !== sectionTypes.null;
  const end = section.offset + section.size - entryBytes;
  for (let at = section.offset; at <= end; at += entryBytes) {
    const type = data.getUint32(at + 8, true);
    const size = type < 64 ? sizes[type]! : -1;
    if (size <= 0) {
      if (size < 0) return at;
      continue;
    }
    const offset = data.getUint32(at, true);
    if (offset + size > target.size || data.getUint32(at + 4, true) !== 0) return at;
    if (data.getUint32(at + 12, true) >= symbolCount) return at;
    if (!hasBytes) continue;
    const place = base + offset;
    if (data.getUint32(place, true) !== 0) return at;
    if (size === 8 && data.getUint32(place + 4, true) !== 0) return at;
  }
  return -1;
}

function describe(
  elf: Elf,
  section: Section,
  target: Section,
  symbolCount: number,
  at: number,
  name: string,
): readonly LoaderDefect[] {
  const { view } = elf;
  const type = view.u32(at + 8);
  const offset = view.u64(at);
  const size = type < 64 ? sizes[type]! : -1;
  const where = `A relocation in "${section.name}", at offset ${at} of the file,`;
  if (size < 0) {
    const why = `${where} is of type ${type}, which the kernel does not know`;
    return [refuse(why, `module: ${name}: Unknown rela relocation: ${type}`)];
  }
  if (offset + size > target.size) {
    return [refuse(`${where} changes a place outside "${target.name}"`, undefined)];
  }
  if (view.u32(at + 12) >= symbolCount) {
    return [refuse(`${where} refers to a symbol that does not exist`, undefined)];
  }
  // The rest of the line has addresses, which cannot be predicted.
  const why = `${where} changes bytes ${offset} of "${target.name}", which are not zero`;
  const nonzero = 'relocation target, existing value is nonzero for';
  const index = (at - section.offset) / entryBytes;
  return [
    {
      ...refuse(why, `module: x86/modules: Skipping invalid ${nonzero} type ${type}`),
      before: [6, 3],
    },
    {
      ...refuse(why, `module: x86/modules: Invalid ${nonzero} type ${type}`),
      from: [6, 3],
      before: [6, 19],
    },
    {
      ...refuse(
        why,
        `module: x86/modules: Invalid ${nonzero} sec ${section.index}, idx ${index}, type ${type}`,
      ),
      from: [6, 19],
    },
  ];
}
