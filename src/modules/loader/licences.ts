/**
 * Which licences the kernel takes for compatible with the GPL: six strings, compared byte by byte.
 * Source: include/linux/license.h, `license_is_gpl_compatible`.
 */
export const compatibleLicences: readonly string[] = [
  'GPL',
  'GPL v2',
  'GPL and additional rights',
  'Dual BSD/GPL',
  'Dual MIT/GPL',
  'Dual MPL/GPL',
];

const compatible = new Set(compatibleLicences);

/** What stands for a licence that is not given. Source: kernel/module/main.c, `module_license_taint_check`. */
export const unspecifiedLicence = 'unspecified';

export const isCompatibleLicence = (licence: string): boolean => compatible.has(licence);

/** Why a licence is not among the six, in words that go on after the licence: `is none of …`. */
export function whyIncompatible(licence: string | undefined): string {
  if (licence === undefined) return 'It names no licence';
  const near = compatibleLicences.find((each) => lookAlike(each) === lookAlike(licence));
  const quoted = `Licence "${licence}" is none of the six that the kernel takes for GPL-compatible`;
  if (near !== undefined) return `${quoted} (it is close to "${near}", but every character counts)`;
  return /gpl/i.test(licence) ? `${quoted} (they are compared letter by letter)` : quoted;
}

const lookAlike = (licence: string): string => licence.toLowerCase().replaceAll(/[\s_+-]/g, '');
