/** The common part of attacks on the launcher: an instance with two tenants, and what is true of all that it starts. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { compileExec } from '../../scripts/entry.ts';

const bulkhead = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const entriesLimit = 1;

/** Exits of a launcher that started nothing. Source: docs/exec.md. */
const refusals: ReadonlyMap<number, RegExp> = new Map([
  [1, /^bulkhead: [A-Z].*\n$/],
  [2, /^bulkhead: .*; see bulkhead-exec --help\n$/],
  [75, /^bulkhead: Cannot start .* are in use; try again later, or raise entries limit\n$/],
  [126, /^bulkhead: Cannot execute ".*": .*\n$/],
]);

/** Variables that a command gets without options, when the caller has neither TERM nor LANG. */
export const freshVariables: readonly string[] = [
  'HOME',
  'LOGNAME',
  'PATH',
  'PWD',
  'SHELL',
  'USER',
];

/** Returns the names of the variables that exec-probe had. */
export const variablesIn = (text: string): readonly string[] =>
  [...text.matchAll(/^variable (.*)$/gm)].map(([, name = '']) => name).sort();

export interface Tenant {
  readonly uid: number;
  readonly hasJail: boolean;
}

interface Start {
  readonly prefix?: readonly string[];
  readonly options?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly command?: readonly string[];
}

export class ExecStage implements Disposable {
  readonly instance: string;
  readonly launcher = compileExec();
  /** Two tenants without accounts, with one entry each. */
  readonly jailed: Tenant;
  readonly plain: Tenant;
  /** A directory that both see. */
  readonly scratch: string;
  /** The command that says what it is in: exec-probe.c. */
  readonly probe: string;
  #hostMounts = '';
  #hierarchies = 0;

  constructor(name: string, firstUid: number) {
    this.instance = `bulkhead-${name}`;
    this.jailed = { uid: firstUid, hasJail: true };
    this.plain = { uid: firstUid + 1, hasJail: false };
    this.run(bulkhead, '--instance', this.instance, 'release', '--kill');
    this.scratch = mkdtempSync(`/srv/${this.instance}-`);
    chmodSync(this.scratch, 0o755);
    this.probe = this.compile('exec-probe');
    this.#apply();
  }

  #apply(): void {
    const jail = `<jail profile="web"><path at="${this.scratch}"/></jail>`;
    const entries = `<entries limit="${entriesLimit}"/>`;
    const tenants = `<tenant uid="${this.jailed.uid}">${entries}${jail}</tenant><tenant uid="${this.plain.uid}">${entries}</tenant>`;
    const policy = `${this.scratch}/policy.xml`;
    writeFileSync(policy, `<bulkhead version="1">${tenants}</bulkhead>\n`);
    const { status, stderr } = this.run(bulkhead, '--instance', this.instance, 'apply', policy);
    assert.equal(status, 0, stderr);
    this.#hostMounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')[0] ?? '';
    const launch = readFileSync(`/run/${this.instance}/launch`, 'utf8');
    this.#hierarchies = launch.match(/^root /gm)?.length ?? 0;
  }

  /** Compiles a program of this directory, which tenants can run, and returns its path. */
  compile(name: string): string {
    const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
    const program = `${this.scratch}/${name}`;
    execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-static', '-o', program, source]);
    return program;
  }

  run(file: string, ...args: readonly string[]): SpawnSyncReturns<string> {
    return this.runWith({}, file, ...args);
  }

  runWith(
    env: NodeJS.ProcessEnv,
    file: string,
    ...args: readonly string[]
  ): SpawnSyncReturns<string> {
    return spawnSync(file, args, {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
      maxBuffer: 2 ** 26,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
    });
  }

  /** Returns the args of a start, without the command. */
  args({ uid }: Tenant, ...options: readonly string[]): readonly string[] {
    return [this.launcher, '--instance', this.instance, ...options, `${uid}`, '--'];
  }

  /** Starts the probe, after the args of a program that starts the launcher. */
  start(tenant: Tenant, given: Start = {}): SpawnSyncReturns<string> {
    const { prefix = [], options = [], env = {}, command = [this.probe] } = given;
    const [program, ...args] = [...prefix, ...this.args(tenant, ...options), ...command];
    return this.runWith(env, program ?? this.launcher, ...args);
  }

  /** Checks what a command printed of itself with files of /proc: it is inside, and has nothing of root. */
  assertInside({ uid, hasJail }: Tenant, text: string, label: string): void {
    assert.match(text, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), label);
    assert.match(text, new RegExp(`^Gid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'), label);
    assert.match(text, /^Groups:\t ?$/m, label);
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
      assert.match(text, new RegExp(`^Cap${set}:\\t0+$`, 'm'), label);
    assert.match(text, /^NoNewPrivs:\t1$/m, label);
    const places = text.match(new RegExp(`:/${this.instance}/u${uid}$`, 'gm')) ?? [];
    assert.equal(places.length, this.#hierarchies, label);
    assert.equal(text.includes(this.#hostMounts), !hasJail, label);
    if (hasJail) assert.match(text, /^Seccomp:\t2$/m, label);
  }

  /**
   * Checks a launcher that ran exec-probe: a command that started is inside, with none of the caller's descriptors and
   * variables, and all else is a documented exit without a command. Returns whether it started.
   */
  assertInsideOrRefused(tenant: Tenant, result: SpawnSyncReturns<string>, label: string): boolean {
    const { status, stdout, stderr } = result;
    if (stdout === '') {
      assert.match(stderr, refusals.get(status ?? 0) ?? /^\b$/, `${label}: ${status} ${stderr}`);
      return false;
    }
    const whole = `${label}: ${status} ${stderr}\n${stdout}`;
    assert.deepEqual([status, stderr], [0, ''], whole);
    assert.ok(stdout.endsWith('\nprobe ends\n'), whole);
    this.assertInside(tenant, stdout, whole);
    assert.doesNotMatch(stdout, /^fd /m, whole);
    assert.deepEqual(variablesIn(stdout), freshVariables, whole);
    return true;
  }

  [Symbol.dispose](): void {
    this.run(bulkhead, '--instance', this.instance, 'release', '--kill');
    rmSync(this.scratch, { recursive: true });
    rmSync(`/var/lib/${this.instance}`, { recursive: true, force: true });
  }
}
