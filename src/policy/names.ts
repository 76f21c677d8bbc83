/** Names of packages: what they may contain, and the nearest one to what another program has. */

const nameMax = 64;

/** The characters of a name, without what a schema cannot express. */
export const nameCharacters = /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._@+&<>()-]{0,63}$/u;
/** Variation selectors, and the third mark in a row, are not printed: two names would look the same. */
const unprinted = String.raw`(?!.*(?:[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]|\p{M}{3}))`;
export const namePattern = new RegExp(nameCharacters.source.replace('^', `^${unprinted}`), 'u');
const notInName =
  /[^\p{L}\p{M}\p{N} ._@+&<>()-]|[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]|(?<=\p{M}{2})\p{M}/gu;

/** Returns the text if it is a name, or else the nearest name: every other character is replaced. */
export function nearestName(text: string): string {
  if (namePattern.test(text)) return text;
  const name = text.replace(notInName, '_');
  return cutName(/^[\p{L}\p{N}]/u.test(name) ? name : `p${name}`);
}

/** Cuts a name to a length, in UTF-16 units, and never inside a character of two. */
export const cutName = (name: string, length = nameMax): string =>
  name.slice(0, length).replace(/[\ud800-\udbff]$/, '');

/** Returns the name, with a number if it is taken. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number++) {
    const ending = `-${number}`;
    name = `${cutName(wanted, nameMax - ending.length)}${ending}`;
  }
  return name;
}
