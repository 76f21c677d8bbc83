/**
 * Parts of a module that the kernel reads differently from other readers. No build makes such
 * files, and `modinfo` shows something other than what will be loaded.
 */
import { sectionTypes } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { ModinfoEntry } from './module.ts';
import { structModuleSection } from './struct-module.ts';

/**
 * Returns a sentence for each. `cutOff` is what other readers see of the last string of `.modinfo`.
 */
export const readOtherwise = (
  elf: Elf,
  modinfo: readonly ModinfoEntry[],
  cutOff: string | undefined,
): readonly string[] => [
  ...otherEncoding(elf),
  ...['.modinfo', structModuleSection].flatMap((name) => unreadSection(elf, name)),
  ...goesOn(modinfo, cutOff),
];

function otherEncoding({ view, bits }: Elf): readonly string[] {
  const [width, order] = [view.u8(4), view.u8(5)];
  const stated = width === 1 || width === 2 ? `${width * 32} bits` : `an invalid width`;
  const orders = new Map([
    [1, 'little-endian'],
    [2, 'big-endian'],
  ]);
  const statedOrder = orders.get(order) ?? 'an invalid byte order';
  const trueOrder = view.littleEndian ? 'little-endian' : 'big-endian';
  if (stated === `${bits} bits` && statedOrder === trueOrder) return [];
  return [
    `Its header states ${stated} and ${statedOrder}, so that tools do not read it; the kernel still reads it as ${bits} bits and ${trueOrder}`,
  ];
}

function unreadSection(elf: Elf, name: string): readonly string[] {
  const { null: unused, nobits } = sectionTypes;
  const type = elf.section(name)?.type;
  // The kernel refuses a struct module without contents.
  if (type !== unused && !(type === nobits && name === '.modinfo')) return [];
  return [
    `Its section "${name}" is marked as having no contents, so that tools do not read it; the kernel does`,
  ];
}

function goesOn(modinfo: readonly ModinfoEntry[], cutOff: string | undefined): readonly string[] {
  const last = modinfo.at(-1);
  if (cutOff === undefined || last === undefined) return [];
  const whole = last.tag === '' ? last.value : `${last.tag}=${last.value}`;
  return [
    `Its last string in ".modinfo" does not end where the section does: tools read ${JSON.stringify(cutOff)}, the kernel reads ${JSON.stringify(whole)}`,
  ];
}
