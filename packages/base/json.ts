/** JSON that is as printable on a terminal as it is in a pipe, and means what it meant. */

/**
 * Characters that `JSON.stringify` does not escape, but that control a terminal, reverse text direction or are
 * invisible.
 */
const acting = /[\p{Cc}\p{Cf}\u2028\u2029\u2065]/gu;

export function jsonText(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, undefined, indent);
  // The only control characters that it writes are its own line breaks.
  return json.replace(acting, (char) => (char === '\n' ? char : escaped(char)));
}

const escaped = (char: string) =>
  Array.from({ length: char.length }, (_, index) => char.charCodeAt(index))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('');

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses the text of an object; undefined if it is something else, or no JSON. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
