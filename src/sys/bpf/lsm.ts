/**
 * Whether BPF programs can decide on this kernel: `bpf` must be one of the security modules in force. A kernel without
 * it still loads and attaches such programs, but never calls them.
 *
 *     lockdown,capability,landlock,yama,apparmor,bpf        /sys/kernel/security/lsm
 */
import { existsSync } from 'node:fs';
import type { Layer } from '../../../packages/base/layer.ts';
import { because, improvedBy, type LayerPart } from '../../../packages/base/layer-texts.ts';
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
  /** The parts of the reason and of the hint, for programs that translate them. */
  readonly reasons?: readonly LayerPart[];
  readonly improves?: readonly LayerPart[];
  /** The kernel may ask BPF programs; nothing here shows whether it does. */
  readonly isUnknown?: true;
}

/** Returns why programs cannot decide here, and what would change that. */
export function lsmProblem({ sys, proc }: Roots): LsmProblem | undefined {
  const list = `${sys}/kernel/security/lsm`;
  const text = readText(list);
  if (text === undefined) {
    const mount = 'mount -t securityfs securityfs /sys/kernel/security';
    return { ...because('bpf unknown', list), hint: mount, isUnknown: true };
  }
  const modules = parseLsmList(text);
  if (!modules.includes('bpf')) {
    return { ...because('no bpf', list, modules.join(',')), ...hinted(bootHint({ proc })) };
  }
  if (existsSync(`${sys}/kernel/btf/vmlinux`)) return undefined;
  return {
    ...because('no types', `${sys}/kernel/btf/vmlinux`),
    ...hinted(improvedBy('kernel with types')),
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
  ...(problem.reasons === undefined ? {} : { reasons: problem.reasons }),
  ...(problem.hint === undefined ? {} : { improve: problem.hint }),
  ...(problem.improves === undefined ? {} : { improves: problem.improves }),
});

const hinted = ({ improve, improves }: ReturnType<typeof improvedBy>) => ({
  hint: improve,
  improves,
});

function bootHint(roots: Pick<Roots, 'proc'>): ReturnType<typeof improvedBy> {
  const config = readKernelConfig(roots);
  if (config !== undefined && config.get('BPF_LSM') !== 'y') return improvedBy('kernel with bpf');
  return improvedBy('boot with bpf');
}
