/**
 * XML text → elements with exact offsets, so that an edit changes nothing else.
 *
 * Bounded: size, depth and number of elements. A document type declaration is refused, which rules
 * out external entities and entity bombs. Comments and layout are not kept here: they remain in the
 * text, between the offsets.
 */
import { SaxesParser } from 'saxes';
import { printable } from '../../packages/base/printable.ts';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { Diagnostics, type Located, type Span } from './diagnostic.ts';

export const bytesMax = 16 * 2 ** 20;
const depthMax = 16;
const elementsMax = 500_000;

interface XmlAttribute extends Span {
  readonly name: string;
  /** `start` and `end` of the value are inside the quotes. */
  readonly value: Located<string>;
}

export interface XmlElement extends Span {
  readonly name: string;
  readonly parent: XmlElement | undefined;
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly XmlElement[];
  /** The offset after the `>` of the start tag. */
  readonly contentStart: number;
  /** The offset before the `</` of the end tag; the same as `contentStart` in `<x/>`. */
  readonly contentEnd: number;
  readonly selfClosing: boolean;
}

export function xmlAttribute(element: XmlElement, name: string): Located<string> | undefined {
  return element.attributes.find((each) => each.name === name)?.value;
}

export const childrenOf = (element: XmlElement, name: string) =>
  element.children.filter((child) => child.name === name);

type Building<T> = { -readonly [K in keyof T]: T[K] };
type BuildingElement = Building<Omit<XmlElement, 'attributes' | 'children'>> & {
  attributes: XmlAttribute[];
  children: BuildingElement[];
};

/** Decodes bytes; only UTF-8 is accepted, with or without a byte order mark. */
export function decodeXml(bytes: Uint8Array): Result<string, Cause> {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return fail({ reason: 'it is UTF-16', hint: 'save it as UTF-8' });
  }
  try {
    return ok(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return fail({ reason: 'it is not UTF-8: it holds other bytes', hint: 'save it as UTF-8' });
  }
}

/** Thrown to leave the parser at the first error: more errors would be noise. */
class Stop extends Error {}

/** Returns the root of a well-formed text; the same one for a text whose tree somebody still has. */
export function parseXml(text: string, diagnostics: Diagnostics): XmlElement | undefined {
  const known = knownTree(text);
  if (known !== undefined) return known;
  const builder = new Builder(text, diagnostics);
  try {
    builder.run();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return undefined;
  }
  // Whoever parses a text with mistakes again must hear of them again.
  if (builder.root !== undefined && !builder.hasMistakes) keepTree(text, builder.root);
  return builder.root;
}

/** Smaller texts are parsed in no time. */
const largeCharacters = 2 ** 16;
const treesMax = 3;

interface Tree {
  readonly text: string;
  readonly root: WeakRef<XmlElement>;
}

/**
 * The trees of the large texts that were parsed last, as long as somebody uses them: a change of a policy needs the texts
 * before and after several times, and parsing a large one takes a fifth of a second.
 */
let largeTrees: readonly Tree[] = [];

function knownTree(text: string): XmlElement | undefined {
  if (text.length < largeCharacters) return undefined;
  return largeTrees.find((each) => each.text === text)?.root.deref();
}

function keepTree(text: string, root: XmlElement): void {
  if (text.length < largeCharacters) return;
  const others = largeTrees.filter((each) => each.text !== text && each.root.deref() !== undefined);
  largeTrees = [{ text, root: new WeakRef(root) }, ...others].slice(0, treesMax);
}

class Builder {
  root: BuildingElement | undefined;
  /** Whether the text is well-formed, but has something that a policy must not have. */
  hasMistakes = false;
  readonly #text: string;
  readonly #diagnostics: Diagnostics;
  readonly #parser = new SaxesParser({ position: true });
  readonly #open: BuildingElement[] = [];
  #lastClosed: BuildingElement | undefined;
  #count = 0;
  /** The length of a byte order mark, which is a code unit of the text but not counted by saxes. */
  readonly #shift: number;

  constructor(text: string, diagnostics: Diagnostics) {
    this.#text = text;
    this.#diagnostics = diagnostics;
    this.#shift = text.startsWith('\uFEFF') ? 1 : 0;
  }

  run(): void {
    const parser = this.#parser;
    parser.on('error', (error) => this.#failed(error.message));
    parser.on('doctype', () =>
      this.#stop(
        Math.max(0, this.#text.indexOf('<!DOCTYPE')),
        'A document type declaration is not allowed: remove the line <!DOCTYPE …>',
      ),
    );
    parser.on('xmldecl', ({ version = '', encoding }) => {
      // XML 1.1 has other line ends and characters, and a merged policy is read as 1.0.
      if (version !== '1.0')
        this.#stop(0, `The file declares XML ${printable(version)}; declare version="1.0"`);
      if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding)) {
        this.#stop(
          0,
          `The file declares the encoding "${encoding}"; save it as UTF-8 and declare that`,
        );
      }
    });
    parser.on('text', (content) => this.#rejectText(content));
    parser.on('cdata', () => this.#rejectText('CDATA'));
    parser.on('opentagstart', (tag) => this.#start(tag.name));
    parser.on('attribute', ({ name, value }) => this.#attribute(name, value));
    parser.on('opentag', (tag) => this.#opened(tag.isSelfClosing));
    parser.on('closetag', () => this.#closed());
    parser.write(this.#text.slice(this.#shift));
    parser.close();
  }

  get #position(): number {
    return this.#parser.position + this.#shift;
  }

  #stop(offset: number, message: string): never {
    this.#diagnostics.error(offset, message);
    throw new Stop();
  }

  /**
   * Reports a parser error. An unclosed element is reported at its start, not where another element
   * ends.
   */
  #failed(message: string): never {
    // At another element's end tag, saxes closes it first and reports the error then.
    const unclosed = message.includes('unexpected close tag')
      ? this.#lastClosed
      : message.includes('unclosed tag')
        ? this.#open.at(-1)
        : undefined;
    if (unclosed !== undefined) {
      const { name, start } = unclosed;
      this.#stop(start, `<${name}> is not closed: end it with "/>", or with </${name}>`);
    }
    this.#stop(this.#position, xmlProblem(message));
  }

  #rejectText(content: string): void {
    if (content.trim() === '') return;
    this.hasMistakes = true;
    // Searched from its first letter, since a search for much text of one letter takes a time with its square.
    const after = this.#text.lastIndexOf('>', this.#position - content.trimStart().length - 1) + 1;
    const at = after + this.#text.slice(after).search(/\S/);
    this.#diagnostics.error(at, `Text is not allowed here: "${content.trim().slice(0, 40)}"`);
  }

  #start(name: string): void {
    const parent = this.#open.at(-1);
    const start = this.#text.lastIndexOf('<', this.#position - 1);
    if (this.#open.length >= depthMax) {
      this.#stop(start, `Elements are nested deeper than ${depthMax}; a policy needs three levels`);
    }
    if (++this.#count > elementsMax) {
      this.#stop(start, `The file has more than ${elementsMax} elements`);
    }
    const element: BuildingElement = {
      name,
      parent,
      attributes: [],
      children: [],
      start,
      end: start,
      contentStart: start,
      contentEnd: start,
      selfClosing: false,
    };
    parent?.children.push(element);
    this.root ??= element;
    this.#open.push(element);
  }

  #attribute(name: string, value: string): void {
    const end = this.#position - 1;
    const quote = this.#text[end] ?? '"';
    const start = this.#text.lastIndexOf(quote, end - 1) + 1;
    // Only white space is between the name and "=". A search for a long name of one letter takes a time with its square.
    const equals = this.#text.lastIndexOf('=', start - 2);
    const nameStart = this.#text.lastIndexOf(name.at(-1) ?? '', equals - 1) + 1 - name.length;
    this.#open.at(-1)?.attributes.push({
      name,
      start: nameStart,
      end: end + 1,
      value: { value, start, end },
    });
  }

  #opened(selfClosing: boolean): void {
    const element = this.#open.at(-1);
    if (element === undefined) return;
    element.contentStart = this.#position;
    element.selfClosing = selfClosing;
  }

  #closed(): void {
    const element = this.#open.pop();
    if (element === undefined) return;
    this.#lastClosed = element;
    element.end = this.#position;
    element.contentEnd = element.selfClosing
      ? element.contentStart
      : this.#text.lastIndexOf('</', this.#position);
  }
}

/** Converts saxes's messages, which start with `line:column: ` and end with a full stop. */
function xmlProblem(message: string): string {
  const plain = message.replace(/^\d+:\d+: /, '').replace(/\.$/, '');
  return `Cannot read the file as XML: ${plain}`;
}
