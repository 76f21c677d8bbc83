/** The state of each boot option: the host has it, lacks it, or gets it at the next boot. */
import type { JudgedOption } from './options.ts';
import type { BootOption, BootOptionName, Need } from './option.ts';
import { changesOf, type BootRecord } from './record.ts';

/**
 *     there           this host has it
 *     needs a reboot  it is lacking, and `setup boot` writes it
 *     only if named   it is lacking, and `setup boot --add NAME` writes it
 *     at next reboot  it is written, and in force from the next boot
 *     without effect  it was written, and the host was booted without it since
 *     by hand         it is lacking, and Bulkhead cannot do it
 *     not possible    this kernel cannot, or it was turned off on purpose
 *     unknown         it could not be established
 */
export type BootOptionState =
  | 'there'
  | 'needs a reboot'
  | 'only if named'
  | 'at next reboot'
  | 'without effect'
  | 'by hand'
  | 'not possible'
  | 'unknown';

export function bootStateOf(
  { option, need }: JudgedOption,
  record: BootRecord | undefined,
  bootId: string,
): BootOptionState {
  if (need.kind !== 'lacking') return others[need.kind];
  const written = changesOf(record).find(
    ({ state, options }) => state === 'written' && options.includes(option.name),
  );
  if (written !== undefined) return written.bootId === bootId ? 'at next reboot' : 'without effect';
  return option.onlyIfNamed === true ? 'only if named' : 'needs a reboot';
}

const others: Readonly<Record<Exclude<Need['kind'], 'lacking'>, BootOptionState>> = {
  there: 'there',
  'by hand': 'by hand',
  impossible: 'not possible',
  unknown: 'unknown',
};

export interface OptionState {
  readonly option: BootOption;
  readonly need: Need;
  readonly state: BootOptionState;
}

/** The states in which an option would raise a layer, the nearest first. */
const raising = [
  'at next reboot',
  'without effect',
  'needs a reboot',
  'by hand',
  'only if named',
] as const satisfies readonly BootOptionState[];

/** Returns the option that raises a layer, with its state; undefined if none does. */
export function raises(
  states: readonly OptionState[],
  layer: string,
): { readonly name: BootOptionName; readonly state: (typeof raising)[number] } | undefined {
  for (const state of raising) {
    const found = states.find((each) => each.state === state && each.option.layers.includes(layer));
    if (found !== undefined) return { name: found.option.name, state };
  }
  return undefined;
}
