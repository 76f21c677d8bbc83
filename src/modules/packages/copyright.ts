/**
 * What a package states of its licence: Debian's machine-readable copyright file (DEP-5), or the License tag
 * of an rpm. Text without that structure is kept as `plain`, and its licence is not guessed.
 *
 *   Files: module/*
 *   Copyright: 2013-2018 …
 *   License: GPL-2
 *
 * Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
import { paragraphsOf } from './deb.ts';

export type LicenceStatement =
  | {
      readonly kind: 'by files';
      /** In the order of the file: of the patterns that match, the last one counts. */
      readonly files: readonly LicensedFiles[];
      /** For the package as a whole, from the header paragraph. */
      readonly whole: string | undefined;
    }
  /** An rpm's License tag. */
  | { readonly kind: 'tag'; readonly licence: string }
  | { readonly kind: 'plain' };

export interface LicensedFiles {
  readonly patterns: readonly string[];
  /** As written: `GPL-2+`, `GPL-2 or GPL-3`. */
  readonly licence: string;
}

const maxPatterns = 20_000;
const maxPatternCharacters = 1024;
const maxLicenceCharacters = 1024;

/** Of a file `copyright`. Throws FormatError when it is longer than any such file. */
export function readCopyright(text: string): LicenceStatement {
  const [header, ...paragraphs] = paragraphsOf(text);
  if (!/copyright-format|dep-?5/i.test(header?.get('format') ?? '')) return { kind: 'plain' };
  const files: LicensedFiles[] = [];
  let count = 0;
  for (const paragraph of paragraphs) {
    const patterns = (paragraph.get('files') ?? '').split(/\s+/).filter((each) => each !== '');
    const licence = shortName(paragraph.get('license'));
    count += patterns.length;
    if (patterns.length === 0 || licence === undefined || count > maxPatterns) continue;
    files.push({ patterns, licence });
  }
  const whole = shortName(header?.get('license'));
  return files.length === 0 && whole === undefined
    ? { kind: 'plain' }
    : { kind: 'by files', files, whole };
}

/** The first line of the field is the licence's name, what follows its text. */
function shortName(field: string | undefined): string | undefined {
  const name = field?.split('\n', 1)[0]?.trim() ?? '';
  return name === '' || name.length > maxLicenceCharacters ? undefined : name;
}

/** The licence stated for one file of the source, its path relative to the source's folder. */
export function licenceOfFile(statement: LicenceStatement, path: string): string | undefined {
  if (statement.kind === 'plain') return undefined;
  if (statement.kind === 'tag') return statement.licence;
  const paragraph = statement.files.findLast((each) =>
    each.patterns.some((pattern) => matches(pattern, path)),
  );
  return paragraph?.licence ?? statement.whole;
}

/** Licences of everything but the packaging itself, each once. */
export function statedLicences(statement: LicenceStatement): readonly string[] {
  if (statement.kind === 'plain') return [];
  if (statement.kind === 'tag') return [statement.licence];
  const files = statement.files.filter(
    (each) => !each.patterns.every((pattern) => pattern.startsWith('debian/')),
  );
  const licences = files.map((each) => each.licence);
  return [...new Set(statement.whole === undefined ? licences : [...licences, statement.whole])];
}

/**
 * DEP-5's wildcards: `*` (slashes too), `?`, and `\` before one of them. Goes back to the last star only, so
 * that the time is bounded by the product of the lengths.
 */
function matches(pattern: string, path: string): boolean {
  if (pattern.length > maxPatternCharacters) return false;
  const parts = pattern.replace(/^\.\//, '').match(/\\[\s\S]|[\s\S]/g) ?? [];
  let part = 0;
  let star = -1;
  let resume = 0;
  for (let at = 0; at < path.length;) {
    const token = parts[part];
    if (token === '*') {
      star = part++;
      resume = at;
    } else if (token === '?' || (token !== undefined && token.at(-1) === path[at])) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++resume;
    } else return false;
  }
  return parts.slice(part).every((token) => token === '*');
}
