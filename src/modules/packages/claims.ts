/**
 * Does the licence that a package states contradict the one that its module claims?
 *
 * Only what cannot be reconciled contradicts: the module claims terms of the GPL version 2, and everything
 * that the package could mean by it is under terms that exclude those (GPL 3 alone, proprietary). Whatever is
 * not known, mixed, or under further terms is `cannot tell`: an unfounded accusation is the worse error.
 */
import { isCompatibleLicence } from '../loader/licences.ts';
import { licenceOfFile, type LicenceStatement, statedLicences } from './copyright.ts';

export interface ClaimCheck {
  readonly result: 'agrees' | 'contradicts' | 'cannot tell';
  /** One sentence, with the words of both. */
  readonly says: string;
}

/**
 * `claim` is the module's first `license=`. `files` are paths of its source files inside the source package,
 * where they are known: then only what is stated for those counts.
 */
export function checkClaim(
  claim: string | undefined,
  statement: LicenceStatement | undefined,
  files: readonly string[] = [],
): ClaimCheck {
  if (statement === undefined) return cannotTell('The package states no licence');
  if (statement.kind === 'plain') {
    return cannotTell(
      'The package states its licence as text without structure, which is not guessed at',
    );
  }
  const licences = licencesFor(statement, files);
  if (licences.length === 0) return cannotTell('The package states no licence for these files');
  const stated = licences
    .slice(0, 4)
    .map((each) => `"${each}"`)
    .join(', ');
  const words = `the package states ${stated}${licences.length > 4 ? ', …' : ''}`;
  if (claim === undefined || !isCompatibleLicence(claim)) {
    return cannotTell(
      `The module claims ${claim === undefined ? 'nothing' : `"${claim}"`}; ${words}`,
    );
  }
  return compare(claim, words, licences.map(gpl2Standing));
}

const cannotTell = (says: string): ClaimCheck => ({ result: 'cannot tell', says });

function licencesFor(statement: LicenceStatement, files: readonly string[]): readonly string[] {
  if (files.length === 0) return statedLicences(statement);
  const found = files.map((file) => licenceOfFile(statement, file));
  return [...new Set(found.filter((each) => each !== undefined))];
}

function compare(claim: string, words: string, found: readonly Gpl2[]): ClaimCheck {
  if (found.every((each) => each === 'allowed')) {
    return { result: 'agrees', says: `The module claims "${claim}", and ${words}` };
  }
  if (found.every((each) => each === 'excluded')) {
    return {
      result: 'contradicts',
      says: `The module claims "${claim}", but ${words}, which does not give the terms of the GPL version 2`,
    };
  }
  return cannotTell(`The module claims "${claim}"; ${words}`);
}

/** Whether a licence lets its work be used under the GPL version 2. */
export type Gpl2 = 'allowed' | 'excluded' | 'unknown';

const maxExpressionCharacters = 1024;

/**
 * Of an expression as Debian, SPDX or rpm write them: `GPL-2 or GPL-3`, `(GPL-2.0-only OR MIT) AND BSD`.
 * One `or` that allows is enough; joined by `and`, all must say the same.
 */
export function gpl2Standing(expression: string): Gpl2 {
  if (expression.length > maxExpressionCharacters) return 'unknown';
  const words = expression.trim().replace(/[\s-]+or[\s-]+(any[\s-]+)?(later|newer)\b/gi, '+');
  const inner = /\(([^()]*)\)/.exec(words)?.[1];
  // The innermost brackets are worked out, and a word stands for them.
  if (inner !== undefined && (/\s(and|or)\s/i.test(words) || words === `(${inner})`)) {
    return gpl2Standing(words.replace(/\([^()]*\)/, ` ${standIns[gpl2Standing(inner)]} `));
  }
  const choices = words.split(/\s+or\s+|\s*\|\|?\s*/i).map(allOf);
  if (choices.includes('allowed')) return 'allowed';
  return choices.every((each) => each === 'excluded') ? 'excluded' : 'unknown';
}

const standIns: Readonly<Record<Gpl2, string>> = {
  allowed: 'LicenceThatAllows',
  excluded: 'LicenceThatExcludes',
  unknown: 'LicenceUnknown',
};

function allOf(expression: string): Gpl2 {
  const parts = expression.split(/\s+and\s+|\s*[&,;]+\s*/i).filter((each) => each.trim() !== '');
  const found = new Set(parts.map(ofOne));
  const [only] = found;
  return found.size === 1 && only !== undefined ? only : 'unknown';
}

/** Permissive, or with a clause that leads to the GPL 2. */
const allowing: readonly RegExp[] = [
  /^licencethatallows$/,
  // GPL alone means any version.
  /^gpl$/,
  /^gpl ?v?[12](\.0)?(\+|-only| only)?$/,
  /^lgpl$/,
  /^lgpl ?v?2(\.[01])?(\+|-only| only)?$/,
  /^(expat|x11|mit|mit\/x11|isc|zlib|0bsd|wtfpl|cc0(-1\.0)?|unlicense|public[- ]domain)$/,
  /^bsd(-[23]-clause)?$/,
  /^mpl-?2\.0$/,
  /^dual (bsd|mit|mpl)\/gpl$/,
];

/** The GPL 2 and these cannot be met at once. */
const excluding: readonly RegExp[] = [
  /^licencethatexcludes$/,
  /^[al]?gpl ?v?3(\.0)?(\+|-only| only)?$/,
  /^cddl(-?1\.[01])?$/,
  // Words that say by themselves that nobody may use it under the GPL.
  /^(?:(?!non)[\w.]+ ){0,3}(proprietary|commercial|closed[- ]source|eula)( licen[cs]e| software)?$/,
];

function ofOne(licence: string): Gpl2 {
  const [name = '', exception] = licence
    .trim()
    .toLowerCase()
    .split(/\s(?:with|w\/)\s/);
  const plain = name.replace(/^gnu /, '').replace(/^([al]?gpl)[- ]v?(?=\d)/, '$1');
  if (allowing.some((each) => each.test(plain))) return 'allowed';
  if (!excluding.some((each) => each.test(plain))) return 'unknown';
  // An exception gives more than the licence alone, perhaps just this.
  return exception === undefined ? 'excluded' : 'unknown';
}
