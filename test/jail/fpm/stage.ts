/** The common part of tests of php-fpm in a jail: started as its unit starts it, with a socket of the test's. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { after, before } from 'node:test';
import { compileFpm } from '../../../scripts/entry.ts';
import { parseStateFile, type JailStateFile } from '../../../src/jail/core/state-file.ts';
import { packageFile } from '../../../src/sys/package-files.ts';
import { serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import type { SplitService } from '../../../src/web/core/fpm/service/split.ts';
import { findWebPrograms } from '../../../src/web/io/find-programs.ts';
import { eventually } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { logToStderr } from '../../../testing/progress.ts';
import { askFastCgi, type Reply } from '../fastcgi.ts';
import { reasonToSkip } from '../stage.ts';

const web = await ensurePrerequisites('web', logToStderr);
const ready = web.ok ? await ensurePrerequisites('broker', logToStderr) : web;
export const skip = reasonToSkip() || (ready.ok ? false : ready.reason);
const program = packageFile('bulkhead');
export const launcher = compileFpm();
export const fpm = findWebPrograms().fpm[0];

/** Its name in configurations, and its directory. */
interface OfSite {
  readonly site: string;
  readonly home: string;
}

/** A program that starts another as systemd does: with a socket at that path as descriptor 3. */
const listening = String.raw`use Socket; use POSIX; $^F = 9;
my ($s, $path, @command) = (undef, @ARGV); unlink $path;
socket($s, PF_UNIX, SOCK_STREAM, 0) && bind($s, sockaddr_un($path)) && listen($s, 64) or die $!;
POSIX::dup2(fileno($s), 3); exec @command; die $!`;

/** An instance, two accounts, of which alice has a jail, and a php-fpm for the tests of one file. */
export class FpmJailStage {
  readonly instance: string;
  readonly users: { readonly alice: string; readonly bob: string };
  readonly uids = { alice: 0, bob: 0 };
  /** Alice's gid, which may be another number than her uid. */
  gid = 0;
  readonly homes: string;
  readonly policy: string;
  /** The directory of configurations. */
  readonly directory: string;
  readonly socket: string;
  readonly shop: OfSite;
  master: ChildProcess | undefined;
  /** The master's output. */
  errors = '';
  #scripts = 0;

  constructor(name: string) {
    this.instance = `bulkhead-jail-fpm-${name}`;
    this.users = { alice: `bhjfpm${name}a`, bob: `bhjfpm${name}b` };
    this.homes = `/srv/${this.instance}`;
    this.policy = `${this.homes}/policy.xml`;
    this.directory = `${this.homes}/fpm/8.4`;
    this.socket = `${this.homes}/alice.sock`;
    this.shop = { site: 'shop.example', home: `${this.homes}/alice/shop` };
  }

  /** Makes everything before the tests of the file, and removes it afterwards. */
  register(): void {
    before(() => {
      if (skip !== false) return;
      this.#removeAll();
      mkdirSync(this.directory, { recursive: true });
      for (const [name, user] of Object.entries(this.users)) {
        execFileSync('useradd', ['--no-log-init', '-U', '-m', '-d', `${this.homes}/${name}`, user]);
        this.uids[name as 'alice' | 'bob'] = Number(execFileSync('id', ['-u', user]));
      }
      this.gid = Number(execFileSync('id', ['-g', this.users.alice]));
      writeFileSync(`${this.homes}/bob/secret.php`, "<?php $password = 'of bob';\n");
      chmodSync(`${this.homes}/bob`, 0o755);
      this.mustApply();
      this.writeConfig();
    });
    after(async () => {
      if (skip !== false) return;
      await this.stop();
      this.#removeAll();
    });
  }

  #removeAll(): void {
    this.bulkhead('release', '--kill');
    for (const user of Object.values(this.users)) {
      spawnSync('userdel', [user], { stdio: 'ignore' });
      rmSync(`/var/mail/${user}`, { force: true });
    }
    for (const each of [this.homes, `/run/${this.instance}`, `/var/lib/${this.instance}`])
      rmSync(each, { recursive: true, force: true });
  }

  readonly bulkhead = (...args: readonly string[]) =>
    spawnSync(program, ['--instance', this.instance, ...args], { encoding: 'utf8' });

  mustApply(jail = '<jail profile="web"/>', ofSite = ''): void {
    const { alice, bob } = this.uids;
    const tenants = `<tenant uid="${alice}">${jail}${ofSite}</tenant><tenant uid="${bob}"/>`;
    writeFileSync(this.policy, `<bulkhead version="1">${tenants}</bulkhead>\n`);
    const { status, stderr } = this.bulkhead('apply', this.policy);
    assert.equal(status, 0, stderr);
  }

  pool(more = ''): string {
    return `[alice]
user = ${this.users.alice}
group = ${this.users.alice}
listen = ${this.socket}
listen.owner = www-data
pm = static
pm.max_children = 2
catch_workers_output = yes
${more}`;
  }

  serviceOf(text: string): SplitService {
    const { uids, users, gid } = this;
    const tenant = { uid: uids.alice, gid, user: users.alice, hasOwnGroup: true };
    const file = { path: '/pools/alice.conf', text, isPublic: true, sections: [], includes: [] };
    return { tenant, pools: [], files: [file] };
  }

  configOf(of?: OfSite): string {
    return `${this.directory}/${this.uids.alice}${of === undefined ? '' : `-${of.site}`}.conf`;
  }

  writeConfig(more = '', of?: OfSite): void {
    const path = this.configOf(of);
    const text = serviceConfig(this.serviceOf(this.pool(more)), '8.4').replace(
      'error_log = syslog',
      `error_log = ${of?.home ?? `${this.homes}/alice`}/fpm.log`,
    );
    writeFileSync(path, text);
    chownSync(path, 0, this.gid);
    chmodSync(path, 0o640);
  }

  /** Returns the args of the launcher that its unit has. */
  words(how: string, of?: OfSite): readonly [string, ...string[]] {
    const site = of === undefined ? [] : [of.site];
    const { alice } = this.uids;
    return [
      launcher,
      how,
      this.instance,
      `${alice}`,
      fpm?.program ?? '',
      this.configOf(of),
      ...site,
    ];
  }

  start(of?: OfSite): ChildProcess {
    this.errors = '';
    const env = { PATH: '/usr/bin:/bin', LISTEN_FDS: '1', LISTEN_FDNAMES: this.socket };
    const child = spawn('perl', ['-e', listening, this.socket, ...this.words('tenant', of)], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
    this.master = child;
    return child;
  }

  async stop(): Promise<void> {
    const { master } = this;
    if (master === undefined || master.exitCode !== null || master.signalCode !== null) return;
    master.kill('SIGQUIT');
    await once(master, 'exit');
  }

  /** Runs it as a script of the site. */
  async php(
    code: string,
    more: Readonly<Record<string, string>> = {},
    body?: Buffer<ArrayBuffer>,
    of?: OfSite,
  ): Promise<Reply> {
    const path = `${of?.home ?? `${this.homes}/alice`}/s${++this.#scripts}.php`;
    writeFileSync(path, `<?php ${code}`);
    // One that has just been written is not cached.
    utimesSync(path, 1, 1);
    const parameters = {
      SCRIPT_FILENAME: path,
      REQUEST_METHOD: body === undefined ? 'GET' : 'POST',
      CONTENT_LENGTH: `${body?.length ?? 0}`,
      ...more,
    };
    return eventually('php-fpm answers', () => {
      if (this.master?.exitCode !== null) throw new Error(this.errors);
      return askFastCgi(this.socket, parameters, body).catch((error: NodeJS.ErrnoException) => {
        // It has not begun to listen.
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return undefined;
        throw error;
      });
    });
  }

  stateFile(): JailStateFile {
    const path = `/run/${this.instance}/jail/tenants/${this.uids.alice}`;
    return parseStateFile(readFileSync(path, 'utf8'));
  }
}

export const bodyOf = ({ stdout }: Reply) => stdout.slice(stdout.indexOf('\r\n\r\n') + 4);

export const namespaceOf = (pid: number) =>
  Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/mnt`))?.[0]);
