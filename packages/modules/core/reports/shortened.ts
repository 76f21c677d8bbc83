/**
 * The longest text in a report: no build writes longer ones, and a hostile one must not fill
 * reports that repeat it.
 */
const charactersMax = 2048;

/** Returns the text, or its beginning and its length if it is too long. */
export const shortened = (text: string): string =>
  text.length > charactersMax
    ? `${text.slice(0, charactersMax)}… (${text.length} characters)`
    : text;
