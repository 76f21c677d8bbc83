/**
 * `bulkhead modules match`: checks whether the source offered for a module is really its source.
 */
import { formatProblem } from '../../../packages/base/problem.ts';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../cli/shared/command.ts';
import { showProgress } from '../../cli/shared/progress.ts';
import { printError, print, printJson, failWith } from '../../cli/shared/session.ts';
import { terminalOf } from '../../cli/shared/terminal.ts';
import { openOfferedSource } from '../../../packages/modules/io/source/offered-source.ts';
import {
  keepRebuilds,
  rebuildsDirectory,
  sourceDigest,
} from '../../../packages/modules/io/rebuild/kept-rebuilds.ts';
import {
  matchAll,
  openOffered,
  readFunctions,
} from '../../../packages/modules/io/source/match-files.ts';
import { bareName } from '../../../packages/modules/core/record/module-file.ts';
import type { ScannedFile } from '../../../packages/modules/io/scan/read-modules.ts';
import type { SourceMatch } from '../../../packages/modules/core/source/match-result.ts';
import { matchTable, matchText } from './match-text.ts';
import { ModuleHeaders } from './module-headers.ts';
import { outcomeOf, statesSrcversion, type Matched } from './matched.ts';
import { rebuildEach } from './rebuild-each.ts';
import {
  moduleNamed,
  openOrReport,
  readInputs,
  readTree,
  withKernelOptions,
  type KernelOptions,
} from './setup.ts';
import type { MatchedModule, ModulesMatchJson } from './json.ts';

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
    printError('Name a module, or pass --all for every module of the kernel’s tree');
    return exitCodes.usage;
  }
  const entries = await entriesOf(names, options);
  if (entries === undefined) return exitCodes.failed;
  const source = await openOfferedSource(options.source);
  if (!source.ok) return failWith(source.error);
  using offered = source.value;
  for (const note of offered.notes.slice(0, 10)) printError(note);
  const headers = new ModuleHeaders(options);
  const matched = await matchEach(entries, offered.path, headers, options);
  if (matched === undefined) return exitCodes.failed;
  const results =
    options.rebuild === true
      ? await rebuildAndKeep(matched, offered.path, headers, options)
      : matched;
  show(results, options);
  return codeOf(results, options);
}

/**
 * Rebuilds the modules and keeps the reproduced ones for scans, unless the source changed
 * meanwhile.
 */
async function rebuildAndKeep(
  matched: readonly Matched[],
  source: string,
  headers: ModuleHeaders,
  options: MatchOptions,
): Promise<readonly Matched[]> {
  const directory = options.cache ? rebuildsDirectory() : undefined;
  const before = directory === undefined ? undefined : sourceDigest(source);
  const results = await rebuildEach(matched, source, headers);
  const same = results.filter(({ rebuilt }) => rebuilt?.outcome === 'reproduced');
  if (directory === undefined || before?.ok !== true || same.length === 0) return results;
  const digest = sourceDigest(source);
  if (!digest.ok || digest.value !== before.value) return results;
  const day = new Date().toISOString().slice(0, 10);
  const known = { source: digest.value, offered: resolve(options.source), day };
  keepRebuilds(
    directory,
    same.map(({ entry: { module, sha256 } }) => ({
      ...known,
      release: headers.releaseFor(module),
      module: sha256,
    })),
  );
  return results;
}

/** Reads the modules named by file or by name, or the whole tree with `--all`. */
async function entriesOf(
  names: readonly string[],
  options: MatchOptions,
): Promise<readonly ScannedFile[] | undefined> {
  const files = names.filter((name) => existsSync(name));
  const others = names.filter((each) => !files.includes(each));
  const ofFiles = files.length === 0 ? [] : await entriesOfFiles(files, options);
  // Files need no kernel: they are compared with the source and the headers.
  if (names.length > 0 && others.length === 0) return ofFiles.length === 0 ? undefined : ofFiles;
  const opened = openOrReport(options);
  if (opened === undefined) return undefined;
  const tree = await readTree(opened, options);
  if (names.length === 0) return tree;
  const found = [...ofFiles];
  for (const name of others) {
    const entry = moduleNamed(tree, name);
    if (entry === undefined) printError(`There is no file and no module "${name}"`);
    else found.push(entry);
  }
  return found.length === 0 ? undefined : found;
}

async function entriesOfFiles(
  files: readonly string[],
  options: MatchOptions,
): Promise<readonly ScannedFile[]> {
  const keys = { kernel: [], given: [] };
  const { entries, problems } = await readInputs(files, keys, { ...options, cache: false });
  for (const each of problems) printError(`${each.file}: ${each.message}`);
  return entries;
}

/** Compares each module with the headers of its own kernel. */
async function matchEach(
  entries: readonly ScannedFile[],
  source: string,
  headers: ModuleHeaders,
  { generated }: MatchOptions,
): Promise<readonly Matched[] | undefined> {
  const progress = showProgress('Comparing with source');
  try {
    const found = new Map<string, SourceMatch>();
    for (const [release, group] of Map.groupBy(entries, (each) =>
      headers.releaseFor(each.module),
    )) {
      const build = headers.of(release);
      if (!build.ok)
        printError(
          `${formatProblem(build.error)}; conditions in the source and names of functions stay undecided`,
        );
      const offered = openOffered(source, { build: build.ok ? build.value : undefined, generated });
      if (!offered.ok) {
        printError(formatProblem(offered.error));
        return undefined;
      }
      const functions =
        offered.value.kind === 'external' ? await readFunctions(group) : new Map<string, never>();
      const done = found.size;
      const update = (matched: number) => progress.update(done + matched, entries.length);
      const modules = group.map((each) => each.module);
      for (const [file, match] of matchAll(modules, offered.value, update, functions))
        found.set(file, match);
    }
    return entries.flatMap((entry) => {
      const match = found.get(entry.file);
      return match === undefined ? [] : [{ entry, match, rebuilt: undefined }];
    });
  } finally {
    progress.done();
  }
}

function show(results: readonly Matched[], options: MatchOptions): void {
  const terminal = terminalOf(process.stdout);
  if (options.json === true)
    printJson({ version: 1, modules: results.map(jsonOf) } satisfies ModulesMatchJson);
  else if (results.length > 1) print(matchTable(results, terminal));
  else for (const each of results) print(matchText(each, terminal));
}

/** Returns the JSON value; unknown fields are null, not absent. */
function jsonOf(matched: Matched): MatchedModule {
  const { entry, match, rebuilt } = matched;
  const { license, srcversion, objects, compilers } = match;
  return {
    file: entry.file,
    name: bareName(entry.file),
    outcome: outcomeOf(matched),
    match: {
      ...match,
      directory: match.directory ?? null,
      srcversion: {
        ...srcversion,
        claimed: srcversion.claimed ?? null,
        computed: srcversion.computed ?? null,
        method: srcversion.method ?? null,
      },
      objects: objects.map(({ object, source }) => ({ object, source: source ?? null })),
      compilers: { ...compilers, inMakefile: compilers.inMakefile ?? null },
      license: { ...license, spdx: Object.fromEntries(license.spdx) },
    },
    rebuild: rebuilt ?? null,
  };
}

/**
 * Returns the exit code. With `--all`, modules without a srcversion do not count: few of them can
 * be decided.
 */
function codeOf(results: readonly Matched[], { all }: MatchOptions): ExitCode {
  const refuted = results.some(
    (each) => outcomeOf(each) === 'differs' || each.match.license.contradictions.length > 0,
  );
  if (refuted) return exitCodes.found;
  const asked = all === true ? results.filter(statesSrcversion) : results;
  const open = asked.some((each) => outcomeOf(each) === 'undecided');
  return open ? exitCodes.undecided : exitCodes.done;
}

const statuses = `
Exit status:
  0  every module is consistent or reproduced
  1  something could not be read
  3  a module differs, or its license differs from the source
  4  none differs, and some cannot be decided; with --all, only those with a srcversion count`;

function define(command: Command, run: Runner): void {
  describeArgument(command, 'files, or names in the kernel’s tree');
  command
    .requiredOption(
      '--source <path>',
      'a directory, a tarball, a .dsc, or a package with source (.deb, .src.rpm)',
    )
    .option(
      '--headers <directory>',
      'headers of the module’s kernel (default: those below --kernel, else the installed ones)',
    )
    .option('--generated <directory>', 'a built tree, for generated files')
    .option(
      '--rebuild',
      'also rebuild it, in a jail without network, and compare byte for byte: this runs the offered makefile',
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

export const command: CommandModule = { define };
