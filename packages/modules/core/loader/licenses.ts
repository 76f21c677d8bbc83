/**
 * The licenses that the kernel treats as compatible with the GPL: six strings, compared byte by
 * byte. Source: include/linux/license.h, `license_is_gpl_compatible`.
 */
const compatibleLicenses: readonly string[] = [
  'GPL',
  'GPL v2',
  'GPL and additional rights',
  'Dual BSD/GPL',
  'Dual MIT/GPL',
  'Dual MPL/GPL',
];

const compatible = new Set(compatibleLicenses);

/**
 * The kernel's text for a missing license. Source: kernel/module/main.c,
 * `module_license_taint_check`.
 */
export const unspecifiedLicense = 'unspecified';

export const isCompatibleLicense = (license: string): boolean => compatible.has(license);

/** Returns why a license is not among the six. */
export function whyIncompatible(license: string | undefined): string {
  if (license === undefined) return 'It has no license';
  const near = compatibleLicenses.find((each) => normalised(each) === normalised(license));
  const quoted = `License "${license}" is none of the six that the kernel treats as GPL-compatible`;
  if (near !== undefined) return `${quoted} (close to "${near}", but every character counts)`;
  return /gpl/i.test(license) ? `${quoted} (they are compared letter by letter)` : quoted;
}

const normalised = (license: string): string => license.toLowerCase().replaceAll(/[\s_+-]/g, '');
