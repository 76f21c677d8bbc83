/** Facts about this host that decide how well the gate can protect it. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { writeFileSync } from 'node:fs';
import type { GateList } from '../../core/gate/gate-list.ts';
import { plainName } from '../../../../packages/modules/core/record/module.ts';

export interface GateFacts {
  /** Whether the kernel refuses modules without a signature; null where it has no signatures. */
  readonly signaturesRequired: boolean | null;
  /** `none`, `integrity`, `confidentiality`; null where there is no lockdown. */
  readonly lockdown: string | null;
  /** Whether kmod unpacks compressed modules itself, so that they come from memory. */
  readonly unpacksInMemory: boolean;
}

const signaturePath = (sys: string) => `${sys}/module/module/parameters/sig_enforce`;

/** Collects the facts. `list` is the running kernel's. */
export function gateFacts({ sys }: Paths, list: GateList | undefined): GateFacts {
  const signatures = readText(signaturePath(sys))?.trim();
  const lockdown = /\[(\w+)\]/.exec(readText(`${sys}/kernel/security/lockdown`) ?? '')?.[1];
  // Linux 5.17 and newer unpack modules of this format themselves. Source:
  // kernel/module/decompress.c, kmod's libkmod-module.c.
  const unpacks = readText(`${sys}/module/compression`)?.trim();
  const packed = new Set(list?.modules.flatMap(({ file }) => compressionOf(file)));
  return {
    signaturesRequired: signatures === undefined ? null : signatures === 'Y',
    lockdown: lockdown ?? null,
    unpacksInMemory: [...packed].some((each) => each !== unpacks),
  };
}

const suffixes: Readonly<Record<string, string>> = { xz: 'xz', zst: 'zstd', gz: 'gzip' };

function compressionOf(file: string): readonly string[] {
  const name = suffixes[/\.ko\.(\w+)$/.exec(file)?.[1] ?? ''];
  return name === undefined ? [] : [name];
}

/**
 * Returns loaded modules that the list refuses or does not have; they were loaded without the gate.
 */
export function loadedUnlisted({ proc }: Paths, list: GateList): readonly string[] {
  const listed = new Set(
    list.modules.flatMap((each) => (each.refusedReason === null ? [plainName(each.name)] : [])),
  );
  return (readText(`${proc}/modules`) ?? '')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name !== '' && !listed.has(plainName(name)));
}

/**
 * Requires signatures; only a reboot undoes it. Source: kernel/module/signing.c, param sig_enforce.
 */
export function requireSignatures({ sys }: Paths): Result<void, Problem> {
  const path = signaturePath(sys);
  const cannot = { action: 'require signatures of modules by', object: path };
  if (readText(path) === undefined) {
    const reason = 'this kernel knows no signatures of modules (CONFIG_MODULE_SIG)';
    return failed({ ...cannot, reason });
  }
  try {
    writeFileSync(path, 'Y');
  } catch (error) {
    return failed({ ...cannot, ...causeOf(error) });
  }
  if (readText(path)?.trim() === 'Y') return ok(undefined);
  return failed({ ...cannot, reason: 'the kernel has not taken it' });
}
