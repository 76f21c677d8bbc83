/**
 * The common part of attacks on the placer: ways out of a tenant's cgroup that were tried with a shell account. None
 * may last, and none go unseen.
 */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hostHere } from '../../conformance/host-here.ts';
import { buildProgram, programsReady } from '../../placer/programs.ts';
import { livingProcesses } from '../../../testing/living-processes.ts';
import { kill, read, Stage } from '../../placer/stage.ts';

const ready = await programsReady();

export class AttackStage extends Stage {
  readonly #programs = new Map<string, string>();

  /** Compiles programs of the directory above, which anybody may then run. */
  build(names: readonly string[]): void {
    for (const each of names) {
      const source = fileURLToPath(new URL(`../${each}.c`, import.meta.url));
      this.#programs.set(each, buildProgram(source, this.directory));
    }
    chmodSync(this.directory, 0o711);
  }

  program(name: string): string {
    return this.#programs.get(name) ?? assert.fail(name);
  }

  /** Has processes of a program end with the others', after each test. */
  addProgram(name: string, path: string): void {
    this.#programs.set(name, path);
  }

  /** Returns processes of an attack, by the name of its program: their uids may be any. */
  attackers(name: string): readonly number[] {
    return livingProcesses()
      .filter((each) => each.name === name && each.euid !== 0)
      .map(({ pid }) => pid);
  }

  endAttackers(): void {
    for (const { pid, name, euid } of livingProcesses())
      if (this.#programs.has(name) && euid !== 0) kill(pid);
  }

  /** Whether a process, or one that has ended, is in the tenant's cgroup. */
  isInside(pid: number, uid: number): boolean {
    const cgroups = this.cgroupsOf(pid);
    return (
      cgroups?.every((each, index) => each === `${this.hierarchies[index]?.path}/u${uid}`) ?? true
    );
  }

  stateOf(pid: number): string | undefined {
    return /^State:\t(\w)/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  }

  /** Returns the tenant's processes that are stopped. */
  stopped(uid: number): readonly number[] {
    return this.processesOf(uid).filter((pid) => this.stateOf(pid) === 'T');
  }
}

/** Defines attacks with these programs, in an instance of their own, or one test that is skipped with the reason. */
export function attackSuite(
  instance: string,
  programs: readonly string[],
  define: (stage: AttackStage) => void,
): void {
  const here = hostHere(instance);
  const reason = 'skip' in here ? here.skip : ready.ok ? undefined : ready.reason;
  if ('skip' in here || reason !== undefined) {
    test('attacks on the placer', { skip: reason ?? true }, () => {});
    return;
  }
  const stage = new AttackStage(here.version, instance);
  before(() => stage.build(programs));
  afterEach(async () => {
    stage.endAttackers();
    await stage.quiet();
  });
  after(() => stage[Symbol.asyncDispose]());
  define(stage);
}
