/**
 * Debian's pam-auth-update, which composes /etc/pam.d/common-* from the profiles in /usr/share/pam-configs:
 * pam-auth-update(8). It runs first on copies of its files in a separate directory, so that its result is known before
 * anything is changed. It is never asked to override local changes.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, reasonOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { removeIfThere, replaceFile } from '../../../packages/base/io/replace-file.ts';
import { profileNames, type PamProfile } from '../core/profiles.ts';
import { managedFiles, profileDirectory, readPamSnapshot, type PamSnapshot } from './pam-files.ts';

const program = '/usr/sbin/pam-auth-update';
/** The time limit for perl and debconf on a slow machine. */
const timeoutMs = 120_000;
const outputBytesMax = 1024 * 1024;

export const hasAuthUpdate = (): boolean => existsSync(program);

/** Returns the files as they would be with only these profiles of ours. */
export function rehearseAuthUpdate(profiles: readonly PamProfile[]): Result<PamSnapshot, Problem> {
  const action = `try ${program} on copies`;
  if (!knowsRoot())
    return failed({
      action,
      reason: 'it is older than libpam-runtime 1.4 and has no option --root',
      hint: 'upgrade libpam-runtime',
    });
  let root: string | undefined;
  try {
    root = mkdtempSync('/run/bulkhead-pam-');
    copyFiles(root);
    const done = perform(root, profiles);
    return done.ok ? readPamSnapshot(root) : done;
  } catch (error) {
    return failed({ action, ...causeOf(error) });
  } finally {
    if (root !== undefined) rmSync(root, { recursive: true, force: true });
  }
}

/** Whether it knows `--root`. An older one would ignore the option and change the real files. */
function knowsRoot(): boolean {
  const text = readText(program) ?? '';
  return text.includes("'--root'") && text.includes("'--enable'");
}

function copyFiles(root: string): void {
  mkdirSync(dirname(`${root}${profileDirectory}`), { recursive: true });
  cpSync(profileDirectory, `${root}${profileDirectory}`, { recursive: true, dereference: true });
  for (const path of managedFiles) {
    mkdirSync(dirname(`${root}${path}`), { recursive: true });
    if (existsSync(path)) cpSync(path, `${root}${path}`, { dereference: true });
  }
}

/** Writes these profiles, runs it, and removes our other ones. `root` is empty for the host itself. */
export function perform(root: string, profiles: readonly PamProfile[]): Result<void, Problem> {
  for (const { name, text } of profiles) {
    const written = replaceFile(`${root}${profileDirectory}/${name}`, text);
    if (!written.ok) return written;
  }
  const wanted = profiles.map(({ name }) => name);
  const others = profileNames.filter((name) => !wanted.includes(name));
  const ran = run(
    [
      ...(root === '' ? [] : ['--root', root]),
      '--package',
      ...(wanted.length === 0 ? [] : ['--enable', ...wanted]),
      ...(others.length === 0 ? [] : ['--remove', ...others]),
    ],
    root,
  );
  if (!ran.ok) return ran;
  try {
    for (const name of others) removeIfThere(`${root}${profileDirectory}/${name}`);
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove a profile in', object: profileDirectory, ...causeOf(error) });
  }
}

function run(args: readonly string[], root: string): Result<void, Problem> {
  const options = {
    cwd: '/',
    env: environmentOf(root),
    encoding: 'utf8',
    input: '',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: outputBytesMax,
    // Ctrl-C must not end it half-way.
    detached: true,
  } as const;
  const { status, error, stderr } = spawnSync(program, args, options);
  const cannot = (reason: string, hint?: string) =>
    failed({ action: 'run', object: program, reason, ...(hint !== undefined && { hint }) });
  if (error !== undefined) return cannot(reasonOf(error));
  if (/Local modifications/.test(stderr)) return cannot(localChanges, localChangesHint);
  if (status === 0) return ok(undefined);
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return cannot(last === '' ? `it ended with status ${status}` : last, lockedHint(stderr));
}

const localChanges =
  'a file /etc/pam.d/common-* was changed by hand, and it no longer manages them';
const localChangesHint =
  'compare them with /var/lib/pam, or let "pam-auth-update --force" write them anew, which drops those changes';

const lockedHint = (stderr: string) =>
  stderr.includes('locked')
    ? 'another package manager is at work; try again when it is done'
    : undefined;

/**
 * Returns the environment. debconf saves the chosen profiles; in a rehearsal, in a file that is removed with the
 * copies.
 */
function environmentOf(root: string): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
    ...(root === '' ? {} : { DEBCONF_DB_REPLACE: `File{${root}/debconf.dat}` }),
  };
}
