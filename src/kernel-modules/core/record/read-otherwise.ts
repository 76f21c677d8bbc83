/**
 * Where the kernel reads something in a module that other readers do not: no build makes such files, and
 * whoever asks `modinfo` is told something else than what will be loaded.
 */
import { sectionTypes, type Elf } from '../elf/elf.ts';
import type { ModinfoEntry } from './module.ts';
import { structModuleSection } from './struct-module.ts';

/** A sentence each. `cutOff` is what other readers see of the last string of `.modinfo`. */
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
  const stated = width === 1 || width === 2 ? `${width * 32} bits` : `a width that there is not`;
  const orders = new Map([
    [1, 'little-endian'],
    [2, 'big-endian'],
  ]);
  const statedOrder = orders.get(order) ?? 'an order of bytes that there is not';
  const trueOrder = view.littleEndian ? 'little-endian' : 'big-endian';
  if (stated === `${bits} bits` && statedOrder === trueOrder) return [];
  return [
    `Its header says ${stated} and ${statedOrder}, so that tools do not read it; the kernel reads it as ${bits} bits and ${trueOrder} all the same`,
  ];
}

function unreadSection(elf: Elf, name: string): readonly string[] {
  const { null: unused, nobits } = sectionTypes;
  const type = elf.section(name)?.type;
  // The kernel refuses a struct module without contents.
  if (type !== unused && !(type === nobits && name === '.modinfo')) return [];
  return [
    `Its section "${name}" is marked as one without contents, so that tools do not read it; the kernel does`,
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
