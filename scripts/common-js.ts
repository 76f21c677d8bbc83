/**
 * Chunks as CommonJS, which Node.js loads in half of the time that modules take: it looks for less on the disk.
 *
 * The names that chunks share are constants, where a module that may still change them would need getters: a command
 * takes a seventh less of a processor. So nothing may export what changes, which is searched for here in npm packages as
 * well, and no source may import in a circle, which the linter refuses.
 */
import { init, parse, type Export, type Import } from 'es-module-lexer';

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Returns a chunk that esbuild wrote as a module in CommonJS. Throws an error if it has a form that is unknown here. */
export async function asCommonJs(text: string): Promise<string> {
  await init();
  const [imports, exports] = parse(text);
  const { head, edits } = withRequire(text, imports, () => true);
  const url = imports.some(({ type }) => type === 'import-meta') ? [ownUrl] : [];
  const body = edited(text, [...edits, ...exportsAsObject(text, exports)]);
  return ['"use strict";', ...url, ...head, body].join('\n');
}

/** Returns an entry with chunks that it requires. It stays a module, since it may wait at its top level. */
export async function requiringChunks(text: string): Promise<string> {
  await init();
  const [imports] = parse(text);
  const { head, edits } = withRequire(text, imports, isChunk);
  return [requireOfModule, ...head, edited(text, edits)].join('\n');
}

/** CommonJS packages in entries ask for Node's own modules with it, too. */
const requireOfModule =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";
/** Scripts are found by the ending that entries have. */
const ownUrl =
  "const ownUrl = require('node:url').pathToFileURL(__filename.replace(/cjs$/, 'js')).href;";

const isChunk = ({ specifier }: Import) => specifier?.startsWith('.') === true;

/**
 * Returns the edits that take static imports out, with the lines that stand for them, and that load chunks late by
 * `require`. `import()` of a package stays as it is: it has a default export for each.
 */
function withRequire(
  text: string,
  imports: readonly Import[],
  isWanted: (each: Import) => boolean,
): { readonly head: readonly string[]; readonly edits: readonly Edit[] } {
  const head: string[] = [];
  const edits: Edit[] = [];
  for (const each of imports.filter(isWanted)) {
    const { type, specifier, importStart, importEnd } = each;
    if (type === 'static') {
      head.push(requireLine(text.slice(importStart, each.start - 1), specifier));
      edits.push({ start: importStart, end: importEnd + ';'.length, text: '' });
    } else if (type === 'import-meta') {
      const end = importEnd + '.url'.length;
      if (text.slice(importEnd, end) !== '.url') throw unknownForm(text, importStart);
      edits.push({ start: importStart, end, text: 'ownUrl' });
    } else if (type === 'dynamic' && isChunk(each)) {
      const late = `Promise.resolve().then(() => require(${JSON.stringify(specifier)}))`;
      edits.push({ start: importStart, end: importEnd, text: late });
    } else if (type !== 'dynamic') throw unknownForm(text, importStart);
  }
  return { head, edits };
}

const clausePattern =
  /^import\s*(?:(?<whole>[\w$]+)\s*,?\s*)?(?:\{(?<names>[^}]*)\}|\*\s*as\s+(?<all>[\w$]+))?\s*(?:from\s*)?$/;

/** Returns the line for the clause `import { a, b as c } from` of a module. */
function requireLine(clause: string, specifier: string): string {
  const { whole, names, all } = clausePattern.exec(clause)?.groups ?? {};
  const required = `require(${JSON.stringify(specifier)})`;
  const constants = [
    ...(names === undefined
      ? []
      : [`{ ${names.trim().replaceAll(/\s+as\s+/g, ': ')} } = ${required}`]),
    ...(all === undefined ? [] : [`${all} = ${required}`]),
    // Packages that were modules before say so.
    ...(whole === undefined
      ? []
      : [`${whole} = ((each) => each.__esModule ? each.default : each)(${required})`]),
  ];
  if (constants.length > 0) return `const ${constants.join(', ')};`;
  if (clause.trim() !== 'import') throw unknownForm(clause, 0);
  return `${required};`;
}

/** Returns the edit of the one list of exports, which ends a chunk. */
function exportsAsObject(text: string, exports: readonly Export[]): readonly Edit[] {
  const [first] = exports;
  if (first === undefined) return [];
  const { exportStart: start } = first;
  const list = exportPattern.exec(text.slice(start));
  if (list?.[1] === undefined || exports.some((each) => each.exportStart !== start))
    throw unknownForm(text, start);
  const locals = list[1].split(',').map((each) => each.trim().split(/\s/)[0] ?? '');
  const changing = locals.find((each) => changeOf(each).test(text));
  if (changing !== undefined)
    throw new Error(
      `A chunk exports ${changing}, which changes: export a function that returns it`,
    );
  const names = list[1].trim().replaceAll(/([\w$]+)\s+as\s+([\w$]+|"[^"]*")/g, '$2: $1');
  return [{ start, end: start + list[0].length, text: `module.exports = { ${names} };` }];
}

/** A statement that changes a variable, as esbuild writes it: on a line of its own. */
const changeOf = (name: string) =>
  new RegExp(`^\\s*${name.replaceAll('$', '\\$')}\\s*(?:[-+*/%&|^?<>]*=(?![=>])|\\+\\+|--)`, 'm');

const exportPattern = /^export\s*\{([^}]*)\};/;

function edited(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { start, end, text: by } of edits.toSorted((a, b) => b.start - a.start))
    result = result.slice(0, start) + by + result.slice(end);
  return result;
}

const unknownForm = (text: string, at: number) =>
  new Error(`A chunk has a form that is unknown here: ${text.slice(at, at + 80)}`);
