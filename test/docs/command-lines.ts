/** Command lines of Bulkhead in the documentation, compared with the commands that exist. */
import type { Command } from 'commander';
import { blocks } from './pages.ts';

export interface CommandLine {
  readonly words: readonly string[];
  /** Whether it is to be typed as it is; text may name a command without its arguments. */
  readonly isWhole: boolean;
}

/** Splits a shell command: `stop erin --reason "ticket 4711"` has four words. */
export const wordsOf = (line: string): readonly string[] =>
  line.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];

/** The commands of a page: in its console blocks, and named in its text. */
export function* commandsOf(text: string): Generator<CommandLine> {
  const typed = /^(?:\$ )?(?:\.\/)?bulkhead (.*?)(?:\s+#.*|\s+>.*)?$/;
  for (const line of blocks(text, 'console').join('\n').split('\n')) {
    const found = typed.exec(line)?.[1];
    if (found !== undefined) yield { words: wordsOf(found), isWhole: true };
  }
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '');
  for (const [, named = ''] of prose.matchAll(/`(?:\.\/)?bulkhead ([a-z][^`]*)`/g))
    yield { words: wordsOf(named.replace(/[ ,]*…$/, '')), isWhole: false };
}

/** Returns what is wrong with a command line: a name, an option, or the number of arguments. */
export function problemOf(program: Command, { words, isWhole }: CommandLine): string | undefined {
  let command = program;
  const args: string[] = [];
  const rest = words.includes('--') ? words.slice(0, words.indexOf('--')) : [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (/^--?[a-z]/.test(word)) {
      const values = valuesOf(command, word, rest);
      if (values === undefined) return `there is no option ${word}`;
      rest.splice(0, values);
      continue;
    }
    const inner = args.length > 0 ? undefined : named(command, word);
    if (inner === undefined) args.push(word);
    else command = inner;
  }
  return problemOfArguments(command, args, isWhole);
}

const named = (command: Command, name: string) =>
  command.commands.find((each) => each.name() === name);

/** Returns how many of the words after an option are its values; undefined if there is no such option. */
function valuesOf(command: Command, word: string, rest: readonly string[]): number | undefined {
  const [name = '', value] = word.split('=', 2);
  const option = command.options.find((each) => each.long === name || each.short === name);
  if (option === undefined) return name === '--help' ? 0 : undefined;
  const end = rest.findIndex((each) => each.startsWith('-'));
  if (option.variadic) return end === -1 ? rest.length : end;
  return option.required && value === undefined ? 1 : 0;
}

function problemOfArguments(command: Command, args: readonly string[], isWhole: boolean) {
  const { registeredArguments: takes } = command;
  if (args.length > takes.length && takes.at(-1)?.variadic !== true)
    return `"${command.name()}" has no use for "${args[takes.length] ?? ''}"`;
  if (isWhole && args.length < takes.filter((each) => each.required).length)
    return `an argument of "${command.name()}" is missing`;
  return undefined;
}
