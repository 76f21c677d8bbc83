/**
 * The functions of GNU make that Kbuild makefiles use. Only `wildcard` touches files, and `shell`
 * never runs: output that is unknown without running it is noted, and its value is empty. Source:
 * GNU make manual, chapter 8.
 */
import { joinPath, baseNameOf, resolvePath } from '../source/source-tree.ts';

/** The parts of its makefile that a function may use. */
export interface MakeScope {
  expand(text: string): string;
  /** Splits arguments at the commas outside parentheses, at most into that many. */
  split(text: string, max?: number): readonly string[];
  get(name: string): string;
  raw(name: string): string;
  has(name: string): boolean;
  /** Runs with names bound for that time. */
  bound<T>(names: Readonly<Record<string, string>>, run: () => T): T;
  evaluate(text: string): void;
  exists(path: string): boolean;
  matching(pattern: string): readonly string[];
  /** Notes a command and returns the replacement for its output. */
  noteShell(command: string): string;
  /** Accounts for work; throws when there was too much of it. */
  charge(characters: number): void;
}

type MakeFunction = (scope: MakeScope, text: string) => string;

export const makeWords = (text: string): readonly string[] =>
  text.split(/\s+/).filter((each) => each !== '');

/**
 * Returns the part that `%` matches, '' for an equal word without `%`, undefined when the word does
 * not match.
 */
function stem(pattern: string, word: string): string | undefined {
  const percent = pattern.indexOf('%');
  if (percent < 0) return pattern === word ? '' : undefined;
  const [before, after] = [pattern.slice(0, percent), pattern.slice(percent + 1)];
  const matches =
    word.length >= before.length + after.length && word.startsWith(before) && word.endsWith(after);
  return matches ? word.slice(before.length, word.length - after.length) : undefined;
}

export function substitute(pattern: string, replacement: string, word: string): string {
  const found = stem(pattern, word);
  if (found === undefined) return word;
  return pattern.includes('%') ? replacement.replace('%', () => found) : replacement;
}

function filter(scope: MakeScope, text: string, wanted: boolean): string {
  const [patterns = '', candidates = ''] = expandAll(scope, text, 2);
  const all = makeWords(patterns);
  const exact = new Set(all.filter((each) => !each.includes('%')));
  const wild = all.filter((each) => each.includes('%'));
  const list = makeWords(candidates);
  scope.charge(wild.length * list.length);
  const matches = (word: string) =>
    exact.has(word) || wild.some((pattern) => stem(pattern, word) !== undefined);
  return list.filter((word) => matches(word) === wanted).join(' ');
}

const expandAll = (scope: MakeScope, text: string, max?: number): readonly string[] =>
  scope.split(text, max).map((each) => scope.expand(each));

/** Makes a function whose one argument is a list, of which each word is changed or dropped. */
const eachWord =
  (change: (word: string) => string): MakeFunction =>
  (scope, text) =>
    makeWords(scope.expand(text))
      .map(change)
      .filter((each) => each !== '')
      .join(' ');

const affix =
  (join: (affix: string, word: string) => string): MakeFunction =>
  (scope, text) => {
    const [added = '', list = ''] = expandAll(scope, text, 2);
    const all = makeWords(list);
    scope.charge(all.length * added.length);
    return all.map((word) => join(added, word)).join(' ');
  };

/** Tests of the compiler, answered as a recent compiler would: with the wanted option. */
const compilerQuestions: Readonly<Record<string, (args: readonly string[]) => string>> = {
  'cc-option': (args) => args[1] ?? '',
  'as-option': (args) => args[1] ?? '',
  'as-instr': (args) => args[2] ?? '',
  'ld-option': (args) => args[1] ?? '',
  'cc-option-yn': () => 'y',
  'cc-disable-warning': () => '',
};

function call(scope: MakeScope, text: string): string {
  const args = expandAll(scope, text);
  const name = (args[0] ?? '').trim();
  const question = Object.hasOwn(compilerQuestions, name) ? compilerQuestions[name] : undefined;
  if (question !== undefined) return question(args).trim();
  const bound: Record<string, string> = {};
  for (let index = 0; index < Math.max(10, args.length); index++) bound[index] = args[index] ?? '';
  return scope.bound(bound, () => scope.expand(scope.raw(name)));
}

/** The work charged for a turn: one that writes nothing takes its time too. */
const turnWork = 200;

function foreach(scope: MakeScope, text: string): string {
  const [name = '', list = '', body = ''] = scope.split(text, 3);
  const variable = scope.expand(name).trim();
  return makeWords(scope.expand(list))
    .map((word) => {
      scope.charge(turnWork);
      return scope.bound({ [variable]: word }, () => scope.expand(body));
    })
    .join(' ');
}

function substituteText(scope: MakeScope, text: string): string {
  const [from = '', to = '', within = ''] = expandAll(scope, text, 3);
  if (from === '') return within + to;
  const parts = within.split(from);
  scope.charge(parts.length * to.length + within.length);
  return parts.join(to);
}

function firstTrue(scope: MakeScope, text: string): string {
  for (const each of scope.split(text)) {
    const value = scope.expand(each.trim());
    if (value !== '') return value;
  }
  return '';
}

function allTrue(scope: MakeScope, text: string): string {
  let value = '';
  for (const each of scope.split(text)) {
    value = scope.expand(each.trim());
    if (value === '') return '';
  }
  return value;
}

function join(scope: MakeScope, text: string): string {
  const [first = '', second = ''] = expandAll(scope, text, 2);
  const [left, right] = [makeWords(first), makeWords(second)];
  const length = Math.max(left.length, right.length);
  return Array.from({ length }, (_, at) => (left[at] ?? '') + (right[at] ?? '')).join(' ');
}

function wordAt(scope: MakeScope, text: string): string {
  const [index = '', list = ''] = expandAll(scope, text, 2);
  return makeWords(list)[Number(index) - 1] ?? '';
}

function wordList(scope: MakeScope, text: string): string {
  const [first = '', last = '', list = ''] = expandAll(scope, text, 3);
  return makeWords(list)
    .slice(Math.max(0, Number(first) - 1), Math.max(0, Number(last)))
    .join(' ');
}

const absolute = (path: string): string =>
  path.startsWith('/') ? `/${resolvePath(path) ?? ''}` : (resolvePath(path) ?? path);

const byCharacters = (first: string, second: string): number =>
  first < second ? -1 : Number(first > second);

export const makeFunctions: ReadonlyMap<string, MakeFunction> = new Map<string, MakeFunction>([
  ['subst', substituteText],
  [
    'patsubst',
    (scope, text) => {
      const [pattern = '', replacement = '', list = ''] = expandAll(scope, text, 3);
      const all = makeWords(list);
      scope.charge(all.length * replacement.length);
      return all.map((word) => substitute(pattern.trim(), replacement.trim(), word)).join(' ');
    },
  ],
  ['strip', eachWord((word) => word)],
  [
    'findstring',
    (scope, text) => {
      const [sought = '', within = ''] = expandAll(scope, text, 2);
      return within.includes(sought) ? sought : '';
    },
  ],
  ['filter', (scope, text) => filter(scope, text, true)],
  ['filter-out', (scope, text) => filter(scope, text, false)],
  [
    'sort',
    (scope, text) => [...new Set(makeWords(scope.expand(text)))].toSorted(byCharacters).join(' '),
  ],
  ['word', wordAt],
  ['wordlist', wordList],
  ['words', (scope, text) => String(makeWords(scope.expand(text)).length)],
  ['firstword', (scope, text) => makeWords(scope.expand(text))[0] ?? ''],
  ['lastword', (scope, text) => makeWords(scope.expand(text)).at(-1) ?? ''],
  ['dir', eachWord((word) => word.slice(0, word.lastIndexOf('/') + 1) || './')],
  ['notdir', eachWord(baseNameOf)],
  ['suffix', eachWord((word) => /\.[^./]*$/.exec(word)?.[0] ?? '')],
  ['basename', eachWord((word) => word.replace(/\.[^./]*$/, ''))],
  ['addsuffix', affix((added, word) => word + added)],
  ['addprefix', affix((added, word) => added + word)],
  ['join', join],
  [
    'wildcard',
    (scope, text) =>
      makeWords(scope.expand(text))
        .flatMap((each) => scope.matching(each))
        .join(' '),
  ],
  [
    'realpath',
    (scope, text) =>
      makeWords(scope.expand(text))
        .map(absolute)
        .filter((each) => scope.exists(each))
        .join(' '),
  ],
  ['abspath', eachWord(absolute)],
  [
    'if',
    (scope, text) => {
      const [condition = '', then = '', otherwise = ''] = scope.split(text, 3);
      return scope.expand(scope.expand(condition.trim()).trim() === '' ? otherwise : then);
    },
  ],
  ['or', firstTrue],
  ['and', allTrue],
  ['foreach', foreach],
  ['call', call],
  [
    'eval',
    (scope, text) => {
      scope.evaluate(scope.expand(text));
      return '';
    },
  ],
  ['value', (scope, text) => scope.raw(scope.expand(text).trim())],
  ['origin', (scope, text) => (scope.has(scope.expand(text).trim()) ? 'file' : 'undefined')],
  ['flavor', (scope, text) => (scope.has(scope.expand(text).trim()) ? 'recursive' : 'undefined')],
  ['shell', (scope, text) => scope.noteShell(scope.expand(text))],
  ...['error', 'warning', 'info', 'file', 'guile'].map((name): [string, MakeFunction] => [
    name,
    () => '',
  ]),
]);

/** Matches `dir/*.o` with the names of a directory; only the last part may hold wildcards. */
export function matchWildcard(
  pattern: string,
  names: (directory: string) => ReadonlySet<string> | undefined,
): readonly string[] {
  const name = baseNameOf(pattern);
  const directory = pattern.slice(0, pattern.length - name.length);
  if (!/[*?[]/.test(name)) return [];
  const parts = name.split('*');
  return [...(names(directory) ?? [])]
    .filter((each) => !each.endsWith('/') && matchesParts(each, parts))
    .toSorted(byCharacters)
    .map((each) => (directory === '' ? each : joinPath(directory.replace(/\/$/, ''), each)));
}

/** Whether a name matches. Greedy from the left is enough for `*`, and takes linear time. */
function matchesParts(name: string, parts: readonly string[]): boolean {
  const [first = '', ...others] = parts;
  if (!name.startsWith(first)) return false;
  const last = others.pop();
  if (last === undefined) return name === first;
  let at = first.length;
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
