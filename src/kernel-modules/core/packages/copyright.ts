/**
 * What a package states of its license: Debian's machine-readable copyright file (DEP-5), or the
 * License tag of an rpm. Of text without that structure (`plain`) the license is not guessed; words
 * of closed terms are kept.
 *
 *   Files: module/*
 *   Copyright: 2013-2018 …
 *   License: GPL-2
 *
 * Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
import { closedTermsIn } from '../evidence/closed-terms.ts';
import { paragraphsOf } from './deb.ts';

export type LicenseStatement =
  | {
      readonly kind: 'stated';
      /** As written (`GPL-2+`, `GPL-2 or GPL-3`), each once, without the packaging's own. */
      readonly licenses: readonly string[];
      /** There are more than are kept here. */
      readonly more: boolean;
    }
  | {
      readonly kind: 'plain';
      /** Words that the GPL does not have, as `closedTermsIn` finds them. */
      readonly closedTerms: readonly string[];
    };

/** The kernel's own copyright file has some 60; more is not a statement of licenses. */
const licensesMax = 100;
const licenseCharactersMax = 1024;

/** Of a file `copyright`. Throws FormatError when it is longer than any such file. */
export function readCopyright(text: string): LicenseStatement {
  const [header, ...paragraphs] = paragraphsOf(text);
  if (!/copyright-format|dep-?5/i.test(header?.get('format') ?? '')) return plain(text);
  const licenses = new Set<string>();
  for (const paragraph of paragraphs) {
    const license = shortName(paragraph.get('license'));
    if (license !== undefined && concernsMore(paragraph.get('files') ?? '')) licenses.add(license);
    if (licenses.size > licensesMax) break;
  }
  const whole = shortName(header?.get('license'));
  if (whole !== undefined) licenses.add(whole);
  return licenses.size === 0 ? plain(text) : stated([...licenses]);
}

/** Of an rpm's License tag. */
export function readLicenseTag(tag: string): LicenseStatement {
  const license = shortName(tag);
  return license === undefined ? plain('') : stated([license]);
}

const plain = (text: string): LicenseStatement => ({
  kind: 'plain',
  closedTerms: closedTermsIn(text),
});

const stated = (licenses: readonly string[]): LicenseStatement => ({
  kind: 'stated',
  licenses: licenses.slice(0, licensesMax),
  more: licenses.length > licensesMax,
});

/** Whether some of the patterns are of something else than the packaging. */
const concernsMore = (files: string): boolean => /(?:^|\s)(?!debian\/)\S/.test(files);

/** The first line of the field is the license's name, what follows its text. */
function shortName(field: string | undefined): string | undefined {
  const name = field?.split('\n', 1)[0]?.trim() ?? '';
  return name === '' || name.length > licenseCharactersMax ? undefined : name;
}
