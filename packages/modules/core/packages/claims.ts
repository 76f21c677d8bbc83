/**
 * Whether a package's stated license contradicts its module's claim.
 *
 * Only what cannot be reconciled contradicts. The module must claim terms of the GPL version 2, and
 * all that the package can mean must exclude them (GPL 3 only, proprietary). Unknown, mixed or
 * further terms are `undecided`: an unfounded accusation is the worse error. If some terms are
 * closed by their very name (`ACME-EULA`), it is `doubtful`: worth checking, since a package often
 * states one license for more than its modules.
 */
import { closedTermsIn } from '../evidence/closed-terms.ts';
import { isCompatibleLicense } from '../loader/licenses.ts';
import type { LicenseStatement } from './copyright.ts';

interface ClaimCheck {
  readonly result: 'agrees' | 'contradicts' | 'doubtful' | 'undecided';
  /** One sentence, which quotes both. */
  readonly message: string;
}

/** A package's statement, weighed once for its modules, of which there may be thousands. */
export type PackageTerms = StatedTerms | { readonly unclear: string };

interface StatedTerms {
  readonly stated: string;
  readonly gpl2: Gpl2;
  /** Stated licenses that are closed by name. */
  readonly closed: readonly string[];
  /** Whether all that is stated are known licenses that do not give the terms of the GPL 2. */
  readonly apart: boolean;
}

export function termsOf(statement: LicenseStatement | undefined): PackageTerms {
  if (statement === undefined) return { unclear: 'The package states no license' };
  if (statement.kind === 'plain') {
    const { closedTerms: closed } = statement;
    const shown = closed.map((each) => `"${each}"`).join(', ');
    if (closed.length > 0)
      return { stated: `its package states ${shown}`, gpl2: 'unknown', closed, apart: false };
    return {
      unclear: 'The package states its license as free text, which is not interpreted',
    };
  }
  const { licenses, more } = statement;
  const shown = licenses.slice(0, 4).map((each) => `"${each}"`);
  const stated = [...shown, ...(licenses.length > 4 ? ['…'] : [])].join(', ');
  if (more) return { unclear: `The package states more than ${licenses.length} licenses` };
  return {
    stated: `the package states ${stated}`,
    gpl2: agreed(licenses.map(gpl2Terms)),
    closed: licenses.filter(namesClosedTerms),
    apart: licenses.every(isApart),
  };
}

/** Compares the two. `claim` is the module's first `license=`. */
export function checkClaim(claim: string | undefined, terms: PackageTerms): ClaimCheck {
  if ('unclear' in terms) return { result: 'undecided', message: terms.unclear };
  const { stated, gpl2, closed, apart } = terms;
  if (claim === undefined || !isCompatibleLicense(claim)) {
    const claims = claim === undefined ? 'nothing' : `"${claim}"`;
    return { result: 'undecided', message: `The module claims ${claims}; ${stated}` };
  }
  switch (gpl2) {
    case 'allowed':
      return { result: 'agrees', message: `The module claims "${claim}", and ${stated}` };
    case 'excluded':
      return {
        result: 'contradicts',
        message: `The module claims "${claim}", but ${stated}, which exclude the terms of the GPL version 2`,
      };
    case 'unknown':
      return apart
        ? {
            result: 'doubtful',
            message: `The module claims "${claim}"; ${stated}, which does not give the terms of the GPL version 2`,
          }
        : {
            result: closed.length > 0 ? 'doubtful' : 'undecided',
            message: `The module claims "${claim}"; ${stated}`,
          };
  }
}

/**
 * Whether the license is closed by its name. The GPL in another version, or an unknown name, is
 * not.
 */
const namesClosedTerms = (license: string): boolean =>
  /\beula\b|\bnon-?free\b|\bproprietary\b|(?<!non[- ]?)\bcommercial\b|\bclosed[- ]source\b/i.test(
    license,
  ) || closedTermsIn(license).length > 0;

/** Published licenses that add restrictions to the GPL version 2, or forbid some uses. */
const apart: readonly RegExp[] = [
  /^apache(?: license)?(?:[ -]?v?(?:1\.[01]|2(?:\.0)?))?$/,
  /^(?:busl|bsl)-?1\.[01]$|^business source licen[cs]e/,
  /^cc-by-(?:nc|nd|nc-nd|nc-sa)(?:-\d\.\d)?$/,
  /^(?:sspl|elastic|epl|cpl|eupl|polyform|osl|afl|qpl|npl|mpl-1\.[01]|bsd-4-clause|json|openssl)\b/,
  /\bcommons[- ]clause\b/,
];

/** Whether all licenses of an expression add such restrictions. */
function isApart(expression: string): boolean {
  if (expression.length > maxExpressionCharacters) return false;
  const parts = folded(expression)
    .toLowerCase()
    .split(/[()]| and | or | ?[&|,;]+ ?/)
    .map((each) => each.trim())
    .filter((each) => each !== '');
  return parts.length > 0 && parts.every((part) => apart.some((each) => each.test(part)));
}

/** Whether a license lets its work be used under the GPL version 2. */
type Gpl2 = 'allowed' | 'excluded' | 'unknown';

const maxExpressionCharacters = 1024;

/**
 * Returns what an expression of Debian, SPDX or rpm allows: `GPL-2 or GPL-3`, `(GPL-2.0-only OR
 * MIT) AND BSD`. One `or` that allows is enough; joined by `and`, all must say the same.
 */
export function gpl2Terms(expression: string): Gpl2 {
  if (expression.length > maxExpressionCharacters) return 'unknown';
  const words = folded(expression).replace(/[ -]or[ -](any[ -])?(later|newer)\b/gi, '+');
  const inner = /\(([^()]*)\)/.exec(words)?.[1];
  // The innermost brackets are evaluated, and replaced by a word.
  if (inner !== undefined && (/ (and|or) /i.test(words) || words === `(${inner})`)) {
    return gpl2Terms(words.replace(/\([^()]*\)/, ` ${placeholders[gpl2Terms(inner)]} `));
  }
  const choices = words.split(/ or | ?\|\|? ?/i).map(allOf);
  if (choices.includes('allowed')) return 'allowed';
  return choices.every((each) => each === 'excluded') ? 'excluded' : 'unknown';
}

/** Folds runs of blanks. A pattern for runs would search from each blank to the end of the run. */
const folded = (expression: string): string =>
  expression.replace(/[\s-]+/g, (run) => (run === '-' ? run : ' ')).trim();

const placeholders: Readonly<Record<Gpl2, string>> = {
  allowed: 'LicenseThatAllows',
  excluded: 'LicenseThatExcludes',
  unknown: 'LicenseUnknown',
};

function allOf(expression: string): Gpl2 {
  const parts = expression.split(/ and | ?[&,;]+ ?/i).filter((each) => each.trim() !== '');
  return agreed(parts.map(ofOne));
}

/** Returns what all of them are; `unknown` if they differ or there are none. */
function agreed(found: readonly Gpl2[]): Gpl2 {
  const [first = 'unknown'] = found;
  return found.every((each) => each === first) ? first : 'unknown';
}

/** Licenses that are permissive, or have a clause that leads to the GPL 2. */
const allowing: readonly RegExp[] = [
  /^licensethatallows$/,
  // GPL without a version means any version.
  /^gpl$/,
  /^gpl ?v?[12](\.0)?(\+|-only| only)?$/,
  /^lgpl$/,
  /^lgpl ?v?2(\.[01])?(\+|-only| only)?$/,
  /^(expat|x11|mit|mit\/x11|isc|zlib|0bsd|wtfpl|cc0(-1\.0)?|unlicense|public[- ]domain)$/,
  /^bsd(-[23]-clause)?$/,
  /^mpl-?2\.0$/,
  /^dual (bsd|mit|mpl)\/gpl$/,
];

/** Licenses whose terms and the GPL 2's cannot be met at once. */
const excluding: readonly RegExp[] = [
  /^licensethatexcludes$/,
  /^[al]?gpl ?v?3(\.0)?(\+|-only| only)?$/,
  /^cddl(-?1\.[01])?$/,
  // Words that exclude any use under the GPL.
  /^(?:(?!non)[\w.]+ ){0,3}(proprietary|commercial|closed[- ]source|eula|nda|non-disclosure agreement|confidential)( licen[cs]e| software)?$/,
];

function ofOne(license: string): Gpl2 {
  const [name = '', exception] = license
    .trim()
    .toLowerCase()
    .split(/\s(?:with|w\/)\s/);
  const plain = name.replace(/^gnu /, '').replace(/^([al]?gpl)[- ]v?(?=\d)/, '$1');
  if (allowing.some((each) => each.test(plain))) return 'allowed';
  if (!excluding.some((each) => each.test(plain))) return 'unknown';
  // An exception gives more than the license itself, perhaps just this.
  return exception === undefined ? 'excluded' : 'unknown';
}
