/** Modules that are built and read. */
import assert from 'node:assert/strict';
import type { KernelModule } from '../../core/record/module.ts';
import { readModule } from '../../core/record/read-module.ts';
import { sectionFlags } from '../../core/elf/elf-format.ts';
import { buildModule, type ModuleSpec } from './elf-builder.ts';

export const { alloc, write, execute } = sectionFlags;

export function read(spec: ModuleSpec, deep = false): KernelModule {
  const result = readModule('sample.ko', buildModule(spec), { deep });
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}
