/**
 * Whether BPF programs can decide on this kernel: `bpf` must be one of the security modules in force. A kernel without
 * it still loads and attaches such programs, but never calls them.
 *
 *     lockdown,capability,landlock,yama,apparmor,bpf        /sys/kernel/security/lsm
 */
import { existsSync } from 'node:fs';
import type { Layer } from '../../../packages/base/layer.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { readKernelConfig } from '../kernel-config.ts';

interface Roots {
  readonly sys: string;
  readonly proc: string;
}

export const parseLsmList = (text: string): readonly string[] =>
  text
    .trim()
    .split(',')
    .filter((each) => each !== '');

export interface LsmProblem extends Cause {
  /** The kernel may ask BPF programs; nothing here shows whether it does. */
  readonly isUnknown?: true;
}

/** Returns why programs cannot decide here, and what would change that. */
export function lsmProblem({ sys, proc }: Roots): LsmProblem | undefined {
  const list = `${sys}/kernel/security/lsm`;
  const text = readText(list);
  if (text === undefined) {
    const mount = 'mount -t securityfs securityfs /sys/kernel/security';
    return {
      reason: `it is unknown whether BPF is in force: there is no ${list}`,
      hint: mount,
      isUnknown: true,
    };
  }
  const modules = parseLsmList(text);
  if (!modules.includes('bpf')) {
    return {
      reason: `this kernel does not ask BPF programs: "bpf" is not in ${list} (${modules.join(',')})`,
      hint: bootHint({ proc }),
    };
  }
  if (existsSync(`${sys}/kernel/btf/vmlinux`)) return undefined;
  return {
    reason: `this kernel was built without the description of its types: there is no ${sys}/kernel/btf/vmlinux`,
    hint: 'use a kernel that has CONFIG_DEBUG_INFO_BTF, as those of the distributions have',
  };
}

/** The state of a layer that only BPF programs could enforce. */
export const blockedState = ({ isUnknown }: LsmProblem): 'unknown' | 'unavailable' =>
  isUnknown === true ? 'unknown' : 'unavailable';

/** Returns such a layer. */
export const blockedLayer = (key: string, problem: LsmProblem): Layer => ({
  key,
  state: blockedState(problem),
  reason: problem.reason,
  ...(problem.hint === undefined ? {} : { improve: problem.hint }),
});

function bootHint(roots: Pick<Roots, 'proc'>): string {
  const config = readKernelConfig(roots);
  if (config !== undefined && config.get('BPF_LSM') !== 'y')
    return 'this kernel was built without CONFIG_BPF_LSM; use one that has it';
  return 'run "bulkhead setup boot", which adds it to the boot options, and reboot';
}
