/** Pools of tenants that have no account, in directories of a test, read by the real php-fpm; none is started. */
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { pathsOf } from '../../../src/host/paths.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { choosingAll, nobody } from '../../../src/web/core/fpm/service/choice.ts';
import { sectionsInText } from '../../../src/web/core/fpm/service/text-sections.ts';
import { CheckBudget } from '../../../src/web/io/fpm/check/budget.ts';
import type { CheckRun } from '../../../src/web/io/fpm/check/left-out.ts';
import { Unfinished } from '../../../src/web/io/fpm/check/unfinished.ts';
import { checkedSplit } from '../../../src/web/io/fpm/checked-split.ts';
import type { FpmContext } from '../../../src/web/io/fpm/context.ts';
import { readHostView } from '../../../src/web/io/fpm/facts.ts';
import { applyFileChanges, changesBetween } from '../../../src/sys/files/file-set.ts';
import { readFpmInputs } from '../../../src/web/io/fpm/inputs.ts';
import { readInstalled } from '../../../src/web/io/fpm/installed.ts';
import { fpmLayoutOf } from '../../../src/web/io/fpm/layout.ts';
import type { FpmProgram } from '../../../src/web/io/servers.ts';
import { wantedFiles } from '../../../src/web/io/fpm/wanted-files.ts';
import { findWebPrograms } from '../../../src/web/io/find-programs.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const found = findWebPrograms().fpm[0];
const isRoot = process.getuid?.() === 0;
export const skip =
  found === undefined ? 'php-fpm is not installed' : isRoot ? false : 'needs root';
export const fpm = found!;

export const tenants = { alice: 64_430, bob: 64_431, carol: 64_432 } as const;
export type Name = keyof typeof tenants;

export class FpmStage implements Disposable {
  readonly #directory = temporaryDirectory('fpm-stage', tmpdir(), 0o755);
  readonly at = this.#directory.path;
  /** Entries limits by uid. */
  readonly entries = new Map<number, number>();
  readonly php: string;
  /** The other builds of PHP of the host. */
  others: readonly FpmProgram[] = [];
  #scratches = 0;

  constructor(php = fpm.php) {
    this.php = php;
    for (const each of ['pools', 'units', 'etc', 'run', 'sockets']) mkdirSync(`${this.at}/${each}`);
    writeFileSync(this.main, `[global]\nerror_log = syslog\ninclude=${this.at}/pools/*.conf\n`);
    const passwd = Object.entries(tenants).map(
      ([user, uid]) => `${user}:x:${uid}:${uid}::${this.at}/home/${user}:/bin/sh\n`,
    );
    writeFileSync(`${this.at}/etc/passwd`, passwd.join(''));
    for (const uid of Object.values(tenants)) {
      mkdirSync(this.home(uid), { recursive: true, mode: 0o755 });
      chownSync(this.home(uid), uid, uid);
    }
  }

  get main(): string {
    return `${this.at}/php-fpm.conf`;
  }

  home(uid: number): string {
    return `${this.at}/home/${uid}`;
  }

  socketOf(pool: string): string {
    return `${this.at}/sockets/${pool}.sock`;
  }

  pool(name: string, uid: number, more = ''): string {
    return `[${name}]\nuser = ${uid}\ngroup = ${uid}\nlisten = ${this.socketOf(name)}\npm = ondemand\npm.max_children = 10\n${more}`;
  }

  write(name: string, text: string): void {
    writeFileSync(`${this.at}/pools/${name}.conf`, text);
  }

  remove(name: string): void {
    rmSync(`${this.at}/pools/${name}.conf`);
  }

  context(): FpmContext {
    const program = { ...fpm, php: this.php, configuration: this.main };
    const paths = { ...pathsOf('bulkhead'), etc: `${this.at}/etc`, runtime: `${this.at}/run` };
    const layout = {
      ...fpmLayoutOf(paths, program, true),
      units: `${this.at}/units`,
      dropIn: `${this.at}/units/drop-in.conf`,
      emptySocket: `${this.at}/none.sock`,
    };
    const policy = {
      tenants: Object.entries(tenants).map(([user, uid]) => ({
        uid,
        account: { user, uid, gid: uid, home: this.home(uid) },
        values: { 'entries.limit': this.entries.get(uid) },
        sites: [],
      })),
    } as unknown as Policy;
    const entry = { kind: 'launcher', instance: 'bulkhead', isJailed: false } as const;
    const { others } = this;
    return { paths, fpm: program, others, web: {}, layout, policy, entryOf: () => entry };
  }

  check(totalMs = 500_000): CheckRun {
    const scratch = `${this.at}/scratch-${this.#scratches++}`;
    mkdirSync(scratch);
    chmodSync(scratch, 0o711);
    const unfinished = new Unfinished(this.context().layout.unfinished);
    return { scratch, budget: new CheckBudget(totalMs), unfinished };
  }

  inputs(totalMs?: number) {
    return readFpmInputs(this.context(), this.check(totalMs));
  }

  /** Returns the files and messages of a reload; there is no systemd to tell. */
  async divide(totalMs?: number) {
    const context = this.context();
    const choice = choosingAll(nobody);
    const check = this.check(totalMs);
    const inputs = await readFpmInputs(context, check);
    if (!inputs.ok) throw new Error(inputs.error.reason);
    const { files, leftOut, sections } = inputs.value;
    const broken = files.filter(({ path }) => leftOut.has(path));
    const host = {
      ...readHostView(
        context.paths,
        context.policy,
        [...sections, ...broken.flatMap(({ text }) => sectionsInText(text))],
        context.fpm.php,
      ),
      // The directory of temporary files is everybody's.
      unsafeFile: () => undefined,
      unsafeDirectory: () => undefined,
    };
    const installed = readInstalled(context.layout);
    const checked = await checkedSplit(context, choice, inputs.value, host, installed, check);
    check.unfinished.save();
    const wanted = wantedFiles(context, choice, inputs.value, checked, installed);
    const done = applyFileChanges(changesBetween(installed.files, wanted));
    if (!done.ok) throw new Error(done.error.reason);
    return { ...checked, units: [...readInstalled(context.layout).units.keys()].sort() };
  }

  [Symbol.dispose](): void {
    this.#directory.remove();
  }
}
