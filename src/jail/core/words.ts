/** Splits a long list of names, written as running text. */
export const words = (text: string): readonly string[] =>
  text.split(/\s+/).filter((word) => word !== '');
