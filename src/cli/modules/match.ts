/** `bulkhead modules match`: whether the source that is offered for a module is its source. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { examples, exitCodes, type ExitCode, type Runner } from '../command.ts';
import { showProgress } from '../progress.ts';
import { complain, print, printJson } from '../session.ts';
import { terminalOf } from '../terminal.ts';
import { openOfferedSource } from '../../trust/offered-source.ts';
import { findKernelBuild } from '../../trust/kernel-build.ts';
import { keepRebuilds, rebuildsDirectory, sourceDigest } from '../../trust/kept-rebuilds.ts';
import { matchAll, openOffered, readFunctions } from '../../trust/match.ts';
import { bareName } from '../../modules/module-file.ts';
import type { ReadEntry } from '../../trust/survey.ts';
import type { KernelReading } from '../../trust/kernel.ts';
import { matchTable, matchText } from './match-text.ts';
import { outcomeOf, statesSrcversion, type Matched } from './matched.ts';
import { rebuildEach } from './rebuild-each.ts';
import {
  moduleNamed,
  openOrComplain,
  readInputs,
  readTree,
  withKernelOptions,
  type KernelOptions,
  type Opened,
} from './setup.ts';

interface MatchOptions extends KernelOptions {
  readonly source: string;
  readonly headers?: string;
  readonly generated?: string;
  readonly rebuild?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

async function match(names: readonly string[], options: MatchOptions): Promise<ExitCode> {
  if (names.length === 0 && options.all !== true) {
    complain('Name a module, or say --all for every module of the kernel’s tree');
    return exitCodes.usage;
  }
  const opened = openOrComplain(options);
  if (opened === undefined) return exitCodes.failed;
  const { reading } = opened;
  const entries = await entriesOf(names, opened, options);
  if (entries === undefined) return exitCodes.failed;
  const source = await openOfferedSource(options.source);
  if (!source.ok) {
    complain(source.error);
    return exitCodes.failed;
  }
  using offered = source.value;
  for (const note of offered.notes.slice(0, 10)) complain(note);
  const matched = await matchEach(entries, offered.path, reading, options);
  if (matched === undefined) return exitCodes.failed;
  const results =
    options.rebuild === true
      ? await rebuildAndKeep(matched, offered.path, reading, options)
      : matched;
  show(results, options);
  return codeOf(results, options);
}

/** What was the same is kept for a scan, unless the source was changed meanwhile. */
async function rebuildAndKeep(
  matched: readonly Matched[],
  source: string,
  reading: KernelReading,
  options: MatchOptions,
): Promise<readonly Matched[]> {
  const directory = options.cache ? rebuildsDirectory() : undefined;
  const before = directory === undefined ? undefined : sourceDigest(source);
  const results = await rebuildEach(matched, source, reading, options);
  const same = results.filter(({ rebuilt }) => rebuilt?.outcome === 'reproduced');
  if (directory === undefined || before?.ok !== true || same.length === 0) return results;
  const digest = sourceDigest(source);
  if (!digest.ok || digest.value !== before.value) return results;
  const day = new Date().toISOString().slice(0, 10);
  const offered = resolve(options.source);
  const known = { source: digest.value, release: reading.kernel.release, offered, day };
  keepRebuilds(
    directory,
    same.map(({ entry }) => ({ ...known, module: entry.sha256 })),
  );
  return results;
}

/** Named ones by file or by name; all of the tree where that was asked for. */
async function entriesOf(
  names: readonly string[],
  opened: Opened,
  options: MatchOptions,
): Promise<readonly ReadEntry[] | undefined> {
  if (options.all === true && names.length === 0) return readTree(opened, options);
  const files = names.filter((name) => existsSync(name));
  const read = files.length === 0 ? undefined : await readInputs(files, opened.keys, options);
  for (const each of read?.problems ?? []) complain(`${each.file}: ${each.message}`);
  const found = [...(read?.entries ?? [])];
  const others = names.filter((each) => !files.includes(each));
  const tree = others.length === 0 ? [] : await readTree(opened, options);
  for (const name of others) {
    const entry = moduleNamed(tree, name);
    if (entry === undefined) complain(`There is no file and no module "${name}"`);
    else found.push(entry);
  }
  return found.length === 0 ? undefined : found;
}

async function matchEach(
  entries: readonly ReadEntry[],
  source: string,
  { kernel }: KernelReading,
  { headers, generated }: MatchOptions,
): Promise<readonly Matched[] | undefined> {
  const build = findKernelBuild(kernel.release, headers);
  if (!build.ok) complain(`${build.error}; conditions in the source stay open`);
  const offered = openOffered(source, { build: build.ok ? build.value : undefined, generated });
  if (!offered.ok) {
    complain(offered.error);
    return undefined;
  }
  const progress = showProgress('Comparing with source');
  try {
    const modules = entries.map((each) => each.module);
    const functions =
      offered.value.kind === 'external' ? await readFunctions(entries) : new Map<string, never>();
    const update = (done: number) => progress.update(done, modules.length);
    const matches = matchAll(modules, offered.value, update, functions);
    return entries.flatMap((entry) => {
      const match = matches.get(entry.file);
      return match === undefined ? [] : [{ entry, match, rebuilt: undefined }];
    });
  } finally {
    progress.done();
  }
}

function show(results: readonly Matched[], options: MatchOptions): void {
  const terminal = terminalOf(process.stdout);
  if (options.json === true) printJson({ version: 1, modules: results.map(jsonOf) });
  else if (results.length > 1) print(matchTable(results, terminal));
  else for (const each of results) print(matchText(each, terminal));
}

function jsonOf(matched: Matched) {
  const { entry, match, rebuilt } = matched;
  const { licence, ...rest } = match;
  return {
    file: entry.file,
    name: bareName(entry.file),
    outcome: outcomeOf(matched),
    match: { ...rest, licence: { ...licence, spdx: Object.fromEntries(licence.spdx) } },
    rebuild: rebuilt ?? null,
  };
}

/** Of all modules of a tree, few can be told that state no srcversion: those are not missed. */
function codeOf(results: readonly Matched[], { all }: MatchOptions): ExitCode {
  const refuted = results.some(
    (each) => outcomeOf(each) === 'differs' || each.match.licence.contradictions.length > 0,
  );
  if (refuted) return exitCodes.found;
  const asked = all === true ? results.filter(statesSrcversion) : results;
  const open = asked.some((each) => outcomeOf(each) === 'cannot tell');
  return open ? exitCodes.undecided : exitCodes.done;
}

const statuses = `
Exit status:
  0  consistent or reproduced, every module
  1  something could not be read
  3  a module differs, or its licence is not that of the source
  4  none differs, and of some it cannot be told; with --all, of those that state a srcversion`;

export function defineMatch(parent: Command, run: Runner): void {
  const command = parent
    .command('match')
    .argument('[module...]', 'files, or names in the kernel’s tree')
    .description('whether the source that is offered for a module is its source')
    .requiredOption(
      '--source <path>',
      'a folder, a tarball, a .dsc, or a package that carries source (.deb, .src.rpm)',
    )
    .option('--headers <folder>', 'headers of the module’s kernel; default: those installed')
    .option('--generated <folder>', 'a built tree, for files that the build generates')
    .option(
      '--rebuild',
      'build it too, in a jail without network, and compare byte by byte: runs the makefile that is offered',
    )
    .option('--all', 'every module of the kernel’s tree')
    .option('--json', 'print it as JSON');
  withKernelOptions(command)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules match jool --source jool-dkms.deb', 'a module of this kernel'],
        ['bulkhead modules match driver.ko --source driver-1.2.tar.xz --rebuild', ''],
        ['bulkhead modules match --all --source linux-source-6.12.deb', 'the whole kernel'],
      ),
    )
    .addHelpText('after', statuses)
    .action(run(match));
}
