/**
 * The headers of an object, found only by text: each `#include "…"` whose file is next to the one
 * that names it, conditions ignored. Cheap, needs no kernel, and right for 19 of 20 modules.
 */
import { directoryWithSlash, textOfSource, type LocatedFile } from '../source/source-tree.ts';

const filesMax = 2000;
const includesMax = 2000;

/** One `#include "…"`. */
interface LocalInclude {
  readonly name: string;
  /** Whether a condition other than the header's own guard decides on it. */
  readonly conditional: boolean;
}

/** Returns the text with its block comments as blanks, in one pass. */
function withoutComments(text: string): string {
  const parts: string[] = [];
  let at = 0;
  while (at < text.length) {
    const start = text.indexOf('/*', at);
    if (start < 0) break;
    const end = text.indexOf('*/', start + 2);
    parts.push(text.slice(at, start), ' ');
    at = end < 0 ? text.length : end + 2;
  }
  parts.push(text.slice(at));
  return parts.join('');
}

function localIncludes(bytes: Uint8Array): readonly LocalInclude[] {
  const found: LocalInclude[] = [];
  let depth = 0;
  let guarded = false;
  let first = true;
  const directive = /^[ \t]*#[ \t]*(ifndef|ifdef|if|endif|include)\b[ \t]*([^\n]*)/gm;
  for (const [, keyword, rest = ''] of withoutComments(textOfSource(bytes)).matchAll(directive)) {
    const name = keyword === 'include' ? /^"([^"]+)"/.exec(rest)?.[1] : undefined;
    if (name !== undefined) found.push({ name, conditional: depth > (guarded ? 1 : 0) });
    if (keyword === 'endif') depth--;
    else if (keyword !== 'include') depth++;
    if (first && keyword === 'ifndef') guarded = true;
    first = false;
    if (found.length >= includesMax) break;
  }
  return found;
}

/** A count of the includes that may still be followed for one module. */
export interface IncludeBudget {
  left: number;
}

interface TextualIncludes {
  /** The headers in the order in which they are first named, depth first. */
  readonly files: readonly string[];
  /** Whether a preprocessor could come to another list, as far as these files go. */
  readonly conditional: boolean;
}

/**
 * Follows the includes. `locate` finds the file under a name as the compiler spells it, and may
 * return another spelling.
 */
export function textualIncludes(
  source: string,
  locate: (
    spelling: string,
  ) => { readonly spelling: string; readonly file: LocatedFile } | undefined,
  budget: IncludeBudget,
): TextualIncludes {
  const seen = new Set([source]);
  const files: string[] = [];
  let conditional = false;
  const visit = (spelling: string, file: LocatedFile, depth: number): void => {
    const includes = file.tree.derived('local includes', file.path, localIncludes) ?? [];
    for (const each of includes) {
      if (budget.left-- <= 0) conditional = true;
      if (budget.left < 0) return;
      const found = locate(directoryWithSlash(spelling) + each.name);
      if (found === undefined) continue;
      if (each.conditional) conditional = true;
      if (seen.has(found.spelling) || files.length >= filesMax || depth > 100) continue;
      seen.add(found.spelling);
      files.push(found.spelling);
      visit(found.spelling, found.file, depth + 1);
    }
  };
  const main = locate(source);
  if (main !== undefined) visit(source, main.file, 0);
  return { files, conditional };
}
