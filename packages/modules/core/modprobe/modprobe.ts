/**
 * The configuration of modprobe: files in /etc/modprobe.d.
 *
 *     # a comment takes the whole line
 *     blacklist pcspkr
 *     install floppy /bin/false
 *     alias net-pf-9 x25
 *     options snd-hda-intel \
 *         power_save=1
 *
 * Names of modules are compared with `-` as `_`, so they are given with `_`. Source: modprobe.d(5).
 */
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

interface FileLine {
  readonly file: string;
  /** The number of the first line, from 1. */
  readonly line: number;
}

type ModprobeSetting = { readonly place: FileLine } & (
  | { readonly kind: 'blacklist'; readonly module: string }
  | { readonly kind: 'install' | 'remove'; readonly module: string; readonly command: string }
  | { readonly kind: 'alias'; readonly pattern: string; readonly module: string }
  | { readonly kind: 'options'; readonly module: string; readonly options: string }
  /** Modules that are loaded along, as written. */
  | {
      readonly kind: 'softdep' | 'weakdep';
      readonly module: string;
      readonly dependencies: string;
    }
);

interface ModprobeProblem {
  readonly place: FileLine;
  readonly message: string;
}

interface ModprobeConfig {
  readonly settings: readonly ModprobeSetting[];
  /** Lines that modprobe would ignore. */
  readonly problems: readonly ModprobeProblem[];
}

/** Lines beyond this are not read, which is reported. */
const linesMax = 100_000;

export function parseModprobe(file: string, text: string): ModprobeConfig {
  const settings: ModprobeSetting[] = [];
  const problems: ModprobeProblem[] = [];
  for (const { line, words } of logicalLines(text)) {
    const place = { file, line };
    if (line > linesMax) {
      problems.push({ place, message: `has more than ${linesMax} lines; the rest was not read` });
      break;
    }
    if (words.trim() === '' || words.startsWith('#')) continue;
    const parsed = parseLine(words, place);
    if (parsed.ok) settings.push(parsed.value);
    else problems.push({ place, message: parsed.error.reason });
  }
  return { settings, problems };
}

/** Yields logical lines. A backslash removes the end of the line, and otherwise itself. */
function* logicalLines(text: string): Generator<{ readonly line: number; readonly words: string }> {
  let parts: string[] = [];
  let start = 1;
  let line = 0;
  for (const raw of text.split('\n')) {
    line++;
    if (parts.length === 0) start = line;
    const continues = /(?:^|[^\\])(?:\\\\)*\\$/.test(raw);
    parts.push((continues ? raw.slice(0, -1) : raw).replaceAll(/\\(.)/g, '$1'));
    if (continues) continue;
    yield { line: start, words: parts.join('') };
    parts = [];
  }
  if (parts.length > 0) yield { line: start, words: parts.join('') };
}

function parseLine(text: string, place: FileLine): Result<ModprobeSetting, Cause> {
  const [kind = '', first, rest] = splitWords(text);
  if (!isKind(kind)) return fail({ reason: `"${kind}" is not a command of modprobe.d` });
  if (first === undefined) return fail({ reason: `"${kind}" names no module` });
  const module = underscored(first);
  if (kind === 'blacklist') return ok({ kind, module, place });
  if (rest === undefined) return fail({ reason: `"${kind} ${first}" is incomplete` });
  switch (kind) {
    case 'alias': {
      const [target = ''] = rest.split(/[\t ]/, 1);
      return ok({ kind, pattern: underscored(first), module: underscored(target), place });
    }
    case 'options':
      return ok({ kind, module, options: rest, place });
    case 'install':
    case 'remove':
      return ok({ kind, module, command: rest, place });
    case 'softdep':
    case 'weakdep':
      return ok({ kind, module, dependencies: rest, place });
  }
}

const kinds = ['blacklist', 'install', 'remove', 'alias', 'options', 'softdep', 'weakdep'] as const;
const isKind = (word: string): word is (typeof kinds)[number] =>
  kinds.some((each) => each === word);

/** Returns two words, and the rest as written. */
function splitWords(text: string): readonly (string | undefined)[] {
  const words = /^[\t ]*([^\t ]+)(?:[\t ]+([^\t ]+)(?:[\t ]+(.*\S))?)?/s.exec(text);
  return words === null ? [] : words.slice(1);
}

/**
 * Returns a name with underscores: `snd-hda-intel` is `snd_hda_intel`; a pattern in brackets stays.
 */
export const underscored = (name: string): string =>
  name.replaceAll(/\[[^\]]*\]?|-/g, (match) => (match === '-' ? '_' : match));

/** Commands that do nothing, so that `install NAME COMMAND` keeps a module out. */
const doesNothing = /^(?:\/usr)?\/bin\/(?:false|true)\b|^(?:\/usr)?\/sbin\/nologin\b/;

/**
 * Returns modules that modprobe never loads, and where that is written. `blacklist` does not count
 * by itself: it only stops loading by an alias.
 */
export function deniedModules(settings: readonly ModprobeSetting[]): ReadonlyMap<string, FileLine> {
  const denied = new Map<string, FileLine>();
  for (const each of settings) {
    if (each.kind === 'install' && doesNothing.test(each.command) && !denied.has(each.module))
      denied.set(each.module, each.place);
  }
  return denied;
}
