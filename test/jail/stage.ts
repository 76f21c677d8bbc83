/** The common part of tests of jails on this kernel: an instance of their own, and homes. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  chmodSync,
  writeFileSync,
} from 'node:fs';
import { release } from 'node:os';
import type { DatabaseSocket } from '../../src/host/databases/database-files.ts';
import { keyOf, type JailKey } from '../../src/jail/core/jail-key.ts';
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import { compileExec, compileWithEntry } from '../../scripts/entry.ts';
import { buildElsewhere } from '../../src/jail/io/build-elsewhere.ts';
import type { BuildAnswer, JailTenant } from '../../src/jail/io/build/protocol.ts';
import { appliesLandlock, findLandlock } from '../../src/jail/io/landlock.ts';
import { canFilter } from '../../src/jail/io/seccomp.ts';
import { jailPathsOf } from '../../src/jail/io/jail-paths.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { Jail } from '../../src/policy/jail.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';

export function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 5 || (major === 5 && minor < 12)) return 'needs Linux 5.12';
  for (const program of ['/usr/bin/setpriv', '/usr/bin/nsenter', '/usr/bin/gcc']) {
    if (!existsSync(program)) return `needs ${program}`;
  }
  return false;
}

const enterProgram = () => compileWithEntry('test/jail/enter.c');

/** The key of a jail; for a tenant, also its uid as a number. */
type Key = number | JailKey;

export class JailStage implements AsyncDisposable {
  readonly instance: string;
  /** The directory of homes. It is root's, and not in /tmp, since jails have a /tmp of their own. */
  readonly homes: string;

  constructor(name: string) {
    compileExec();
    this.instance = `bulkhead-jail-${name}`;
    this.homes = mkdtempSync(`/var/tmp/bulkhead-jail-${name}-`).replace('/var/tmp', '/srv');
    rmSync(this.homes.replace('/srv', '/var/tmp'), { recursive: true });
    mkdirSync(this.homes, { mode: 0o755 });
  }

  get paths() {
    return jailPathsOf(pathsOf(this.instance));
  }

  /** Returns a tenant with a home, and without an account on the host. */
  tenant(uid: number, jail: Partial<Jail> = {}): JailTenant {
    const home = `${this.homes}/u${uid}`;
    if (!existsSync(home)) {
      mkdirSync(home, { mode: 0o700 });
      chownSync(home, uid, uid);
    }
    const account = { user: `bhjail${uid}`, uid, gid: uid, home };
    return { uid, account, jail: { profile: 'web', paths: [], ...jail } };
  }

  /** Returns a site of a tenant that has a home here, and makes its directory. */
  site(uid: number, name: string, jail: Partial<Jail> = {}): JailTenant {
    const { account } = this.tenant(uid);
    const home = jail.home ?? `${account?.home}/${name}`;
    if (account === undefined) throw new Error('It has an account');
    if (jail.home === undefined && !existsSync(home)) {
      mkdirSync(home, { mode: 0o700 });
      chownSync(home, uid, uid);
    }
    const own = { profile: 'web', paths: [], commands: ['sendmail'], ...jail, home } as const;
    return { uid, site: name, account: { ...account, home }, jail: own };
  }

  /** The sockets of database servers that a test has found. */
  databases: readonly DatabaseSocket[] = [];

  async build(...tenants: readonly JailTenant[]): Promise<BuildAnswer> {
    const { instance, databases } = this;
    const built = await buildElsewhere({ kind: 'build', instance, tenants, databases });
    if (!built.ok) throw new Error(JSON.stringify(built.error));
    return built.value;
  }

  async release(): Promise<BuildAnswer> {
    const released = await buildElsewhere({ kind: 'release', instance: this.instance });
    if (!released.ok) throw new Error(JSON.stringify(released.error));
    return released.value;
  }

  /** Returns a command that enters as the launcher does after it joined the cgroup. */
  enterCommand(key: Key, ...command: readonly string[]): readonly string[] {
    const { landlock } = parseStateFile(this.stateText(key));
    return [enterProgram(), this.instance, `${key}`, landlock ? 'yes' : 'no', ...command];
  }

  /** The same without Landlock, for a look at what only Landlock refuses. */
  enterWithoutLandlock(key: Key, ...command: readonly string[]): readonly string[] {
    return [enterProgram(), this.instance, `${key}`, 'no', ...command];
  }

  run(key: Key, ...command: readonly string[]): SpawnSyncReturns<string> {
    const [program = '', ...args] = this.enterCommand(key, ...command);
    const options = { encoding: 'utf8', timeout: patienceMilliseconds } as const;
    return spawnSync(program, args, { ...options, env: { PATH: '/usr/bin:/bin' } });
  }

  /** Its output; throws where it fails. */
  see(key: Key, script: string): string {
    const { status, stdout, stderr } = this.run(key, '/bin/sh', '-c', script);
    if (status !== 0) throw new Error(`${script}: ${status} ${stderr}`);
    return stdout.trim();
  }

  stateText(key: Key): string {
    return readFileSync(`${this.paths.tenants}/${key}`, 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
    rmSync(this.homes, { recursive: true, force: true });
    rmSync(`/run/${this.instance}`, { recursive: true, force: true });
    rmSync(`/var/lib/${this.instance}`, { recursive: true, force: true });
  }
}

/** Returns args that start a command so that the kernel seems to have no Landlock. Source: seccomp(2). */
export function withoutLandlock(directory: string): readonly string[] {
  const file = `${directory}/no-landlock`;
  const [load, equal, answer, firstCall, unknown, allow] = [
    0x20, 0x15, 0x06, 444, 0x00050026, 0x7fff0000,
  ];
  const program = [
    [load, 0, 0, 0],
    [equal, 0, 1, firstCall],
    [answer, 0, 0, unknown],
    [answer, 0, 0, allow],
  ] as const;
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  writeFileSync(file, bytes);
  return ['/usr/bin/setpriv', `--seccomp-filter=${file}`, '--'];
}

/** Returns why jails are entered without it here, if they are. */
export function landlockObstacle(): string | false {
  const landlock = findLandlock();
  if (!landlock.ok) return landlock.error.reason;
  if (!appliesLandlock(pathsOf())) return 'the kernel asks BPF programs';
  return canFilter() ? false : 'there is no seccomp filter for this kernel or processor';
}

/** Makes a directory for programs that tenants run: everyone may enter it. */
export function publicScratch(name: string): string {
  const directory = mkdtempSync(`/var/tmp/${name}-`);
  chmodSync(directory, 0o755);
  return directory;
}

/** Returns why jails could not be built. */
export const reasonsOf = ({ problems }: { problems: readonly { reason: string }[] }) =>
  problems.map(({ reason }) => reason);

/** Returns the keys of the jails of tenants. */
export const keysOf = (...uids: readonly number[]) => uids.map((uid) => keyOf({ uid }));
