/** Commands in makefiles whose output is known without running them. */
import { baseNameOf } from '../source/source-tree.ts';

/** Known facts about the machine and the directory that a makefile is read in. */
interface CommandContext {
  /** `uname -r` of the kernel that is built for. */
  readonly release: string;
  /** `uname -m`. */
  readonly machine: string;
  readonly directory: string;
}

export interface CommandResponse {
  readonly output: string;
  /** Whether it is the same wherever the source is built. */
  readonly certain: boolean;
}

/** A command without quotes, variables, pipes or lists, which is only its words. */
const plain = /^[\w\s./+@%:=,-]{1,1000}$/;

type Command = (args: readonly string[], context: CommandContext) => CommandResponse | undefined;

const certain = (output: string): CommandResponse => ({ output, certain: true });
const likely = (output: string | undefined): CommandResponse | undefined =>
  output === undefined || output === '' ? undefined : { output, certain: false };

const commands = new Map<string, Command>([
  ['echo', (args) => (args[0]?.startsWith('-') === true ? undefined : certain(args.join(' ')))],
  ['basename', (args) => (fits(args, 2) ? certain(baseOf(args[0]!, args[1] ?? '')) : undefined)],
  ['dirname', (args) => (fits(args, 1) ? certain(directoryNameOf(args[0]!)) : undefined)],
  ['pwd', (args, { directory }) => (args.length === 0 ? likely(directory) : undefined)],
  [
    'uname',
    // The machine that builds may differ from the target machine.
    (args, { release, machine }) =>
      args.length === 1 ? likely({ '-r': release, '-m': machine }[args[0]!]) : undefined,
  ],
]);

/** Returns the output; undefined when the command would have to be run. */
export function commandResponse(
  command: string,
  context: CommandContext,
): CommandResponse | undefined {
  if (!plain.test(command)) return undefined;
  const [program = '', ...args] = command.trim().split(/\s+/);
  return commands.get(program)?.(args, context);
}

const fits = (args: readonly string[], max: number): boolean =>
  args.length > 0 && args.length <= max && !args[0]!.startsWith('-');

const withoutSlashes = (path: string): string => path.replace(/(?<=[^/])\/{1,1000}$/, '');

function baseOf(path: string, suffix: string): string {
  const name = baseNameOf(withoutSlashes(path));
  return suffix !== '' && name !== suffix && name.endsWith(suffix)
    ? name.slice(0, -suffix.length)
    : name;
}

function directoryNameOf(path: string): string {
  const bare = withoutSlashes(path);
  const slash = bare.lastIndexOf('/');
  return slash < 0 ? '.' : bare.slice(0, slash) || '/';
}
