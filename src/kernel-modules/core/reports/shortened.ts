/** No build writes longer texts; a hostile one must not fill reports that have it several times. */
const charactersMax = 2048;

/** The beginning of a text that is too long, and how long it is. */
export const shortened = (text: string): string =>
  text.length > charactersMax
    ? `${text.slice(0, charactersMax)}… (${text.length} characters)`
    : text;
