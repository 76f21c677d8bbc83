/**
 * `bulkhead modules deny NAME…`: keeps modules from being loaded.
 *
 * modprobe.d keeps modprobe and udev from it, which insmod does not ask; the kernel itself refuses what
 * `module_blacklist=` on its command line names.
 */
import { withoutSuffix } from '../core/record/module-file.ts';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { readText } from '../../sys/files/read.ts';
import { errnoOf, describeErrno, quoted } from '../../sys/errno.ts';
import {
  kernelName,
  printDenyFile,
  readDenyFile,
  type DenyFile,
} from '../core/modprobe/deny-file.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../cli/shared/command.ts';
import { printError, print, printJson } from '../../cli/shared/session.ts';
import {
  blacklistedIn,
  bootLoadersOf,
  parameterOf,
  type BootHost,
  type BootLoader,
} from './boot-loaders.ts';
import { applyEdits, readOwnFile, revertEdits, type FileEdit } from './edits.ts';
import { printProblem } from '../../base/problem.ts';
import { printable } from '../../base/printable.ts';

export interface DenyOptions {
  readonly boot?: boolean;
  readonly undo?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What was done, or would be; the shape of `--json`. */
export interface DenyOutcome {
  /** In the kernel's form. */
  readonly modules: readonly string[];
  readonly denied: boolean;
  readonly dryRun: boolean;
  readonly files: readonly {
    readonly path: string;
    readonly change: 'write' | 'remove';
    readonly text: string | null;
  }[];
  readonly commands: readonly (readonly string[])[];
  /** What the kernel's command line must have; null when nothing is denied any more. */
  readonly kernelParameter: string | null;
  /** Titles of the boot loaders that carry it, after this. */
  readonly bootLoaders: readonly string[];
  readonly loaded: readonly LoadedNow[];
  /** What else is to be known or to be done. */
  readonly notes: readonly string[];
}

interface LoadedNow {
  readonly name: string;
  readonly references: number;
  readonly users: readonly string[];
}

const denyFile = 'etc/modprobe.d/bulkhead.conf';
const at = ({ root }: BootHost, path: string) => join(root === '' ? '/' : root, path);

interface DenyPlan {
  readonly edits: readonly FileEdit[];
  readonly commands: readonly (readonly string[])[];
  readonly file: DenyFile;
  readonly loaders: readonly BootLoader[];
}

/** Does it, or says what it would do. Nothing is changed when it fails. Names are in the kernel's form. */
export function denyModules(
  names: readonly string[],
  options: DenyOptions,
  host: BootHost,
): Result<DenyOutcome> {
  const plan = planFor(names, options, host);
  if (!plan.ok) return plan;
  const problem = options.dryRun === true ? undefined : carryOut(plan.value, host);
  if (problem !== undefined) return fail(problem);
  return ok(outcomeOf(names, plan.value, options, host));
}

/** The kernel's form of names or files of modules, each once. */
export function moduleNames(words: readonly string[]): Result<readonly string[]> {
  const names = new Set<string>();
  for (const word of words) {
    const name = kernelName(withoutSuffix(word));
    if (name === undefined) {
      return fail(
        `${quoted(word.slice(0, 80))} is no name of a module; it has letters, digits, "_" and "-" ` +
          'alone, 55 at most',
      );
    }
    names.add(name);
  }
  return ok([...names]);
}

function planFor(names: readonly string[], options: DenyOptions, host: BootHost): Result<DenyPlan> {
  const path = at(host, denyFile);
  const text = readOwnFile(path);
  if (!text.ok) return fail(printProblem(text.error));
  const read = readDenyFile(text.value ?? '');
  if (!read.ok) return fail(`Cannot use ${quoted(path)}: it ${read.error}; repair or remove it`);
  const loaders = options.boot === true || read.value.boot.length > 0 ? bootLoadersOf(host) : [];
  const others = loaders.flatMap((each) => each.others(host, read.value.boot));
  const onBoot = loaders.length === 0 ? [] : names.filter((each) => !others.includes(each));
  const file = changed(read.value, names, options, onBoot);
  const boot = planBoot(loaders, host, read.value.boot, file.boot);
  if (!boot.ok) return boot;
  // A file of ours that has become empty goes; without one there is nothing to undo.
  const after = printDenyFile(file) || undefined;
  const own = after === text.value ? [] : [{ path, before: text.value, after }];
  return ok({
    edits: [...own, ...boot.value.edits],
    commands: boot.value.commands,
    file,
    loaders,
  });
}

/** `onBoot` are those that `--boot` puts on the command line: not what the administrator has put there. */
function changed(
  file: DenyFile,
  names: readonly string[],
  { boot, undo }: DenyOptions,
  onBoot: readonly string[],
): DenyFile {
  const without = (all: readonly string[]) => all.filter((each) => !names.includes(each));
  if (undo === true) return { ...file, names: without(file.names), boot: without(file.boot) };
  return {
    ...file,
    names: [...new Set([...file.names, ...names])],
    boot: boot === true ? [...new Set([...file.boot, ...onBoot])] : file.boot,
  };
}

function planBoot(
  loaders: readonly BootLoader[],
  host: BootHost,
  was: readonly string[],
  now: readonly string[],
): Result<Pick<DenyPlan, 'edits' | 'commands'>> {
  const edits: FileEdit[] = [];
  const commands: (readonly string[])[] = [];
  for (const each of loaders) {
    const plan = each.plan(host, was, now);
    if (!plan.ok) return plan;
    edits.push(...plan.value.edits);
    commands.push(...plan.value.commands);
  }
  return ok({ edits, commands });
}

function carryOut({ edits, commands }: DenyPlan, host: BootHost): string | undefined {
  const problem = applyEdits(edits);
  if (problem !== undefined) return problem;
  for (const [index, each] of commands.entries()) {
    const done = host.call(each);
    if (done.ok) continue;
    const ran = commands.slice(0, index).map((before) => `"${before.join(' ')}"`);
    const earlier = ran.length === 0 ? '' : `, but these had run already: ${ran.join(', ')}`;
    return `${done.error}; the files are as they were${earlier}${revertEdits(edits)}`;
  }
  return undefined;
}

function outcomeOf(
  names: readonly string[],
  { edits, commands, file, loaders }: DenyPlan,
  options: DenyOptions,
  host: BootHost,
): DenyOutcome {
  const loaded = loadedNow(names, readText(at(host, 'proc/modules')) ?? '');
  const running = blacklistedIn(readText(at(host, 'proc/cmdline')) ?? '');
  const blocksAtBoot =
    options.undo !== true &&
    (options.boot === true || names.every((each) => file.boot.includes(each)));
  const undone = options.undo === true ? names : [];
  // What was denied to modprobe alone is not on the command line that the boot loader gets.
  const asked = blocksAtBoot && loaders.length > 0 ? [...file.boot, ...names] : file.names;
  const wanted = [...running.filter((each) => !undone.includes(each)), ...asked];
  return {
    modules: names,
    denied: options.undo !== true,
    dryRun: options.dryRun === true,
    files: edits.map(({ path, after }) => ({
      path,
      change: after === undefined ? 'remove' : 'write',
      text: after ?? null,
    })),
    commands,
    kernelParameter: wanted.length === 0 ? null : parameterOf(wanted),
    bootLoaders: blocksAtBoot ? loaders.map(({ title }) => title) : [],
    loaded,
    notes: notesOf(options, loaders, edits, host),
  };
}

/** `nf_tables 385024 3 nft_compat,nft_chain_nat, Live 0x0000000000000000` */
function loadedNow(names: readonly string[], text: string): readonly LoadedNow[] {
  const rows = text.split('\n').map((each) => each.split(' '));
  return rows
    .filter(([name = '']) => names.includes(name))
    .map(([name = '', , references = '0', users = '-']) => ({
      name,
      references: Number(references) || 0,
      users: users.split(',').filter((each) => each !== '' && each !== '-'),
    }));
}

function notesOf(
  { boot, undo }: DenyOptions,
  loaders: readonly BootLoader[],
  edits: readonly FileEdit[],
  host: BootHost,
): readonly string[] {
  const notes: string[] = [];
  if (boot === true && loaders.length === 0) {
    const action = undo === true ? 'take the name off' : 'put the parameter on';
    notes.push(
      'No boot loader that can be edited was found (GRUB with update-grub, grubby, systemd-boot with ' +
        `kernel-install): ${action} the kernel command line by hand`,
    );
  }
  const initrd = initrdCommand(host);
  if (edits.length > 0 && initrd !== undefined)
    notes.push(`The initrd has a copy of modprobe.d; to renew it run: ${initrd}`);
  return notes;
}

const initrdPrograms = [
  ['usr/sbin/update-initramfs', 'update-initramfs -u -k all'],
  ['usr/bin/dracut', 'dracut --regenerate-all --force'],
  ['usr/sbin/dracut', 'dracut --regenerate-all --force'],
  ['usr/bin/mkinitcpio', 'mkinitcpio -P'],
] as const;

const initrdCommand = (host: BootHost) =>
  initrdPrograms.find(([program]) => existsSync(at(host, program)))?.[1];

/** The text for people. */
export function denyText(outcome: DenyOutcome, { boot }: DenyOptions = {}): string {
  const would = outcome.dryRun ? 'Would ' : '';
  const verb = (plain: string, past: string) => (outcome.dryRun ? plain : past);
  const files = outcome.files.map(({ path, change }) =>
    change === 'write'
      ? `${would}${verb('write', 'Wrote')} ${path}`
      : `${would}${verb('remove', 'Removed')} ${path}`,
  );
  const commands = outcome.commands.map(
    (each) => `${would}${verb('run', 'Ran')} ${each.join(' ')}`,
  );
  const nothing = files.length + commands.length === 0 ? ['Nothing to change'] : [];
  return [
    ...nothing,
    ...files,
    ...commands,
    ...bootLines(outcome, boot === true),
    ...outcome.loaded.map((each) => loadedLine(each, outcome.denied)),
    ...outcome.notes,
  ]
    .map(printable)
    .join('\n');
}

function bootLines(
  { denied, kernelParameter, bootLoaders }: DenyOutcome,
  asked: boolean,
): readonly string[] {
  if (!denied || kernelParameter === null) return [];
  if (bootLoaders.length > 0)
    return [`From the next boot on the kernel itself refuses: ${kernelParameter}`];
  return [
    'modprobe and udev will not load it any more; insmod still can. Only the kernel command line blocks it:',
    `  ${kernelParameter}`,
    ...(asked ? [] : ['To install that, add --boot']),
  ];
}

function loadedLine({ name, references, users }: LoadedNow, denied: boolean): string {
  if (!denied) return `${name} is loaded now`;
  const by = users.length === 0 ? '' : ` by ${users.join(', ')}`;
  if (references > 0) return `${name} is loaded now and in use${by}; it stays until the next boot`;
  return `${name} is loaded now; to unload it run: modprobe -r ${name}`;
}

/** This host. A program that takes longer than ten minutes hangs. */
export const thisHost: BootHost = {
  root: '',
  call(command) {
    const [program = '', ...args] = command;
    const { status, stdout, stderr, error } = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: 600_000,
      maxBuffer: 16 * 1024 * 1024,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (error !== undefined)
      return fail(`Cannot run "${program}": ${describeErrno(errnoOf(error))}`);
    if (status === 0) return ok(stdout);
    const [line = ''] = stderr.trim().split('\n').slice(-1);
    return fail(`"${command.join(' ')}" failed (${status ?? 'killed'}): ${line}`);
  },
};

function deny(words: string[], options: DenyOptions): ExitCode {
  const names = moduleNames(words);
  if (!names.ok) {
    printError(names.error);
    return exitCodes.usage;
  }
  const outcome = denyModules(names.value, options, thisHost);
  if (!outcome.ok) {
    printError(outcome.error);
    return exitCodes.failed;
  }
  if (options.json === true) printJson(outcome.value);
  else print(denyText(outcome.value, options));
  return exitCodes.done;
}

function define(command: Command, run: Runner): void {
  command
    .option('--boot', 'also put them on the kernel command line, which insmod cannot pass')
    .option('--undo', 'allow them again, and take back what was installed for them')
    .option('--dry-run', 'say what would be done, and change nothing')
    .option('--json', 'print what was done as JSON')
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules deny pcspkr', 'for modprobe and udev'],
        ['bulkhead modules deny --boot lve', 'for everybody, from the next boot on'],
        ['bulkhead modules deny --undo lve', ''],
      ),
    )
    .action(run(deny));
}

export const command: CommandModule = { define };
