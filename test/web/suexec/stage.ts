/**
 * The common part of tests of bulkhead-suexec: Debian's Apache with the real suexec and mod_fcgid, which are unpacked and
 * laid over the files of this host, in a directory to which Apache changes its root. Alice has a jail, and bob has none.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { after, before } from 'node:test';
import { compileExec, compileSuexec } from '../../../scripts/entry.ts';
import { packageFile } from '../../../src/sys/package-files.ts';
import { formatSettings } from '../../../src/web/core/suexec/settings-file.ts';
import { freePort } from '../../../testing/free-port.ts';
import { eventually, patienceMilliseconds } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { logToStderr } from '../../../testing/progress.ts';
import { unpackPackages } from '../../../testing/unpacked-packages.ts';
import { findTree } from '../../cli/launch-stage.ts';
import { reasonToSkip } from '../../jail/stage.ts';

const web = await ensurePrerequisites('web', logToStderr);
const ready = web.ok ? await ensurePrerequisites('accounts', logToStderr) : web;
const noPlace = reasonToSkip() || (findTree('x').roots.length === 0 ? 'needs cgroups' : false);
const unpacked =
  noPlace === false && ready.ok
    ? unpackPackages('suexec', [
        'apache2',
        'apache2-suexec-custom',
        'apache2-suexec-pristine',
        'libapache2-mod-fcgid',
        'libapache2-mpm-itk',
        'php8.4-cgi',
      ])
    : undefined;
export const skip: string | false =
  noPlace || (ready.ok ? (unpacked?.ok === false ? unpacked.reason : false) : ready.reason);

const program = packageFile('bulkhead');
compileExec();
const wrapper = compileSuexec();

/** The uid of www-data, by its number in all Debians. Source: /usr/share/base-passwd/passwd.master. */
export const server = 33;

/** Returns the command that runs another in a directory, with that uid and the web server's group. */
export const inDirectoryAs = (
  uid: number,
  directory: string,
  ...words: readonly string[]
): readonly string[] => [
  'setpriv',
  `--reuid=${uid}`,
  `--regid=${server}`,
  '--clear-groups',
  'sh',
  '-c',
  'cd "$0" && exec "$@"',
  directory,
  ...words,
];

const modules = ['authz_core', 'authz_host', 'mime', 'suexec', 'cgi', 'fcgid', 'alias'];

/**
 * Lays the unpacked files over the host's. A mount namespace would not do: the kernel copies no pins of jails into one.
 */
const layers = String.raw`set -e
mount -t overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" none "$1/root"
for each in proc sys dev run; do mount --rbind "/$each" "$1/root/$each"; mount --make-rslave "$1/root/$each"; done
mount --bind "$2" "$1/root$2"; mount --bind "$3" "$1/root$3"
mkdir -p "$1/root$1"
mount --bind "$1" "$1/root$1"`;

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export type Tenant = 'alice' | 'bob';

export class SuexecStage {
  readonly instance: string;
  readonly users: Readonly<Record<Tenant, string>>;
  readonly uids = { alice: 0, bob: 0 };
  /** Their groups, which may have other numbers. */
  readonly gids = { alice: 0, bob: 0 };
  readonly homes: string;
  readonly policy: string;
  port = 0;
  /** A directory of the files that are laid over the host's, in memory. */
  readonly #layer: string;
  #apache: ChildProcess | undefined;

  constructor(name: string) {
    this.instance = `bulkhead-suexec-${name}`;
    this.users = { alice: `bhsux${name}a`, bob: `bhsux${name}b` };
    this.homes = `/srv/${this.instance}`;
    this.policy = `${this.homes}/policy.xml`;
    this.#layer = `/var/tmp/${this.instance}-layer`;
  }

  /** The wrapper and its settings, in the layer. */
  get wrapper(): string {
    return `/usr/lib/${this.instance}-suexec/suexec`;
  }

  /**
   * Makes everything before the tests of the file, and removes it afterwards. Each policy that is applied later takes
   * seconds.
   */
  register(ofEach = ''): void {
    before(() => {
      if (skip === false) this.prepare(ofEach);
    });
    after(async () => {
      if (skip !== false) return;
      await this.stop();
      this.remove();
    });
  }

  prepare(ofEach = ''): void {
    this.#removeLeftovers();
    mkdirSync(this.homes, { recursive: true });
    for (const [name, user] of Object.entries(this.users)) {
      execFileSync('useradd', ['--no-log-init', '-U', '-m', '-d', `${this.homes}/${name}`, user]);
      this.uids[name as Tenant] = Number(execFileSync('id', ['-u', user]));
      this.gids[name as Tenant] = Number(execFileSync('id', ['-g', user]));
      chmodSync(`${this.homes}/${name}`, 0o755);
      this.#makeWeb(name as Tenant);
    }
    this.mustApply(ofEach, ofEach);
    this.#layOver();
  }

  /** Removes what an interrupted run has left, if anything. */
  #removeLeftovers(): void {
    const { homes, instance, users } = this;
    const accounts = readFileSync('/etc/passwd', 'utf8');
    const isThere = [homes, this.#layer, `/run/${instance}`, `/var/lib/${instance}`].some((each) =>
      existsSync(each),
    );
    if (isThere || Object.values(users).some((each) => accounts.includes(`\n${each}:`)))
      this.remove();
  }

  remove(): void {
    this.bulkhead('release', '--kill');
    for (const user of Object.values(this.users)) {
      spawnSync('userdel', [user], { stdio: 'ignore' });
      rmSync(`/var/mail/${user}`, { force: true });
    }
    spawnSync('umount', ['--recursive', this.#layer], { stdio: 'ignore' });
    // Only if nothing of the host is mounted in it any more.
    if (existsSync(this.#layer)) rmdirSync(this.#layer);
    for (const each of [this.homes, `/run/${this.instance}`, `/var/lib/${this.instance}`])
      rmSync(each, { recursive: true, force: true });
  }

  /** Runs a command on the host, not in the layer. */
  readonly bulkhead = (...args: readonly string[]) =>
    spawnSync(program, ['--instance', this.instance, ...args], { encoding: 'utf8' });

  mustApply(ofAlice = '', ofBob = ''): void {
    const { alice, bob } = this.uids;
    const tenants = `<tenant uid="${alice}"><jail profile="web"/>${ofAlice}</tenant><tenant uid="${bob}">${ofBob}</tenant>`;
    writeFileSync(this.policy, `<bulkhead version="1">${tenants}</bulkhead>\n`);
    const { status, stderr } = this.bulkhead('apply', this.policy);
    assert.equal(status, 0, stderr);
  }

  directoryOf(tenant: Tenant): string {
    return `${this.homes}/${tenant}/web`;
  }

  #makeWeb(tenant: Tenant): void {
    const directory = this.directoryOf(tenant);
    mkdirSync(directory);
    chownSync(directory, this.uids[tenant], this.gids[tenant]);
  }

  /** Writes a file of the tenant's, which the web server can run. */
  write(tenant: Tenant, name: string, text: string | Uint8Array, mode = 0o755): string {
    const path = `${this.directoryOf(tenant)}/${name}`;
    rmSync(path, { force: true });
    writeFileSync(path, text);
    chmodSync(path, mode);
    chownSync(path, this.uids[tenant], this.gids[tenant]);
    return path;
  }

  #layOver(): void {
    assert.ok(unpacked?.ok === true);
    mkdirSync(this.#layer);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=0755', 'none', this.#layer]);
    const up = `${this.#layer}/up`;
    const options = { recursive: true, verbatimSymlinks: true };
    cpSync(`${unpacked.root}/usr/lib`, `${up}/usr/lib`, options);
    cpSync(`${unpacked.root}/usr/bin`, `${this.#layer}/bin`, options);
    mkdirSync(`${up}/var/log/apache2`, { recursive: true });
    for (const each of ['custom', 'pristine']) {
      chownSync(`${up}/usr/lib/apache2/suexec-${each}`, 0, server);
      chmodSync(`${up}/usr/lib/apache2/suexec-${each}`, 0o4754);
    }
    mkdirSync(`${up}/etc/apache2/suexec`, { recursive: true });
    writeFileSync(`${up}/etc/apache2/suexec/www-data`, `${this.homes}\npublic_html\n`);
    for (const each of ['work', 'root']) mkdirSync(`${this.#layer}/${each}`);
    const shared = [this.homes, `/var/lib/${this.instance}`];
    execFileSync('sh', ['-c', layers, 'sh', this.#layer, ...shared], { stdio: 'inherit' });
    this.useSuexec('/usr/lib/apache2/suexec-custom');
  }

  /** Words that run a program in the layer. */
  readonly inside = (...words: readonly string[]): readonly string[] => [
    'chroot',
    `${this.#layer}/root`,
    ...words,
  ];

  readonly call = (...words: readonly string[]) => {
    const [file = '', ...args] = this.inside(...words);
    return spawnSync(file, args, {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
      maxBuffer: 64 * 2 ** 20,
    });
  };

  readonly mustCall = (...words: readonly string[]): string => {
    const { status, stdout, stderr } = this.call(...words);
    assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
    return stdout;
  };

  /** Calls a program as the web server would: in a directory, with its account. */
  readonly callAsServer = (directory: string, ...words: readonly string[]) =>
    this.call(...inDirectoryAs(server, directory, ...words));

  /** Makes a program the one that Apache calls. */
  useSuexec(path: string): void {
    this.mustCall('ln', '-sfn', path, '/usr/lib/apache2/suexec');
  }

  /** Installs the wrapper in the layer, as `web suexec enable` does on a host. */
  installWrapper(program = '/usr/lib/apache2/suexec-custom', caller = server): void {
    const directory = `/usr/lib/${this.instance}-suexec`;
    const settings = formatSettings({ instance: this.instance, caller, program });
    this.mustCall('mkdir', '-p', directory);
    this.mustCall('sh', '-c', 'printf %s "$0" > "$1"', settings, `${directory}/suexec.conf`);
    this.installSetuid(realpathSync(wrapper), this.wrapper);
    this.useSuexec(this.wrapper);
  }

  /** Installs a program in the layer that only the web server can run, as root. */
  installSetuid(program: string, path: string): void {
    const owned = ['-o', 'root', '-g', `${server}`, '-m', '4750'];
    this.mustCall('install', ...owned, program, path);
  }

  /** Starts Apache; with `AssignUserID` below mpm-itk, without suexec. */
  async start(
    more = '',
    by: 'SuexecUserGroup' | 'AssignUserID' = 'SuexecUserGroup',
  ): Promise<void> {
    this.port = await freePort();
    const vhosts = Object.entries(this.users).map(
      ([name, user]) => `<VirtualHost 127.0.0.1:${this.port}>
ServerName ${name}.example
DocumentRoot ${this.homes}/${name}/web
${by} ${user} ${user}
</VirtualHost>`,
    );
    writeFileSync(
      `${this.#layer}/apache2.conf`,
      `LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
${modules.map((each) => `LoadModule ${each}_module /usr/lib/apache2/modules/mod_${each}.so`).join('\n')}
${by === 'AssignUserID' ? 'LoadModule mpm_itk_module /usr/lib/apache2/modules/mpm_itk.so' : ''}
User www-data
Group www-data
ServerName localhost
DefaultRuntimeDir ${this.#layer}
PidFile ${this.#layer}/apache.pid
ErrorLog ${this.#layer}/error.log
TypesConfig /dev/null
FcgidIPCDir ${this.#layer}/fcgid
FcgidProcessTableFile ${this.#layer}/fcgid_shm
Listen 127.0.0.1:${this.port}
<Directory ${this.homes}>
Options +ExecCGI
AddHandler cgi-script .cgi
Require all granted
</Directory>
${more}
${vhosts.join('\n')}
`,
    );
    mkdirSync(`${this.#layer}/fcgid`, { recursive: true });
    chownSync(`${this.#layer}/fcgid`, server, server);
    const [file = '', ...args] = this.inside(
      '/usr/sbin/apache2',
      '-f',
      `${this.#layer}/apache2.conf`,
      '-DFOREGROUND',
    );
    // At its end Apache sends the signal to its whole process group.
    this.#apache = spawn(file, args, { stdio: 'inherit', detached: true });
    await eventually('Apache answers', () =>
      this.ask('alice', '/').then(
        () => true,
        () => false,
      ),
    );
  }

  async stop(): Promise<void> {
    if (
      this.#apache === undefined ||
      this.#apache.exitCode !== null ||
      this.#apache.signalCode !== null
    )
      return;
    this.#apache.kill('SIGTERM');
    await once(this.#apache, 'exit');
    this.#apache = undefined;
  }

  ask(
    tenant: Tenant,
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.port, path };
      const asked = request(
        { ...options, headers: { ...headers, host: `${tenant}.example` }, agent: false },
        (reply) => {
          let body = '';
          reply.setEncoding('utf8');
          reply.on('data', (part: string) => (body += part));
          reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body }));
          reply.on('error', reject);
        },
      );
      asked.on('error', reject);
      asked.end();
    });
  }

  /** The logs of Apache and suexec. */
  log(): string {
    return readFileSync(`${this.#layer}/error.log`, 'utf8') + this.suexecLog();
  }

  /** The log of the real suexec. */
  suexecLog(): string {
    return this.call('cat', '/var/log/apache2/suexec.log').stdout;
  }

  get phpCgi(): string {
    return `${this.#layer}/bin/php-cgi8.4`;
  }
}

/** A CGI program that prints what it is, and its environment. */
export const showSelf = `#!/bin/sh
echo Content-Type: text/plain
echo
cat /proc/self/status /proc/self/cgroup
echo "pwd $(pwd) args $*"
ls -d /srv/* | tr '\\n' ' '; echo
for fd in /proc/$$/fd/*; do test ! -d $fd || echo "directory $fd"; done
env
`;
