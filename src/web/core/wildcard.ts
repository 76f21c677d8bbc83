/**
 * Names with wildcards as glob(7) has them: `*`, `?`, `[a-z]`, `[!a-z]`, none of which is a slash, and none of
 * the first two a dot at the beginning of a name. The time is at most the product of the lengths, whatever the
 * pattern.
 */

export const isPattern = (path: string): boolean => /[*?[]/.test(path);

/** Returns whether a path matches the pattern, for many paths. */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const matchers = pattern.split('/').map((each) => nameMatcher(each));
  return (path) => {
    const names = path.split('/');
    return (
      names.length === matchers.length &&
      matchers.every((matches, index) => matches(names[index] ?? ''))
    );
  };
}

type Piece = '*' | ((char: string) => boolean);

/** Returns whether a name matches. With `dots`, a wildcard also matches a dot at the beginning, as for fnmatch(3). */
export function nameMatcher(pattern: string, { dots = false } = {}): (name: string) => boolean {
  if (!isPattern(pattern) && !pattern.includes('\\')) return (name) => name === pattern;
  const pieces = piecesOf(pattern);
  const hidesDots = !dots && /^[*?[]/.test(pattern);
  return (name) => !(hidesDots && name.startsWith('.')) && matchesName(name, pieces);
}

function matchesName(name: string, pieces: readonly Piece[]): boolean {
  let piece = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const now = pieces[piece];
    if (now === '*') {
      star = piece++;
      starAt = at;
    } else if (now?.(name[at] ?? '') === true) {
      piece++;
      at++;
    } else if (star >= 0) {
      // Makes the match of the last star one character longer.
      piece = star + 1;
      at = ++starAt;
    } else return false;
  }
  return pieces.slice(piece).every((each) => each === '*');
}

const pieceText = /\*|\?|\[(?<not>[!^]?)(?<set>\]?[^\]]*)\]|\\?(?<char>[^])/g;

function piecesOf(pattern: string): readonly Piece[] {
  return [...pattern.matchAll(pieceText)].map(({ 0: text, groups }): Piece => {
    if (text === '*') return '*';
    if (text === '?') return () => true;
    const { not, set, char } = groups ?? {};
    if (set === undefined) return (each) => each === char;
    return (each) => isInSet(each, set) === (not === '');
  });
}

function isInSet(char: string, set: string): boolean {
  for (let at = 0; at < set.length; at++) {
    const from = set[at] ?? '';
    const isRange = set[at + 1] === '-' && at + 2 < set.length;
    const to = isRange ? (set[at + 2] ?? '') : from;
    if (char >= from && char <= to) return true;
    if (isRange) at += 2;
  }
  return false;
}
