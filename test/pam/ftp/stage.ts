/**
 * Real FTP daemons on loopback in a network of their own, with PAM files that `pam enable` would write, and a client that
 * logs in as a tenant.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { compilePam } from '../../../scripts/entry.ts';
import { addJailed, jailedFile } from '../../../src/host/cgroups/launch-jailed.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { accountLines, profilesOf, sessionLines } from '../../../src/pam/core/profiles.ts';
import { eventually } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { parseStateFile } from '../../../src/jail/core/state-file.ts';
import { linkAt, readText } from '../../../packages/base/io/read.ts';
import { findTree, launchText, removeCgroup } from '../../cli/launch-stage.ts';
import { JailStage, reasonToSkip } from '../../jail/stage.ts';
import { environment, unpackDaemons } from './unpack.ts';

const ready = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
if (ready.ok && process.getuid?.() === 0) unpackDaemons();
export const uid = 620_801;
export const user = 'bhftp';
const name = 'ftp';
const tree = findTree(`bulkhead-jail-${name}`);
export const skip =
  reasonToSkip() || (tree.roots.length === 0 ? 'needs cgroups' : ready.ok ? false : ready.reason);

/** Logs in, waits for a line, reads and writes a file, asks for one of the host, and prints each outcome. */
const client = `use IO::Socket::INET; $| = 1; alarm 60;
sub reply { my $line; do { $line = <$c> // "closed\\n" } until $line !~ /^(\\d{3}-| )/; $line =~ s/\\s+$//; $line }
sub say_to { print $c "$_[0]\\r\\n"; reply() }
our $c; $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 2121) or die "no: $!\\n";
reply(); say_to("USER $ARGV[0]"); my $in = say_to("PASS x"); print "login $in\\n"; exit if $in !~ /^230/;
<STDIN>;
sub data { my $ports = say_to("EPSV"); my ($port) = $ports =~ /\\|(\\d+)\\|/ or return "no data: $ports"; IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }
my $d = data(); if (ref $d) { my $r = say_to("RETR mine"); if ($r =~ /^1/) { $r = <$d>; reply() } print "read $r\\n" } else { print "read $d\\n" }
$d = data(); if (ref $d) { my $r = say_to("STOR upload"); if ($r =~ /^1/) { print $d "data"; close $d; $r = reply() } print "store $r\\n" } else { print "store $d\\n" }
print "host ", say_to("SIZE /etc/fstab"), "\\n"; say_to("QUIT"); print "done\\n";`;

/** A process of a session. */
export interface SessionProcess {
  readonly uid: number;
  readonly isPlaced: boolean;
  readonly isInside: boolean;
}

export interface FtpSession {
  readonly login: string;
  readonly processes: readonly SessionProcess[];
  readonly lines: readonly string[];
}

interface SessionOptions {
  readonly jail: boolean;
  /** The module that checks passwords. */
  readonly auth?: string;
  /** The name with which the client logs in; the tenant's if absent. */
  readonly as?: string;
}

export class FtpStage {
  readonly scratch = suiteDirectory(name, '/var/tmp', 0o755);
  #jails: JailStage | undefined;
  #module = '';
  #shim = '';
  #namespace = 0;

  constructor() {
    before(async () => {
      if (skip !== false) return;
      this.#jails = new JailStage(name);
      await this.jails.release();
      this.#module = compilePam(this.scratch);
      this.#shim = this.#compileShim();
      spawnSync('userdel', [user]); // a run that was killed may have left it
      const made = spawnSync('useradd', [
        '-M',
        '-u',
        `${uid}`,
        '-d',
        this.home,
        '-s',
        '/bin/sh',
        user,
      ]);
      assert.equal(made.status, 0, made.stderr.toString());
      execFileSync('chpasswd', { input: `${user}:x\n` }); // for daemons that do not ask PAM
      for (const root of tree.roots) fs.mkdirSync(`${root}/u${uid}`, { recursive: true });
      await this.jails.build(this.#tenant());
      this.#namespace = parseStateFile(this.jails.stateText(uid)).namespace ?? 0;
      fs.writeFileSync(`${this.home}/mine`, 'my own');
      fs.writeFileSync(`/run/${this.jails.instance}/launch`, launchText(tree));
    });
    after(async () => {
      if (skip !== false) return;
      await this.jails[Symbol.asyncDispose]();
      spawnSync('userdel', [user]);
      for (const root of tree.roots) removeCgroup(root);
    });
  }

  get jails(): JailStage {
    assert.ok(this.#jails);
    return this.#jails;
  }

  get home(): string {
    return `${this.jails.homes}/u${uid}`;
  }

  /** Compiles what makes libpam read the test's directory in place of /etc/pam.d. */
  #compileShim(): string {
    const source = `#include <security/pam_appl.h>
int pam_start(const char *service, const char *user, const struct pam_conv *conv, pam_handle_t **handle)
{ return pam_start_confdir(service, user, conv, "${this.scratch}/pam.d", handle); }`;
    const library = `${this.scratch}/confdir.so`;
    fs.writeFileSync(`${library}.c`, source);
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, `${library}.c`, '-lpam']);
    return library;
  }

  #tenant() {
    const tenant = this.jails.tenant(uid);
    return { ...tenant, account: tenant.account && { ...tenant.account, user } };
  }

  /** Writes the daemon's PAM service, with the lines of `pam enable`. */
  #writeService(service: string, jail: boolean, auth: string): void {
    const { instance } = this.jails;
    const paths = pathsOf(instance);
    if (jail) assert.ok(addJailed(paths, [{ uid, user }]).ok);
    else fs.rmSync(jailedFile(paths.state), { force: true });
    const step = { module: this.#module, instance, jailed: jailedFile(paths.state) };
    const profiles = profilesOf(step, false).slice(0, jail ? undefined : 1);
    const permit = ['account', 'session'].map((each) => `${each} required pam_permit.so`);
    const ours = profiles.flatMap((each) => [...accountLines(each), ...sessionLines(each)]);
    const lines = [`auth required ${auth}`, ...permit, ...ours, ''];
    fs.rmSync(`${this.scratch}/pam.d`, { recursive: true, force: true });
    fs.mkdirSync(`${this.scratch}/pam.d`, { recursive: true });
    fs.writeFileSync(`${this.scratch}/pam.d/${service}`, lines.join('\n'));
  }

  /** Runs `body` while the tenant's jail cannot be entered: its state file is missing. */
  async withoutState<T>(body: () => Promise<T>): Promise<T> {
    const path = `/run/${this.jails.instance}/jail/tenants/${uid}`;
    fs.renameSync(path, `${path}.away`);
    try {
      return await body();
    } finally {
      fs.renameSync(`${path}.away`, path);
    }
  }

  /** Starts a daemon, and logs in as the tenant. */
  async session(
    service: string,
    command: readonly string[],
    { jail, auth = 'pam_permit.so', as = user }: SessionOptions,
  ): Promise<FtpSession> {
    this.#writeService(service, jail, auth);
    const preloaded = ['env', `LD_PRELOAD=${this.#shim}`, ...command];
    const script = 'ip link set lo up && exec "$@"';
    const daemon = spawn('unshare', ['-n', 'sh', '-c', script, 'sh', ...preloaded], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    let output = '';
    for (const stream of [daemon.stdout, daemon.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const { pid = 0 } = daemon;
    try {
      await eventually(
        'it listens',
        () =>
          / 0100007F:0849 .* 0A /.test(
            (readText(`/proc/${pid}/net/tcp`) ?? '').replaceAll(/\s+/g, ' '),
          ),
        () => output,
      );
      return await this.#logIn(daemon, as);
    } finally {
      await endAll(daemon, tree.roots);
    }
  }

  async #logIn(daemon: ChildProcess, as: string): Promise<FtpSession> {
    const { pid = 0 } = daemon;
    const asked = spawn('nsenter', ['-t', `${pid}`, '-n', 'perl', '-e', client, as], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface(asked.stdout)[Symbol.asyncIterator]();
    const login = `${(await lines.next()).value}`;
    const processes = below(pid).map((each) => this.#look(each));
    asked.stdin.on('error', () => {}); // it ends where it cannot log in
    asked.stdin.end('\n');
    const rest: string[] = [];
    for await (const line of { [Symbol.asyncIterator]: () => lines }) rest.push(line);
    return { login, processes, lines: rest };
  }

  #look(pid: number): SessionProcess {
    const of = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1]);
    const cgroups = (readText(`/proc/${pid}/cgroup`) ?? '').split('\n');
    return {
      uid: of,
      isPlaced: cgroups.some((each) => each.endsWith(`/${this.jails.instance}/u${uid}`)),
      isInside: linkAt(`/proc/${pid}/ns/mnt`) === `mnt:[${this.#namespace}]`,
    };
  }
}

const childrenOf = (pid: number): readonly number[] =>
  (readText(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').map(Number).filter(Boolean);

/** Processes that it has started, and those they have. */
const below = (pid: number): readonly number[] =>
  childrenOf(pid).flatMap((child) => [child, ...below(child)]);

async function endAll(daemon: ChildProcess, roots: readonly string[]): Promise<void> {
  const exited = once(daemon, 'exit');
  const all = [...below(daemon.pid ?? 0)].reverse();
  daemon.kill('SIGKILL');
  const placed = roots.flatMap((root) =>
    (readText(`${root}/u${uid}/cgroup.procs`) ?? '').split('\n').map(Number).filter(Boolean),
  );
  for (const each of [...all, ...placed]) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  await exited;
}
