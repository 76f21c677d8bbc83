/** Long lists of names, written as one reads them. */
export const words = (text: string): readonly string[] =>
  text.split(/\s+/).filter((word) => word !== '');
