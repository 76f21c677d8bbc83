/** Splits a long list of names, written as running text. */
export const splitWords = (text: string): readonly string[] =>
  text.split(/\s+/).filter((word) => word !== '');
