/**
 * The words of a source: every name that a compiler could have taken from it, whether written whole
 * or pasted together by a macro.
 */
import { joinPath, textOfSource, type SourceTree } from './source-tree.ts';

const wordsMax = 4_000_000;
const piecesMax = 4;
const nameLengthMax = 100;
const workMax = 10_000_000;
/** The shortest piece that counts: short words are everywhere, and would explain any name. */
const pieceLengthMin = 3;
const filesMax = 50_000;
const bytesMax = 256 * 1024 * 1024;
const directoryDepthMax = 24;

/** Returns the words of all files below some directories; undefined if there are too many. */
export function wordsBelow(
  tree: SourceTree,
  directories: readonly string[],
  wanted: (name: string) => boolean = () => true,
): SourceWords | undefined {
  const words = new SourceWords();
  const queue = directories.map((directory) => ({ directory, depth: 0 }));
  let [files, bytes] = [0, 0];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const name of tree.list(next.directory) ?? []) {
      const path = joinPath(next.directory, name.replace(/\/$/, ''));
      if (name.endsWith('/')) {
        if (next.depth < directoryDepthMax) queue.push({ directory: path, depth: next.depth + 1 });
        continue;
      }
      const content = wanted(name) ? tree.read(path) : undefined;
      if (content === undefined) continue;
      bytes += content.length;
      if (++files > filesMax || bytes > bytesMax) return undefined;
      words.add(content);
    }
  }
  return words;
}

export class SourceWords {
  readonly #words = new Set<string>();
  /** Pieces next to `##`, or meant to be. */
  readonly #pasted = new Set<string>();

  add(bytes: Uint8Array): void {
    const text = textOfSource(bytes);
    for (const [word] of text.matchAll(/[A-Za-z_]\w*/g)) {
      if (this.#words.size < wordsMax) this.#words.add(word);
    }
    for (let at = text.indexOf('##'); at >= 0; at = text.indexOf('##', at + 2)) {
      const before = /(\w+)[ \t]*$/.exec(text.slice(Math.max(0, at - nameLengthMax), at))?.[1];
      const after = /^[ \t]*(\w+)/.exec(text.slice(at + 2, at + 2 + nameLengthMax))?.[1];
      for (const each of [before, after]) if (each !== undefined) this.#pasted.add(each);
    }
    // Such an argument is only useful for pasting, by a macro that another one calls.
    for (const [, piece = ''] of text.matchAll(/[(,]\s*(_\w+|\w+_)\s*(?=[,)])/g)) {
      this.#pasted.add(piece);
    }
  }

  has(word: string): boolean {
    return this.#words.has(word);
  }

  isPasted(piece: string): boolean {
    return this.#pasted.has(piece);
  }
}

/**
 * A search for names in the words and pieces of several texts, as a header's macro pastes what a
 * source gives it.
 */
export class NameSearch {
  readonly #texts: readonly SourceWords[];
  #work = 0;

  constructor(texts: readonly SourceWords[]) {
    this.#texts = texts;
  }

  /** Whether a name is a word, or words and pieces that macros paste. */
  explains(name: string): boolean {
    if (this.#isWord(name)) return true;
    // A name that would take too long to check does not count as missing.
    if (name.length > nameLengthMax || this.#work > workMax) return true;
    return this.#pastes(name, piecesMax, false);
  }

  #isWord(name: string): boolean {
    return this.#texts.some((each) => each.has(name));
  }

  /**
   * Whether pieces give the name, at least one of them pasted by a macro: otherwise any words would
   * explain a name.
   */
  #pastes(rest: string, pieces: number, pasted: boolean): boolean {
    for (let length = rest.length; length > 0; length--) {
      this.#work++;
      const piece = rest.slice(0, length);
      const isPasted = this.#texts.some((each) => each.isPasted(piece));
      const isWord = length >= pieceLengthMin && this.#isWord(piece);
      if (!isPasted && !isWord && !/^\d+$/.test(piece)) continue;
      if (length === rest.length) {
        if (pasted || isPasted) return true;
      } else if (pieces > 1 && this.#pastes(rest.slice(length), pieces - 1, pasted || isPasted)) {
        return true;
      }
    }
    return false;
  }
}
