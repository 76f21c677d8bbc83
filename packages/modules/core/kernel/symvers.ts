/**
 * Module.symvers: the exports of a kernel and its modules, written by the build. Tabs between the
 * columns:
 *
 *   0x2a1b3c4d  ext4_fs  fs/ext4/ext4  EXPORT_SYMBOL_GPL  NAMESPACE
 *
 * The last may be empty or, before Linux 5.4, missing; in 5.4 and 5.5 it comes before the provider.
 * Source: Documentation/kbuild/modules.rst, scripts/mod/modpost.c.
 */
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import type { SymbolExport } from '../record/module.ts';

export interface SymversExport extends SymbolExport {
  /** `vmlinux`, or the path of the module in the build without `.ko`. */
  readonly provider: string;
}

interface SymversProblem {
  /** The line, counted from 1. */
  readonly line: number;
  readonly message: string;
}

interface Symvers {
  readonly exports: readonly SymversExport[];
  /** Lines that were left out; only the first 100. */
  readonly problems: readonly SymversProblem[];
}

const problemsMax = 100;

export function parseSymvers(text: string): Symvers {
  const exports: SymversExport[] = [];
  const problems: SymversProblem[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '') continue;
    const parsed = parseLine(line);
    if (parsed.ok) exports.push(parsed.value);
    else if (problems.length < problemsMax)
      problems.push({ line: index + 1, message: parsed.error.reason });
  }
  return { exports: withoutEmptyCrcs(exports), problems };
}

const kinds: Readonly<Record<string, boolean>> = {
  EXPORT_SYMBOL: false,
  EXPORT_SYMBOL_GPL: true,
  /** GPL-only in the future, and not yet; these existed until Linux 5.11. */
  EXPORT_SYMBOL_GPL_FUTURE: false,
  EXPORT_UNUSED_SYMBOL: false,
  EXPORT_UNUSED_SYMBOL_GPL: true,
};

function parseLine(line: string): Result<SymversExport, Cause> {
  const columns = line.split('\t');
  if (columns.length < 4 || columns.length > 5) {
    return fail({ reason: `has ${columns.length} columns where 4 or 5 are expected` });
  }
  const [crc = '', name = '', third = '', fourth = '', fifth = ''] = columns;
  if (!/^0x[0-9a-f]{1,8}$/i.test(crc))
    return fail({ reason: `has "${crc}" where a CRC is expected` });
  if (name === '') return fail({ reason: 'names no symbol' });
  const early = fifth.startsWith('EXPORT_');
  const [provider, kind, namespace] = early ? [fourth, fifth, third] : [third, fourth, fifth];
  const gplOnly = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (gplOnly === undefined)
    return fail({ reason: `has "${kind}" where the kind of export is expected` });
  return ok({
    name,
    gplOnly,
    namespace: namespace === '' ? undefined : namespace,
    crc: Number.parseInt(crc, 16),
    provider,
  });
}

/** Drops the CRCs if all are 0, which is what a build without MODVERSIONS writes. */
function withoutEmptyCrcs(exports: readonly SymversExport[]): readonly SymversExport[] {
  if (exports.some((each) => each.crc !== 0)) return exports;
  return exports.map((each) => ({ ...each, crc: undefined }));
}
