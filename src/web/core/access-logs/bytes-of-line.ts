/** The bytes of a line of an access log; undefined if it is not in the log's format. */
import type { ByteField } from './log-format.ts';

export function bytesReader({
  parts,
  part,
  pattern,
}: ByteField): (line: string) => number | undefined {
  const number = new RegExp(pattern);
  return (line) => {
    // An escaped quote is a visitor's.
    const plain = line.includes('\\') ? line.replaceAll(/\\[^]/g, '') : line;
    const all = plain.split('"');
    const found = all.length === parts ? number.exec(all[part] ?? '')?.[1] : undefined;
    if (found === undefined) return undefined;
    return found === '-' ? 0 : Number(found);
  };
}
