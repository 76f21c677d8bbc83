/**
 * Words of a closed license in a module's texts: description, author, parameters, and tags that are
 * named like licenses.
 *
 * Of 4,230 modules of a distribution's kernel one has any of these words in its `.modinfo`, and it
 * is "All Rights Reserved".
 */
import type { ModinfoEntry } from '../record/module.ts';
import { closedTermsIn } from './closed-terms.ts';

/** How strong a phrase is. `closed`: free software never says so of itself. `odd`: a few do. */
type Strength = 'closed' | 'odd';

/** Tags that the build writes, or that hold names of other modules and devices. */
const technical = new Set(
  'alias depends file firmware import_ns intree license livepatch name parmtype retpoline softdep srcversion staging vermagic version weakdep'.split(
    ' ',
  ),
);
const isLegal = (tag: string): boolean =>
  /licen[cs]e|legal|copyright|terms|eula|rights|confidential/i.test(tag);

const ofTheDriver: readonly RegExp[] = [
  /\b(?:proprietary|closed[- ]source|commercial|confidential) (?:\w+ )?(?:driver|module|software|licen[cs]e|code|product)s?\b/,
  /\bclosed source\b/,
  /\bnda\b[^.;]{0,20}\brequired\b|\b(?:under|requires?|an?) nda\b|\bnon-disclosure\b/,
];
const words =
  /\b(?:proprietary|confidential|closed[- ]source|nda|all rights reserved|commercial licen[cs]e)\b/;
/** Behind a tag for licenses, these speak of the license itself. */
const wordsOfLicense = /\b(?:proprietary|confidential|closed(?:[- ]source)?|commercial|nda|eula)\b/;

/**
 * A first filter: all of the phrases have one of these. Few texts have, so most are not searched
 * further.
 */
const hint =
  /proprie|confid|closed|commercial|nda|disclos|secret|rights|user licen|eula|prohib|forbid|permit|modif|not be|not sold|revers/i;

/**
 * How much of a long text is read: as much as an author would write. A hostile text may have a
 * mebibyte.
 */
const charactersMax = 4096;

export function closedIn({ tag, value }: ModinfoEntry): Strength | undefined {
  if (technical.has(tag) || !hint.test(value)) return undefined;
  const text = value.slice(0, charactersMax).toLowerCase();
  if (isLegal(tag) && wordsOfLicense.test(text)) return 'closed';
  if (ofTheDriver.some((each) => each.test(text)) || closedTermsIn(text).length > 0)
    return 'closed';
  return words.test(text) ? 'odd' : undefined;
}
