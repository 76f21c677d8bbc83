/** Sequences of loads, and the modules that they need made from built ones. */
import type { Release } from '../../packages/modules/core/kernel/releases.ts';
import { editBytes, type Edit } from './edits.ts';
import { ObjectFile } from './object-file.ts';
import type { Command } from './oracle.ts';

interface LoadStep {
  readonly do: 'load' | 'copy' | 'insmod';
  /** Name of a built module. */
  readonly base: string;
  readonly edits: readonly Edit[];
  /** The flags of finit_module(2). */
  readonly flags: number;
}

export type OracleStep =
  | LoadStep
  | { readonly do: 'unload'; readonly name: string }
  /** Unloads the module that the step before has loaded, if it has. */
  | { readonly do: 'unload last' }
  | { readonly do: 'write'; readonly path: string; readonly text: string };

/** The expected result of the last step: the module's own taints, or the errno. */
type Expectation = { readonly loads: string } | { readonly refused: string };

export interface Case {
  readonly name: string;
  readonly steps: readonly OracleStep[];
  readonly expect: Expectation;
  /** The first kernel for this case; earlier ones crash. */
  readonly from?: Release;
  /** The expected result on kernels before a release. */
  readonly before?: { readonly release: Release; readonly expect: Expectation };
}

/** A step with its module's file made. */
export interface MadeStep {
  readonly command: Command;
  /** The module's file; undefined if nothing is loaded. */
  readonly bytes: Uint8Array | undefined;
}

type Bases = ReadonlyMap<string, Uint8Array>;

/** Makes the modules of a sequence; their files are named `PREFIX.NUMBER`. */
export function makeSteps(prefix: string, steps: readonly OracleStep[], bases: Bases): MadeStep[] {
  let last = '';
  return steps.map((step, index) => {
    if (step.do === 'unload last') {
      return { command: { do: 'unload', name: last }, bytes: undefined };
    }
    if (step.do === 'unload' || step.do === 'write') return { command: step, bytes: undefined };
    const base = bases.get(step.base);
    if (base === undefined) throw new Error(`There is no module "${step.base}"`);
    const bytes = editBytes(base, step.edits);
    const name = structNameOf(bytes) ?? step.base;
    last = name;
    const file = `${prefix}.${index}`;
    return { command: { do: step.do, file, name, flags: step.flags }, bytes };
  });
}

/** Returns the files that an oracle needs for these steps. */
export function filesOf(steps: Iterable<MadeStep>): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const { command, bytes } of steps) {
    if (bytes !== undefined && 'file' in command) files.set(command.file, bytes);
  }
  return files;
}

/**
 * Returns the module's name below /sys/module; undefined for a file that the kernel cannot read
 * anyway.
 */
function structNameOf(bytes: Uint8Array): string | undefined {
  try {
    const { data } = new ObjectFile(bytes).section('.gnu.linkonce.this_module');
    return Buffer.from(data.subarray(24, 80)).toString('latin1').replace(/\0.*$/s, '');
  } catch {
    return undefined;
  }
}
