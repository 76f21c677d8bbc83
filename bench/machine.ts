/** The machine that the figures were measured on. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { formatProblem } from '../packages/base/problem.ts';
import { treeHost } from '../testing/tree-host.ts';
import { pathsOf } from '../src/host/paths.ts';
import { instance } from './scratch.ts';

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly driver: string;
  /** The mean number of runnable tasks in the last minute, before the first benchmark. */
  readonly load: number;
}

export function describeMachine(): Machine {
  const driver = treeHost(pathsOf(instance)).probe();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    kernel: release(),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(osRelease())?.[1] ?? 'unknown',
    node: process.version,
    driver: driver.ok ? driver.value.capabilities.driver : formatProblem(driver.error),
    load: loadavg()[0] ?? NaN,
  };
}

function osRelease(): string {
  try {
    return readFileSync('/etc/os-release', 'utf8');
  } catch {
    return '';
  }
}

export function formatMachine(machine: Machine): string {
  const { cpu, cores, memoryGiB, kernel, system, node, driver, load } = machine;
  return [
    `CPU     ${cpu}, ${cores} cores, ${memoryGiB} GiB`,
    `System  ${system}, Linux ${kernel}, driver ${driver}`,
    `Node    ${node}`,
    `Load    ${load.toFixed(2)} before the first benchmark`,
  ].join('\n');
}
