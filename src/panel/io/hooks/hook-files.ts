/**
 * The files by which panels call hooks.
 *
 *     HestiaCP     data/packages/PACKAGE.sh, after an account gets the package
 *     DirectAdmin  scripts/custom/EVENT/bulkhead.sh (1.60 and later), next to the administrator's own scripts
 *     CPAPI        /usr/share/cloudlinux/hooks/post_modify_*.py, where CloudLinux has not installed its own
 */
import { decodeText } from '../../../../packages/base/io/regular-file.ts';
import { existsSync, readdirSync } from 'node:fs';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok } from '../../../../packages/base/result.ts';
import type { FileChange } from '../../../sys/files/file-transaction.ts';
import { readHostFile } from '../../../sys/files/host-file.ts';
import type { PanelSourceName } from '../../../policy/panel/panel-record.ts';
import {
  addBlock,
  hasBlock,
  isCut,
  isOwnScript,
  ownScript,
  removeBlock,
} from '../../core/hook-text.ts';

export interface HookFile {
  readonly path: string;
  /** Whether it is ours alone, or a script that an administrator may have, too. */
  readonly kind: 'own' | 'shared';
  /** Whether its directory is removed when it is empty. */
  readonly ownDirectory?: true;
}

export interface HookState extends HookFile {
  /** The content now; undefined if there is no file. */
  readonly text: string | undefined;
  readonly isExecutable: boolean;
}

const hestiaPackages = '/usr/local/hestia/data/packages';
const directAdminHooks = '/usr/local/directadmin/scripts/custom';
const cpapiHooks = '/usr/share/cloudlinux/hooks';

const directAdminEvents = [
  'user_create_post_confirmed',
  'user_modify_post',
  'user_destroy_post',
  'user_info_modify_post',
];
const cpapiNames = ['post_modify_user', 'post_modify_admin', 'post_modify_package'];

const places: Readonly<Partial<Record<PanelSourceName, (root: string) => readonly HookFile[]>>> = {
  hestia: (root) =>
    packageNames(`${root}${hestiaPackages}`).map((name) => ({
      path: `${root}${hestiaPackages}/${name}.sh`,
      kind: 'shared',
    })),
  directadmin: (root) =>
    directAdminEvents.map((name) => ({
      path: `${root}${directAdminHooks}/${name}/bulkhead.sh`,
      kind: 'shared',
      ownDirectory: true,
    })),
  cpapi: (root) =>
    cpapiNames.map((name) => ({
      path: `${root}${cpapiHooks}/${name}.py`,
      kind: 'own',
      ownDirectory: true,
    })),
};

/** Returns the hooks of a panel that are files; none for cPanel, which has a registry. */
export const hookFilesOf = (name: PanelSourceName, root: string): readonly HookFile[] =>
  places[name]?.(root) ?? [];

const namesMax = 10_000;

/** Returns the names of packages, also of those that are gone and have left a script. */
function packageNames(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).flatMap((each) =>
    each.startsWith('.') ? [] : (/^(.+)\.(?:pkg|sh)$/.exec(each)?.[1] ?? []),
  );
  return [...new Set(names)].sort().slice(0, namesMax);
}

/** Reads the hooks. A link or a pipe is a problem. */
export function readHooks(files: readonly HookFile[], problems: Problem[]): readonly HookState[] {
  return files.flatMap((file): readonly HookState[] => {
    const read = readHostFile(file);
    if (!read.ok) {
      problems.push(read.error);
      return [];
    }
    const text = read.value && decodeText(read.value.bytes);
    const reason = text === undefined ? undefined : unreadable(text, read.value?.bytes);
    if (reason !== undefined) {
      problems.push({
        action: 'use the hook',
        object: file.path,
        reason,
        hint: 'it stays as it is',
      });
      return [];
    }
    return [{ ...file, text, isExecutable: ((read.value?.mode ?? 0o100) & 0o100) !== 0 }];
  });
}

/** Returns why a script cannot be edited: each of its bytes must be there afterwards. */
function unreadable(text: string, bytes: Uint8Array | undefined): string | undefined {
  if (!Buffer.from(text).equals(Buffer.from(bytes ?? []))) return 'it is not UTF-8';
  return isCut(text) ? "the end of Bulkhead's lines in it is missing" : undefined;
}

/** Whether the hook calls Bulkhead. */
export const isHooked = ({ text }: HookState): boolean => text !== undefined && hasBlock(text);

/** Returns the changes that make the hooks call the program, and a problem for each that cannot. */
export function enableChanges(
  hooks: readonly HookState[],
  program: string,
  problems: Problem[],
): readonly FileChange[] {
  return hooks.flatMap((hook): readonly FileChange[] => {
    const { path, kind, text, isExecutable } = hook;
    const cannot = (reason: string, hint: string) => {
      problems.push({ action: 'add a hook to', object: path, reason, hint });
      return [];
    };
    // A package of HestiaCP that is gone has no new accounts.
    if (text === undefined && isOfGonePackage(hook)) return [];
    if (kind === 'own' && text !== undefined && !isOwnScript(text))
      return cannot('another program has written it', 'it stays as it is');
    if (!isExecutable) return cannot('it is not executable', 'the panel does not run it');
    const wanted = kind === 'own' ? ok(ownScript(program)) : addBlock(text, program);
    if (!wanted.ok) return cannot(wanted.error.reason, wanted.error.hint ?? '');
    return wanted.value === text ? [] : [changeOf(hook, wanted.value)];
  });
}

const isOfGonePackage = ({ path, ownDirectory }: HookFile): boolean =>
  ownDirectory !== true && !existsSync(path.replace(/\.sh$/, '.pkg'));

/** Returns the changes that take the calls out again. */
export const disableChanges = (
  hooks: readonly HookState[],
  problems: Problem[],
): readonly FileChange[] =>
  hooks.filter(isHooked).flatMap((hook): readonly FileChange[] => {
    const { kind, text = '', path } = hook;
    if (kind === 'shared') return [changeOf(hook, removeBlock(text))];
    if (isOwnScript(text)) return [changeOf(hook, undefined)];
    const reason = 'somebody has changed it';
    problems.push({ action: 'remove the hook', object: path, reason, hint: 'remove it yourself' });
    return [];
  });

const changeOf = (
  { path, ownDirectory, text }: HookState,
  after: string | undefined,
): FileChange => ({
  path,
  before: text,
  after,
  newMode: 0o755,
  ...(ownDirectory && { ownDirectory }),
});
