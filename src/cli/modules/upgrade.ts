/** `bulkhead modules upgrade`: which of today's modules another kernel would no longer load, and why. */
import { compare, type Comparison } from '../../modules/loader/compare-verdicts.ts';
import { plainName } from '../../modules/module.ts';
import { judgeTree } from '../../modules/loader/tree.ts';
import { bareName } from '../../modules/module-file.ts';
import type { ReadEntry } from '../../trust/survey.ts';
import { examples, exitCodes, type ExitCode, type Runner } from '../command.ts';
import { complain, count, print, printJson } from '../session.ts';
import { terminalOf, wrap } from '../terminal.ts';
import type { Command } from 'commander';
import {
  openOrComplain,
  readInputs,
  readTree,
  withKernelOptions,
  type KernelOptions,
  type Opened,
} from './setup.ts';
import { printable } from '../../units/printable.ts';

interface UpgradeOptions extends KernelOptions {
  readonly to: readonly string[];
  readonly json?: boolean;
}

interface Side extends Opened {
  readonly tree: readonly ReadEntry[];
}

async function upgrade(paths: readonly string[], options: UpgradeOptions): Promise<ExitCode> {
  const before = await sideOf(options);
  const after = before && (await sideOf({ ...options, kernel: options.to }));
  if (before === undefined || after === undefined) return exitCodes.failed;
  if (paths.length === 0 && before.tree.length === 0) {
    complain(
      'There are no modules of this kernel to ask about; name files, or their kernel by --kernel',
    );
    return exitCodes.failed;
  }
  const asked = paths.length > 0 ? paths : filesWithoutSuccessor(before, after);
  const { entries, problems } =
    asked.length === 0 ? nothing : await readInputs(asked, after.keys, options);
  for (const each of problems) complain(`${each.file}: ${each.message}`);
  const moved = new Set(entries.map((each) => each.file));
  const found = compare(
    verdictsOf(entries, before, moved),
    // What comes with the new kernel takes the place of what had its name.
    verdictsOf(entries, after, moved),
  );
  const { release } = after.reading.kernel;
  if (asked.length === 0 && options.json !== true)
    print(`Linux ${release} brings every module of this kernel itself`);
  else show(found, entries.length, release, options.json === true);
  if (found.stops.length > 0) return exitCodes.found;
  return problems.length > 0 ? exitCodes.failed : exitCodes.done;
}

const nothing = { entries: [], problems: [] } as const;

async function sideOf(options: KernelOptions): Promise<Side | undefined> {
  const opened = openOrComplain(options);
  return opened && { ...opened, tree: await readTree(opened, options) };
}

/** Those that the other kernel does not bring itself: from DKMS, from vendors. */
function filesWithoutSuccessor(before: Side, after: Side): readonly string[] {
  const plain = (entry: ReadEntry) => plainName(bareName(entry.file));
  const brought = new Set(after.tree.map(plain));
  return before.tree.flatMap((each) => (brought.has(plain(each)) ? [] : [each.file]));
}

function verdictsOf(
  entries: readonly ReadEntry[],
  { reading, tree }: Side,
  moved: ReadonlySet<string>,
) {
  const around = tree.filter((each) => !moved.has(each.file));
  const verdicts = judgeTree([...entries, ...around], reading.kernel);
  return new Map([...verdicts].filter(([file]) => moved.has(file)));
}

function show(found: Comparison, modules: number, release: string, json: boolean): void {
  if (json) {
    printJson({ version: 1, kernel: release, modules, ...found });
    return;
  }
  const { columns } = terminalOf(process.stdout);
  const blocks = found.stops.map(({ file, errno, why }) => {
    const lines = why.map(({ says }) => wrap(`  ${printable(says)}`, columns, '    '));
    return [`${printable(file)}: would be refused with ${errno}`, ...lines].join('\n');
  });
  const starts = found.starts.map((file) => `${printable(file)}: refused today, would load`);
  const summary = `Of ${count(modules, 'module')}, ${found.stops.length} would no longer load on Linux ${release}`;
  print([...blocks, ...starts, summary].join('\n\n'));
}

export function defineUpgrade(parent: Command, run: Runner): void {
  const command = parent
    .command('upgrade')
    .argument('[path...]', 'modules; default: those of the tree that the new kernel does not bring')
    .description('which modules would no longer load on another kernel, and why')
    .requiredOption('--to <folder...>', 'the other kernel: /lib/modules/VERSION, unpacked packages')
    .option('--json', 'print it as JSON');
  withKernelOptions(command)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules upgrade --to /lib/modules/6.12.118+deb13-amd64', 'before the reboot'],
        ['bulkhead modules upgrade driver.ko --to ./linux-image-new', 'a single module'],
      ),
    )
    .action(run(upgrade));
}
