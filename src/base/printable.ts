/** Texts of others (names, files, programs) on their way to a terminal, a table or a log. */

/**
 * Controls that JSON leaves as they are, and those that turn the direction of a text, end its line or take no
 * room in it.
 */
// oxlint-disable-next-line no-control-regex -- these are what must not get through
const beyondJson = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
// oxlint-disable-next-line no-control-regex -- the same, and those that JSON escapes itself
const controls = new RegExp(`[\\u0000-\\u001f]|${beyondJson.source}`, 'g');

/** Control characters from a hostile file or name never reach a terminal. */
export function printable(text: string): string {
  return text.replace(controls, (char) => `\\u{${char.charCodeAt(0).toString(16)}}`);
}

/** The same for JSON, which stays JSON: `JSON.stringify` itself escapes only what is below U+0020. */
export const printableJson = (json: string): string =>
  json.replace(beyondJson, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
