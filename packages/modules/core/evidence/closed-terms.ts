/**
 * Words in prose that belong to terms which the GPL does not have: the head of a source file, a
 * LICENSE, a package's copyright.
 *
 * Words prove nothing by themselves, since a text may quote or deny them; they show where to read.
 * Hardly any file of the kernel's own source has one of them in its head.
 */
import { bytesAsText } from '../elf/bytes.ts';

const phrases: readonly RegExp[] = [
  /\bproprietary (?:and|&) confidential\b/,
  /\bconfidential (?:and|&) proprietary\b/,
  /\b(?:confidential|proprietary) (?:information|property|material|source code|software|rights) of\b/,
  /\btrade secrets?\b/,
  // The MPL mentions such agreements too.
  /\bend[- ]user licen[cs]e\b(?! agreements)/,
  /\beula\b/,
  /\b(?:distribution|redistribution|reproduction|copying|modification|disclosure)\b[^.;]{0,60}?\b(?:prohibited|forbidden|not permitted)\b/,
  /\bno modifications? (?:is |are )?(?:permitted|allowed)\b/,
  /\b(?:may|must|shall) not be (?:redistributed|disclosed|reproduced|copied or)\b/,
  /\b(?:may|must|shall|agrees?) not\b[^.;]{0,80}?\breverse[- ]engineer/,
  /\blicensed,? (?:and )?not sold\b/,
];

/** Returns the phrases that occur, as written except for runs of blanks and comment marks. */
export function closedTermsIn(text: string): readonly string[] {
  const prose = text.replace(/[\s*#/]+/g, ' ').toLowerCase();
  return phrases.flatMap((each) => each.exec(prose)?.[0] ?? []);
}

/** The head of a source file, where it states its license. */
const headBytesMax = 4096;
/** The most bytes read of a license; the GPL in version 3 has 35,149. */
const licenseBytesMax = 64 * 1024;

/**
 * Returns the closed terms in one file of offered source: all of a license's text, the head of any
 * other file.
 */
export function closedTermsOf(path: string, file: Uint8Array): readonly string[] {
  const bytesMax = isLicenseFile(path) ? licenseBytesMax : headBytesMax;
  return closedTermsIn(bytesAsText(file.subarray(0, bytesMax)));
}

/** Whether the name says that it is a license: `COPYING`, `LICENSE.txt`, `docs/EULA`. */
export const isLicenseFile = (path: string): boolean =>
  /(?:^|\/)(?:copying|copyright|licen[cs]e|eula)(?:[-._][^/]*)?$/i.test(path);
