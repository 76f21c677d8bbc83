/** The bytes of a module that was read before, from its file or out of its package. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Cause } from '../../../base/problem.ts';
import { fail, type Result } from '../../../base/result.ts';
import { decompressed } from './decompress.ts';
import { collectInputs } from './inputs.ts';
import { moduleBytesMax } from './unpack-module.ts';

/** Reads the unpacked bytes again; fails when the file is no longer the one that was judged. */
export async function readAgain(entry: {
  readonly file: string;
  readonly sha256: string;
}): Promise<Result<Uint8Array, Cause>> {
  const stored = await storedBytes(entry.file);
  if (!stored.ok) return stored;
  if (createHash('sha256').update(stored.value).digest('hex') !== entry.sha256) {
    return fail({ reason: 'it was replaced while it was read' });
  }
  return decompressed(stored.value, moduleBytesMax);
}

/**
 * Reads the stored bytes. `package.deb!/lib/modules/…/x.ko.xz` is a file in a package, unless a
 * file has that very name.
 */
async function storedBytes(label: string): Promise<Result<Uint8Array, Cause>> {
  const at = label.indexOf('!/');
  const path = at < 0 || existsSync(label) ? label : label.slice(0, at);
  for await (const each of collectInputs([path])) {
    if (each.kind === 'module' && each.label === label) return each.read();
    if (each.kind === 'problem' && each.path === path) return fail({ reason: each.why });
  }
  return fail({ reason: 'it no longer exists' });
}
