/** A module as a thread that reads answers it. */
import assert from 'node:assert/strict';
import { readModule } from '../../core/record/read-module.ts';
import type { ParsedModule } from '../../io/scan/scan-protocol.ts';
import { buildModule } from '../core/elf-builder.ts';

export function sampleRead(): ParsedModule {
  const read = readModule('sample.ko', buildModule({ imports: ['memcpy', 'printk'] }));
  assert.ok(read.ok);
  return {
    module: { ...read.value, signature: undefined },
    signature: { outcome: 'none', signer: undefined, trustedBy: undefined },
  };
}
