/**
 * The license that MODULE_LICENSE() declares, as an SPDX expression that claims no more than the
 * tag does.
 *
 * By the kernel's rules the tag distinguishes free modules from others. It "does not express any
 * distinction" between version 2 only and "or later", between BSD licenses or between versions of
 * the MPL. So the certain part gets its SPDX identifier: version 2 of the GPL is granted in either
 * reading. The open part gets a reference of our own with a text that explains it. Source:
 * Documentation/process/license-rules.rst, "MODULE_LICENSE".
 */
const gpl = 'GPL-2.0-only';
const bsd = 'LicenseRef-BSD-unspecified';
const mpl = 'LicenseRef-MPL-unspecified';
const gplAndMore = 'LicenseRef-GPL-and-additional-rights';

const expressions = new Map([
  ['GPL', gpl],
  ['GPL v2', gpl],
  ['GPL and additional rights', gplAndMore],
  ['Dual BSD/GPL', `${bsd} OR ${gpl}`],
  ['Dual MIT/GPL', `MIT OR ${gpl}`],
  ['Dual MPL/GPL', `${mpl} OR ${gpl}`],
]);

/** The texts of our own references above. */
export const ownReferences: ReadonlyMap<string, string> = new Map([
  [
    bsd,
    'MODULE_LICENSE("Dual BSD/GPL"): one of the BSD licenses, only the source tells which one.',
  ],
  [
    mpl,
    'MODULE_LICENSE("Dual MPL/GPL"): the Mozilla Public License, only the source tells which version.',
  ],
  [
    gplAndMore,
    'MODULE_LICENSE("GPL and additional rights"): version 2 of the GNU General Public License and further ' +
      'rights, historically those of the MIT license; only the source tells which.',
  ],
]);

/**
 * Returns the SPDX expression; undefined for a text that the kernel's rules give no meaning, such
 * as "Proprietary".
 */
export const expressionOf = (license: string): string | undefined => expressions.get(license);

/** Returns our own references that an expression uses. */
export const referencesIn = (expression: string): readonly string[] =>
  [...ownReferences.keys()].filter((each) => expression.split(' ').includes(each));
