/**
 * The common part of tests of jails in PAM sessions: a tenant with a jail in an instance of the file's own, and
 * sessions that a libpam program opens as sshd, su and cron do.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { after, before } from 'node:test';
import { compilePam } from '../../../scripts/entry.ts';
import { addJailed, jailedFile } from '../../../src/host/cgroups/launch-jailed.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import type { Jail } from '../../../src/policy/jail.ts';
import { accountLines, profilesOf, sessionLines } from '../../../src/pam/core/profiles.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { compileSessionOpener } from '../session-opener.ts';
import { JailStage, reasonToSkip } from '../stage.ts';

const ready = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
export const skip = reasonToSkip() || (ready.ok ? false : ready.reason);

/** Accounts that every Debian has, and that nobody logs in as. */
export const [tenant, other] = ['nobody', 'games'] as const;
export const uid = 65_534;

interface Session {
  readonly status: number | null;
  readonly stdout: string;
  readonly log: string;
}

export let stage: JailStage;
/** A directory that everybody may enter. */
export let scratch = '';
/** The program that opens sessions. */
export let program = '';
let module = '';

const configuration = () => `${scratch}/pam.d`;
export const runtime = () => `/run/${stage.instance}`;
export const stateFile = () => `${runtime()}/jail/tenants/${uid}`;
export const paths = () => pathsOf(stage.instance);
export const list = () => jailedFile(paths().state);
export const jailOf = (jail: Partial<Jail> = {}) => {
  const { account, ...rest } = stage.tenant(uid, jail);
  return { ...rest, account: account && { ...account, user: tenant } };
};

function writeService(name: string, at = module, times = 1): void {
  const step = { module: at, instance: stage.instance, jailed: list() };
  const profiles = profilesOf(step, false).slice(-1);
  const all = Array.from({ length: times }, () => profiles.flatMap(sessionLines)).flat();
  const permit = ['account', 'session'].map((each) => `${each} required pam_permit.so`);
  const text = [...permit, ...profiles.flatMap(accountLines), ...all, ''].join('\n');
  fs.writeFileSync(`${configuration()}/${name}`, text);
}

export const words = (user: string, script: string, service = 'login') =>
  [configuration(), service, user, '/bin/sh', '-c', script] as const;

export function session(
  user: string,
  script = 'cat /run/bulkhead/profile 2>/dev/null || echo outside',
  service = 'login',
  options: readonly string[] = [],
): Session {
  const ran = spawnSync(program, [...options, ...words(user, script, service)], {
    encoding: 'utf8',
    timeout: patienceMilliseconds,
  });
  return { status: ran.status, stdout: ran.stdout.trim(), log: ran.stderr };
}

export const inside = (profile = 'web') => {
  const { status, stdout, log } = session(tenant);
  assert.deepEqual([status, stdout], [0, profile], log);
};

/** Checks that the tenant gets no session, with the reason in the log, and others do as before. */
export function refused(reason: RegExp, ...more: Parameters<typeof session> | []): void {
  const { status, stdout, log } = more.length === 0 ? session(tenant) : session(...more);
  assert.deepEqual([status, stdout], [1, ''], log);
  assert.match(log, reason);
  assert.match(log, /no session for nobody, .*run bulkhead apply/);
  assert.match(log, /to the user: No session can be opened/);
  untouched();
}

export function untouched(service = 'login'): void {
  for (const user of [other, 'root']) {
    const { status, stdout, log } = session(user, undefined, service);
    assert.deepEqual([status, stdout], [0, 'outside'], `${user}: ${log}`);
    assert.match(log, /opened: yes\nclosed: 0/);
  }
}

/** Breaks something, looks, and puts it right again. */
export function while_(broken: () => void, look: () => void, repair: () => void): void {
  broken();
  try {
    look();
  } finally {
    repair();
  }
  inside();
}

export function instead(path: string, make: (path: string) => void, look: () => void): void {
  const aside = `${path}.aside`;
  while_(
    () => (fs.renameSync(path, aside), make(path)),
    look,
    () => (fs.rmSync(path, { recursive: true, force: true }), fs.renameSync(aside, path)),
  );
}

export const inVault = (script: string) =>
  execFileSync('nsenter', [`--mount=${stage.paths.vault}`, 'sh', '-c', script]);
export const mkfifo = (path: string) => execFileSync('mkfifo', [path]);

/** Registers hooks that make the tenant, its jail and the PAM files before the tests, and remove them afterwards. */
export function useJail(name: string): void {
  scratch = suiteDirectory(name, '/var/tmp', 0o755);
  before(async () => {
    stage = new JailStage(name);
    await stage.release();
    fs.mkdirSync(configuration());
    module = compilePam(scratch);
    program = compileSessionOpener(scratch);
    for (const service of ['login', 'systemd-user', 'other', 'pure-ftpd', 'vsftpd', 'dovecot'])
      writeService(service);
    writeService('twice', module, 2);
    writeService('missing', `${scratch}/none/pam_bulkhead.so`);
    fs.mkdirSync(`${scratch}/broken`);
    fs.writeFileSync(`${scratch}/broken/pam_bulkhead.so`, 'not a library');
    writeService('broken', `${scratch}/broken/pam_bulkhead.so`);
    assert.ok(addJailed(paths(), [{ uid, user: tenant }]).ok);
    const built = await stage.build(jailOf());
    assert.deepEqual(built.problems, []);
  });
  after(() => stage[Symbol.asyncDispose]());
}
