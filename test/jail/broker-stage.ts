/** The common part of tests of the broker, which runs commands outside for tenants in jails. */
import assert from 'node:assert/strict';
import {
  execFileSync,
  spawn,
  spawnSync,
  type ChildProcess,
  type SpawnSyncReturns,
} from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { after, before } from 'node:test';
import { logToStderr } from '../../testing/progress.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { eventually } from '../../testing/patience.ts';
import { reasonToSkip } from './stage.ts';
import { compileExec } from '../../scripts/entry.ts';

const ready = await ensurePrerequisites('broker', logToStderr);
export const skip = reasonToSkip() || (ready.ok ? false : ready.reason);
const program = packageFile('bulkhead');
export const launcher = compileExec();

export const call = (command: string, args: readonly string[], input = '') =>
  spawnSync(command, args, { encoding: 'utf8', input, timeout: 300_000 });

/** The args of a broker. */
type Args = readonly [string, ...string[]];

/** An instance, two accounts and a broker of their own for the tests of one file. */
export class BrokerStage {
  readonly instance: string;
  /** She has a jail; bob has none. */
  readonly alice: string;
  readonly bob: string;
  readonly homes: string;
  readonly policy: string;
  readonly socket: string;
  readonly uids = { alice: 0, bob: 0 };
  readonly gids = { alice: 0, bob: 0 };
  /** The directory of a copy of /etc, in which passwd changes the shadow file. */
  readonly ownEtc: string;
  /** The directory of a copy of /usr/sbin, with a mail program that is a copy of another program. */
  readonly ownSbin: string;
  readonly brokerArgs: Args;
  /** Runs the broker with a PAM configuration that lets cron enter jails, which this host need not have. */
  readonly enteringJails: Args;
  readonly siteJail: string;
  #broker: ChildProcess | undefined;
  log = '';

  constructor(name: string) {
    this.instance = `bulkhead-broker-${name}`;
    [this.alice, this.bob] = [`bhbr${name}a`, `bhbr${name}b`];
    this.homes = `/srv/${this.instance}`;
    this.policy = `${this.homes}/policy.xml`;
    this.socket = `/run/${this.instance}/broker/socket`;
    this.ownEtc = `/run/${this.instance}.etc`;
    this.ownSbin = `/run/${this.instance}.sbin`;
    this.brokerArgs = [packageFile('libexec/bulkhead-broker'), this.instance, '--listen'];
    this.enteringJails = [
      'unshare',
      '--mount',
      'sh',
      '-ec',
      'printf "session required /usr/lib/pam_bulkhead.so\\n" >"$1"; mount --bind "$1" /etc/pam.d/cron; rm "$1"; shift; exec "$@"',
      'sh',
      `/run/${this.instance}.pam`,
      ...this.brokerArgs,
    ];
    this.siteJail = `<site name="shop.example"><jail profile="web" home="${this.homes}/alice/shop"/></site>`;
  }

  /** Makes everything before the tests of the file, and removes it afterwards. */
  register(): void {
    before(async () => {
      if (skip !== false) return;
      this.#removeAll();
      mkdirSync(this.homes);
      for (const [name, user] of Object.entries({ alice: this.alice, bob: this.bob })) {
        execFileSync('useradd', ['--no-log-init', '-U', '-m', '-d', `${this.homes}/${name}`, user]);
        const own = statSync(`${this.homes}/${name}`);
        this.uids[name as 'alice' | 'bob'] = own.uid;
        this.gids[name as 'alice' | 'bob'] = own.gid;
      }
      mkdirSync(`${this.homes}/alice/shop`);
      chownSync(`${this.homes}/alice/shop`, this.uids.alice, this.gids.alice);
      this.mustApply();
      await this.listen(this.enteringJails);
    });
    after(async () => {
      if (skip !== false) return;
      await this.stop();
      this.#removeAll();
    });
  }

  readonly bulkhead = (...args: readonly string[]): SpawnSyncReturns<string> =>
    call(program, ['--instance', this.instance, ...args]);

  readonly asAlice = (...args: readonly string[]): readonly string[] => [
    '--instance',
    this.instance,
    this.alice,
    '--',
    ...args,
  ];

  readonly inside = (script: string, input = ''): SpawnSyncReturns<string> =>
    call(launcher, this.asAlice('/bin/sh', '-c', script), input);

  /** Starts a command of alice's inside that goes on while the test does. */
  readonly start = (args: readonly string[], stdout: 'pipe' | 'ignore' = 'pipe'): ChildProcess =>
    spawn(launcher, this.asAlice(...args), { stdio: ['ignore', stdout, 'inherit'] });

  readonly mustApply = (jail = '<jail profile="web"/>', site = ''): void => {
    const { alice, bob } = this.uids;
    const tenants = `<tenant uid="${alice}">${jail}${site}</tenant><tenant uid="${bob}"/>`;
    writeFileSync(this.policy, `<bulkhead version="1">${tenants}</bulkhead>\n`);
    const { status, stderr } = this.bulkhead('apply', this.policy);
    assert.equal(status, 0, stderr);
  };

  readonly listen = async ([command, ...args]: Args): Promise<void> => {
    await this.stop();
    rmSync(this.socket, { force: true });
    this.#broker = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#broker.stderr?.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    await eventually(
      'it listens',
      () => existsSync(this.socket),
      () => this.log,
    );
  };

  readonly stop = async (): Promise<void> => {
    const broker = this.#broker;
    if (broker?.exitCode === null && broker.kill()) await once(broker, 'exit');
  };

  readonly mail = (): string => {
    const mailbox = `/var/mail/${this.alice}`;
    return existsSync(mailbox) ? readFileSync(mailbox, 'latin1') : '';
  };

  #removeAll(): void {
    this.bulkhead('release', '--kill');
    for (const user of [this.alice, this.bob]) {
      spawnSync('userdel', [user], { stdio: 'ignore' });
      rmSync(`/var/mail/${user}`, { force: true });
      rmSync(`/var/spool/cron/crontabs/${user}`, { force: true });
    }
    const { homes, ownEtc, ownSbin, instance } = this;
    for (const each of [homes, ownEtc, ownSbin, `/run/${instance}`, `/var/lib/${instance}`])
      rmSync(each, { recursive: true, force: true });
  }
}

export const crontab = (user: string): string | undefined => {
  const path = `/var/spool/cron/crontabs/${user}`;
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
};

export function exeOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}
