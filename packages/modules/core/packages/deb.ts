/**
 * The control format of Debian: paragraphs of fields, further lines indented, paragraphs apart by
 * an empty line. Field names without case. Source: Debian policy, chapter 5.
 *
 *   Package: v4l2loopback-dkms
 *   Description: Source for the driver
 *    This module …
 */
import { FormatError } from '../elf/bytes.ts';

/**
 * A paragraph: field name in lower case → value, its lines joined by newlines, without their indent
 * of one.
 */
type Paragraph = ReadonlyMap<string, string>;

const maxTextCharacters = 16 * 1024 * 1024;

/**
 * Splits the text into paragraphs. Lines that are not a field are skipped: copyright files have
 * such. Throws FormatError when the text is too long.
 */
export function paragraphsOf(text: string): readonly Paragraph[] {
  if (text.length > maxTextCharacters) {
    throw new FormatError(`is longer than ${maxTextCharacters} characters`, maxTextCharacters);
  }
  const paragraphs: Paragraph[] = [];
  let lines: string[] = [];
  for (const line of [...text.split('\n'), '']) {
    if (line.trim() !== '') lines.push(line);
    else if (lines.length > 0) {
      paragraphs.push(paragraphOf(lines));
      lines = [];
    }
  }
  return paragraphs.filter((each) => each.size > 0);
}

function paragraphOf(lines: readonly string[]): Paragraph {
  const fields = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const line of lines) {
    if (line.startsWith('#')) continue;
    if (/^[ \t]/.test(line)) {
      current?.push(line.slice(1).trimEnd());
      continue;
    }
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    current =
      /^[!-9;-~]+$/.test(name) && !fields.has(name) ? [line.slice(colon + 1).trim()] : undefined;
    if (current !== undefined) fields.set(name, current);
  }
  return new Map(Array.from(fields, ([name, value]) => [name, value.join('\n')]));
}

interface DebControl {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The source package's name. */
  readonly source: string;
}

/** Reads the file `control`, or one paragraph of dpkg's status. Throws FormatError. */
export function debControl(paragraph: Paragraph | undefined): DebControl {
  const name = paragraph?.get('package') ?? '';
  if (!/^[a-z0-9][a-z0-9+.-]{0,255}$/.test(name)) {
    throw new FormatError('has a control file without the name of a package', 0);
  }
  return {
    name,
    version: paragraph?.get('version') ?? '',
    architecture: paragraph?.get('architecture') ?? '',
    source: (paragraph?.get('source') ?? name).split(' ', 1).join(''),
  };
}
