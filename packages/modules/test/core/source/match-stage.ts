/** A vendor's source, the module of it, and the question whether both match. */
import {
  parseAutoConf,
  parseUnset,
  type BuildContext,
} from '../../../core/source/build-context.ts';
import type { DefinedFunctions } from '../../../core/record/defined-functions.ts';
import { matchSource } from '../../../core/source/match.ts';
import { normalise } from '../../../core/source/normalise.ts';
import { OfferedSource } from '../../../core/source/offered.ts';
import { srcversionDigest } from '../../../core/source/srcversion.ts';
import { bytesOf, moduleOf, treeOf } from './trees.ts';

export type Files = Readonly<Record<string, string>>;

export const vendor: Files = {
  Makefile: 'obj-m := foo.o\nfoo-y := main.o io.o\n',
  'main.c':
    '// SPDX-License-Identifier: GPL-2.0-only\n#include "foo.h"\nMODULE_LICENSE("GPL");\nMODULE_VERSION("1.0");\n',
  'io.c': '/* SPDX-License-Identifier: MIT */\n#include "foo.h"\nint io;\n',
  'foo.h': 'int foo;\n',
};

export const srcversionOf = (...texts: readonly string[]): string =>
  srcversionDigest(texts.map((each) => normalise(bytesOf(each)))).slice(0, 23);

export const vendorSrcversion = srcversionOf(
  vendor['main.c']!,
  vendor['foo.h']!,
  vendor['io.c']!,
  vendor['foo.h']!,
);

export const info = { license: 'GPL', version: '1.0', srcversion: vendorSrcversion };

export const context = (settings: string, headers: Files = {}): BuildContext => ({
  release: '6.12.1',
  config: parseAutoConf(settings),
  unset: parseUnset(settings),
  objectTree: treeOf({ 'include/generated/autoconf.h': '' }),
  kernelTree: treeOf(headers),
  generated: undefined,
});

/** Returns only these functions, as if a module had no others but the ones in every build. */
export const functionsOf = (...names: readonly string[]): DefinedFunctions => ({
  names,
  unnamedBytes: 0,
});

export const match = (files: Files, module = moduleOf('x/foo.ko', info, 2), build?: BuildContext) =>
  matchSource(module, new OfferedSource(treeOf(files), build), functionsOf());
