/**
 * Denies modules on a host: in /etc/modprobe.d for modprobe and udev, and on the kernel's command
 * line for everything. All changes are planned first, then applied as a whole or not at all.
 */
import { existsSync } from 'node:fs';
import { causedBy, failed, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import {
  FileTransaction,
  isUnfinished,
  undoUnfinished,
  type FileChange,
} from '../../../sys/files/file-transaction.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import {
  blacklistedIn,
  parameterOf,
} from '../../../../packages/modules/core/modprobe/blacklist-parameter.ts';
import {
  changeDenied,
  formatDenyFile,
  readDenyFile,
  type DenyFile,
} from '../../../../packages/modules/core/modprobe/deny-file.ts';
import { at, type BootHost } from '../../../host/boot/boot-host.ts';
import { bootLoadersOf, type BootLoader } from './boot-loaders.ts';
import { readOwnFile } from './own-file.ts';

export interface DenyOptions {
  readonly boot?: boolean;
  readonly undo?: boolean;
  readonly dryRun?: boolean;
}

/** The result, or with `dryRun` the plan; the value of `--json`. */
export interface DenyOutcome {
  /** Names in the kernel's form. */
  readonly modules: readonly string[];
  /** Whether the modules are denied afterwards. */
  readonly denied: boolean;
  readonly dryRun: boolean;
  /** The files to change. */
  readonly files: readonly {
    readonly path: string;
    /** Whether the file is written or removed. */
    readonly change: 'write' | 'remove';
    /** The file's new text; null if it is removed. */
    readonly text: string | null;
  }[];
  /** The commands to run, each with its arguments. */
  readonly commands: readonly (readonly string[])[];
  /**
   * The parameter that the kernel's command line must have; null when nothing is denied any more.
   */
  readonly kernelParameter: string | null;
  /** Titles of the boot loaders that carry it afterwards. */
  readonly bootLoaders: readonly string[];
  /** The denied modules that are loaded now. */
  readonly loaded: readonly LoadedNow[];
  /** Further remarks and tasks for people. */
  readonly notes: readonly string[];
}

export interface LoadedNow {
  /** The module's name. */
  readonly name: string;
  /** The number of its users. */
  readonly references: number;
  /** The modules that use it. */
  readonly users: readonly string[];
}

const denyFile = 'etc/modprobe.d/bulkhead.conf';
const journalOf = (host: BootHost) => at(host, 'var/lib/bulkhead/modules-deny.journal');

interface DenyPlan {
  readonly edits: readonly FileChange[];
  readonly commands: readonly (readonly string[])[];
  readonly file: DenyFile;
  readonly loaders: readonly BootLoader[];
}

/**
 * Denies modules, or with `dryRun` only reports it. Changes nothing if it fails. Names are in the
 * kernel's form.
 */
export function denyModules(
  names: readonly string[],
  options: DenyOptions,
  host: BootHost,
): Result<DenyOutcome, Problem> {
  const undone = options.dryRun === true ? ok(undefined) : undoKilledDenial(host);
  if (!undone.ok) return undone;
  const plan = planFor(names, options, host);
  if (!plan.ok) return plan;
  const done = options.dryRun === true ? ok(undefined) : applyDenyPlan(plan.value, host);
  if (!done.ok) return done;
  return ok(outcomeOf(names, plan.value, options, host));
}

/** Returns the modules that are denied by our file. */
export function deniedModules(host: BootHost): Result<readonly string[], Problem> {
  const found = readDenials(host);
  return found.ok ? ok(found.value.file.names) : found;
}

function readDenials(
  host: BootHost,
): Result<{ readonly text: string | undefined; readonly file: DenyFile }, Problem> {
  const path = at(host, denyFile);
  const text = readOwnFile(path);
  if (!text.ok) return fail({ hint: 'repair or remove it', ...text.error });
  const file = readDenyFile(text.value ?? '');
  if (!file.ok) return failed({ ...file.error, action: 'use', object: path });
  return ok({ text: text.value, file: file.value });
}

function planFor(
  names: readonly string[],
  options: DenyOptions,
  host: BootHost,
): Result<DenyPlan, Problem> {
  const path = at(host, denyFile);
  const found = readDenials(host);
  if (!found.ok) return found;
  const { text: before, file: was } = found.value;
  const loaders = options.boot === true || was.boot.length > 0 ? bootLoadersOf(host) : [];
  const others = loaders.flatMap((each) => each.others(host, was.boot));
  const onBoot = loaders.length === 0 ? [] : names.filter((each) => !others.includes(each));
  const file = changeDenied(was, names, options, onBoot);
  const boot = planBoot(loaders, host, was.boot, file.boot);
  if (!boot.ok) return boot;
  // A file of ours that has become empty is removed; if there is none, there is nothing to undo.
  const after = formatDenyFile(file) || undefined;
  const own = after === before ? [] : [{ path, before, after }];
  return ok({
    edits: [...own, ...boot.value.edits],
    commands: boot.value.commands,
    file,
    loaders,
  });
}

function planBoot(
  loaders: readonly BootLoader[],
  host: BootHost,
  was: readonly string[],
  now: readonly string[],
): Result<Pick<DenyPlan, 'edits' | 'commands'>, Problem> {
  const edits: FileChange[] = [];
  const commands: (readonly string[])[] = [];
  for (const each of loaders) {
    const plan = each.plan(host, was, now);
    if (!plan.ok) return plan;
    edits.push(...plan.value.edits);
    commands.push(...plan.value.commands);
  }
  return ok({ edits, commands });
}

/** Whether a killed run has left something that `undoKilledDenial` undoes. */
export const hasKilledDenial = (host: BootHost): boolean => isUnfinished(journalOf(host));

/** Undoes what a killed run has begun; boot loaders may have taken that over. */
export function undoKilledDenial(host: BootHost): Result<void, Problem> {
  const undone = undoUnfinished(journalOf(host));
  if (!undone.ok) return undone;
  const commands = undone.value ? bootLoadersOf(host).flatMap((each) => each.refresh(host)) : [];
  for (const each of commands) {
    const done = host.call(each);
    if (!done.ok) return done;
  }
  return ok(undefined);
}

function applyDenyPlan({ edits, commands }: DenyPlan, host: BootHost): Result<void, Problem> {
  const begun = FileTransaction.begin(journalOf(host), edits);
  if (!begun.ok) return begun;
  using transaction = begun.value;
  const written = transaction.write();
  if (!written.ok) return written;
  for (const [index, each] of commands.entries()) {
    const done = host.call(each);
    if (done.ok) continue;
    const ran = commands.slice(0, index).map((before) => `"${before.join(' ')}"`);
    const earlier = ran.length === 0 ? '' : `, but these had already run: ${ran.join(', ')}`;
    const restored = transaction.rollback();
    const left = restored.ok
      ? ''
      : `; restoring failed as well: ${causedBy(restored.error).reason}`;
    return fail({ ...done.error, hint: `the files were restored${earlier}${left}` });
  }
  return transaction.commit();
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
  // Names that are denied only to modprobe are not on the command line that the boot loader gets.
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

/**
 * Parses lines of /proc/modules: `nf_tables 385024 3 nft_compat,nft_chain_nat, Live
 * 0x0000000000000000`.
 */
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
  edits: readonly FileChange[],
  host: BootHost,
): readonly string[] {
  const notes: string[] = [];
  if (boot === true && loaders.length === 0) {
    const action = undo === true ? 'remove the name from' : 'add the parameter to';
    notes.push(
      'No supported boot loader was found (GRUB with update-grub, grubby, systemd-boot with ' +
        `kernel-install): ${action} the kernel command line by hand`,
    );
  }
  const initrd = initrdCommand(host);
  if (edits.length > 0 && initrd !== undefined)
    notes.push(`The initrd has a copy of modprobe.d; to update it, run: ${initrd}`);
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
