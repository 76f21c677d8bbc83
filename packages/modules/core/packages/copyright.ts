/**
 * A package's statement of its license: Debian's machine-readable copyright file (DEP-5), or the
 * License tag of an rpm. Text without that structure (`plain`) gives no license, only words of
 * closed terms.
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
      /**
       * Licenses as written (`GPL-2+`, `GPL-2 or GPL-3`), each once, without the packaging's own.
       */
      readonly licenses: readonly string[];
      /** Whether there are more than are kept here. */
      readonly more: boolean;
    }
  | {
      readonly kind: 'plain';
      /** Words that the GPL does not have, as `closedTermsIn` finds them. */
      readonly closedTerms: readonly string[];
    };

/** The most licenses that are kept: the kernel's own copyright file has some 60. */
const licensesMax = 100;
const licenseCharactersMax = 1024;

/** Reads a file `copyright`. Throws FormatError when it is longer than any such file. */
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

/** Reads an rpm's License tag. */
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

/** Whether some of the patterns cover more than the packaging. */
const concernsMore = (files: string): boolean => /(?:^|\s)(?!debian\/)\S/.test(files);

/** Returns the license's name, which is the first line of the field; its text follows. */
function shortName(field: string | undefined): string | undefined {
  const name = field?.split('\n', 1)[0]?.trim() ?? '';
  return name === '' || name.length > licenseCharactersMax ? undefined : name;
}
