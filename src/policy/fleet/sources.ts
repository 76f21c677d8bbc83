/** The places in other texts from which the parts of a merged text come. Plain data: it goes from process to process. */
export interface Sources {
  /** The files of the layers, the first one below. */
  readonly files: readonly string[];
  /**
   * Four numbers a part, in the order of the text: its offset there, the number of its file, and the line and the column
   * in that file.
   */
  readonly parts: readonly number[];
}

export interface SourcePlace {
  /** Absent for the file of the last layer, which is the policy's own. */
  readonly file?: string;
  readonly line: number;
  readonly column: number;
}

const size = 4;

/** Returns where the part at this offset of the merged text was written. */
export function placeAt({ files, parts }: Sources, offset: number): SourcePlace {
  let low = 0;
  let high = Math.max(0, parts.length / size - 1);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((parts[middle * size] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const [start = 0, file = 0, line = 1, column = 1] = parts.slice(low * size, (low + 1) * size);
  const name = files[file];
  const isOwn = file === files.length - 1 || name === undefined;
  return { ...(!isOwn && { file: name }), line, column: column + Math.max(0, offset - start) };
}
