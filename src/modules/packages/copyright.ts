/**
 * What a package states of its licence: Debian's machine-readable copyright file (DEP-5), or the License tag
 * of an rpm. Of text without that structure (`plain`) the licence is not guessed; words of closed terms are kept.
 *
 *   Files: module/*
 *   Copyright: 2013-2018 …
 *   License: GPL-2
 *
 * Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
import { closedTermsIn } from '../closed-terms.ts';
import { paragraphsOf } from './deb.ts';

export type LicenceStatement =
  | {
      readonly kind: 'stated';
      /** As written (`GPL-2+`, `GPL-2 or GPL-3`), each once, without the packaging's own. */
      readonly licences: readonly string[];
      /** There are more than are kept here. */
      readonly more: boolean;
    }
  | {
      readonly kind: 'plain';
      /** Words that the GPL does not have, as `closedTermsIn` finds them. */
      readonly closedTerms: readonly string[];
    };

/** The kernel's own copyright file has some 60; whoever states more has something else in mind. */
const licencesMax = 100;
const licenceCharactersMax = 1024;

/** Of a file `copyright`. Throws FormatError when it is longer than any such file. */
export function readCopyright(text: string): LicenceStatement {
  const [header, ...paragraphs] = paragraphsOf(text);
  if (!/copyright-format|dep-?5/i.test(header?.get('format') ?? '')) return plain(text);
  const licences = new Set<string>();
  for (const paragraph of paragraphs) {
    const licence = shortName(paragraph.get('license'));
    if (licence !== undefined && concernsMore(paragraph.get('files') ?? '')) licences.add(licence);
    if (licences.size > licencesMax) break;
  }
  const whole = shortName(header?.get('license'));
  if (whole !== undefined) licences.add(whole);
  return licences.size === 0 ? plain(text) : stated([...licences]);
}

/** Of an rpm's License tag. */
export function readLicenceTag(tag: string): LicenceStatement {
  const licence = shortName(tag);
  return licence === undefined ? plain('') : stated([licence]);
}

const plain = (text: string): LicenceStatement => ({
  kind: 'plain',
  closedTerms: closedTermsIn(text),
});

const stated = (licences: readonly string[]): LicenceStatement => ({
  kind: 'stated',
  licences: licences.slice(0, licencesMax),
  more: licences.length > licencesMax,
});

/** Whether some of the patterns are of something else than the packaging. */
const concernsMore = (files: string): boolean => /(?:^|\s)(?!debian\/)\S/.test(files);

/** The first line of the field is the licence's name, what follows its text. */
function shortName(field: string | undefined): string | undefined {
  const name = field?.split('\n', 1)[0]?.trim() ?? '';
  return name === '' || name.length > licenceCharactersMax ? undefined : name;
}
