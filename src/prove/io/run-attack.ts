/** Runs one attack: the program before it, the control, the attack itself. Reads what the kernel counted. */
import { readdirSync } from 'node:fs';
import { formatCause } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import { noCounters } from '../../limits/limits.ts';
import type { Counters } from '../../limits/limit.ts';
import type { Driver } from '../../host/driver.ts';
import { openProcess } from '../../sys/processes/pidfd.ts';
import { statusValue } from '../../sys/processes/process-status.ts';
import type { Attack, Role, Stage, Start } from '../core/attack.ts';
import {
  impossible,
  jailErrors,
  judgeSaid,
  permissionErrors,
  type AttackEvidence,
  type AttackResult,
} from '../core/outcome.ts';
import { withControl } from '../core/verdict.ts';
import { busySecondsMax, isAtLimit, secondsMin, sightingsMin } from '../attacks/load.ts';
import { endProcesses } from './end-processes.ts';
import { runProgram, type Launching } from './run-program.ts';

export interface Carrying extends Launching {
  readonly driver: Driver;
  /** Whether the neighbour's process still exists: a missing one refuses everything. */
  readonly neighbourRuns: () => boolean;
}

export async function runAttack(attack: Attack, carrying: Carrying): Promise<AttackResult> {
  const { stage } = carrying;
  const blocker = attack.obstacle?.(stage);
  if (blocker !== undefined) return impossible(formatCause(blocker));
  const { before, control, by = 'attacker' } = attack;
  if (before !== undefined) {
    // A trap lies where other processes come by, outside jails.
    const start: Start = { ...before.start(stage), ...(stage.jailed ? { plain: true } : {}) };
    const evidence = await run(before.by, start, undefined, carrying);
    const made = judgeSaid(evidence, []);
    if (made.kind !== 'through') return impossible(`it could not be prepared: ${made.detail}`);
  }
  const evidence = await run(by, attack.start(stage), attack.watch, carrying);
  if (!carrying.neighbourRuns()) return impossible('the process of the neighbour has ended');
  const outcome = judge(attack, by, evidence, stage);
  if (control === undefined || outcome.kind !== 'blocked') return outcome;
  const plain = stage.landlocked && control.by === 'neighbour';
  const start: Start = { ...control.start(stage), ...(plain ? { plain } : {}) };
  const other = await run(control.by, start, attack.watch, carrying);
  return withControl(outcome, judge(attack, control.by, other, stage));
}

function judge(attack: Attack, by: Role, evidence: AttackEvidence, stage: Stage): AttackResult {
  const refusals = attack.refusals ?? permissionErrors;
  const isJailed = stage.jailed && by !== 'control' && by !== 'server';
  const outcome =
    attack.judge?.(evidence, stage) ??
    judgeSaid(evidence, isJailed ? [...refusals, ...jailErrors] : refusals);
  return { ...outcome, detail: printable(outcome.detail).trim() };
}

async function run(
  role: Role,
  start: Start,
  watch: Attack['watch'],
  carrying: Carrying,
): Promise<AttackEvidence> {
  const { driver, stage } = carrying;
  const uid = stage.uids[role];
  // The server is not a tenant, and the neighbour has a process that must go on.
  if (role === 'server' || role === 'neighbour') {
    const ran = await runProgram(role, start, carrying);
    return { ...ran, counters: noCounters, inside: 0, outside: [], survivors: 0 };
  }
  const cgroup = `u${uid}`;
  const count = () => driver.counters(cgroup) ?? noCounters;
  const before = count();
  const sightings = new Sightings(uid, driver);
  const ran = await runProgram(role, start, carrying, (seconds) => {
    if (watch === 'placement') return sightings.look();
    if (watch !== 'processor' || seconds < secondsMin) return false;
    const { cpu } = stage.limits;
    if (cpu === undefined || seconds >= busySecondsMax) return true;
    return isAtLimit(difference(before, count()), seconds, cpu);
  });
  const counters = difference(before, count());
  const survivors = await endProcesses(uid, driver);
  return { ...ran, counters, survivors, inside: sightings.inside, outside: sightings.outside };
}

function difference(before: Counters, after: Counters): Counters {
  const entries = Object.entries(after) as [keyof Counters, number][];
  return Object.fromEntries(
    entries.map(([key, value]) => [key, value - before[key]]),
  ) as unknown as Counters;
}

/** `PF_EXITING`. Source: include/linux/sched.h. */
const exitingFlag = 0x4;

/**
 * The places at which processes of a uid are seen. A process is opened first, so that its number cannot become
 * another's.
 */
class Sightings {
  inside = 0;
  readonly outside: string[] = [];
  readonly #uid: string;
  readonly #own: RegExp;
  readonly #names: ReadonlySet<string>;

  constructor(uid: number, { tree }: Driver) {
    this.#uid = String(uid);
    this.#own = new RegExp(`/u${uid}(?:/|$)`);
    this.#names = new Set(tree.version === 2 ? [''] : tree.hierarchies.map(({ name }) => name));
  }

  /** Scans the processes; returns whether enough were seen. */
  look(): boolean {
    for (const name of readdirSync('/proc')) if (/^\d+$/.test(name)) this.#see(Number(name));
    return this.inside >= sightingsMin || this.outside.length > 0;
  }

  #see(pid: number): void {
    const opened = openProcess(pid);
    if (!opened.ok) return;
    using process = opened.value;
    const status = process.read('status');
    if (!status.ok || statusValue(status.value, 'Uid')?.split('\t')[0] !== this.#uid) return;
    const cgroups = process.read('cgroup');
    // It has ended meanwhile, or is about to: the kernel has removed it from its cgroups.
    if (!cgroups.ok || /^State:\s+[ZX]/m.test(status.value)) return;
    const elsewhere = this.#elsewhere(cgroups.value);
    if (elsewhere === undefined) this.inside++;
    else if (process.read('status').ok && this.#isAlive(process.read('stat'))) {
      this.outside.push(elsewhere);
    }
  }

  /**
   * Whether the process is not ending. One that is ending is shown in the root cgroup, while its state is still that it
   * runs. Source: proc_pid_stat(5).
   */
  #isAlive(stat: { readonly ok: boolean; readonly value?: string }): boolean {
    const text = stat.value ?? '';
    const [state = 'X', , , , , , flags = ''] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return stat.ok && !/[ZX]/.test(state) && (Number(flags) & exitingFlag) === 0;
  }

  /** Returns a cgroup of a hierarchy that counts, if it is not the tenant's. */
  #elsewhere(text: string): string | undefined {
    for (const line of text.split('\n')) {
      const [, , controllers = '', path = ''] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
      if (path !== '' && this.#names.has(controllers) && !this.#own.test(path)) return path;
    }
    return undefined;
  }
}
