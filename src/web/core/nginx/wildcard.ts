/**
 * Names with wildcards as glob(7) has them: `*`, `?`, `[a-z]`, `[!a-z]`, none of which is a slash, and none of
 * the first two a dot at the beginning of a name. The time is at most the product of the lengths, whatever the
 * pattern.
 */

export const isPattern = (path: string): boolean => /[*?[]/.test(path);

export function matchesPattern(path: string, pattern: string): boolean {
  const names = path.split('/');
  const patterns = pattern.split('/');
  return (
    names.length === patterns.length &&
    patterns.every((each, index) => matchesName(names[index] ?? '', each))
  );
}

type Piece = '*' | ((char: string) => boolean);

function matchesName(name: string, pattern: string): boolean {
  if (name.startsWith('.') && /^[*?[]/.test(pattern)) return false;
  const pieces = piecesOf(pattern);
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
