/**
 * Modules that were damaged at random: whatever the bytes, reading ends in a value.
 *
 * The seed is printed with a failure; BULKHEAD_FUZZ_SEED repeats it. BULKHEAD_TEST_MODULES names a directory
 * with real modules (`.ko`), which are then damaged too.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readModule } from '../../core/record/read-module.ts';
import { mustEnd } from '../../../../testing/patience.ts';
import { appendSignature, buildModule, bytesOf } from './elf-builder.ts';

const seed = Number(process.env['BULKHEAD_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const rounds = 3_000;
const realModulesMax = 12;
const realBytesMax = 256 * 1024;

type Random = (below: number) => number;

/** Marsaglia's xorshift: the same numbers for the same seed. */
function randomFrom(start: number): Random {
  let state = start | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const extremes = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff];

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;
const mutations: Readonly<Record<string, Mutation>> = {
  flip: (bytes, random) => {
    for (let count = 1 + random(8); count > 0; count--) {
      bytes[random(bytes.length)]! ^= 1 << random(8);
    }
    return bytes;
  },
  truncate: (bytes, random) => bytes.subarray(0, random(bytes.length)),
  splice: (bytes, random) => {
    const size = random(Math.min(bytes.length, 512));
    const from = random(bytes.length - size);
    bytes.copyWithin(random(bytes.length - size), from, from + size);
    return bytes;
  },
  lie: (bytes, random) => {
    const at = random(bytes.length - 4);
    new DataView(bytes.buffer).setUint32(at, extremes[random(extremes.length)]!, true);
    return bytes;
  },
  'lie in a header': (bytes, random) => {
    const at = headerOffset(bytes, random);
    if (at + 4 > bytes.length) return bytes;
    new DataView(bytes.buffer).setUint32(at, extremes[random(extremes.length)]!, bytes[5] === 1);
    return bytes;
  },
  fill: (bytes, random) => {
    const at = random(bytes.length);
    return bytes.fill(random(256), at, at + random(4096));
  },
};

/** Picks a field of the ELF header, or of a section's header. */
function headerOffset(bytes: Uint8Array, random: Random): number {
  if (random(4) === 0) return random(64);
  const view = new DataView(bytes.buffer);
  const little = bytes[5] === 1;
  const wide = bytes[4] === 2;
  const table = view.getUint32(wide ? (little ? 40 : 44) : 32, little);
  const count = view.getUint16(wide ? 60 : 48, little);
  return table + random(Math.max(1, count)) * (wide ? 64 : 40) + random(wide ? 16 : 10) * 4;
}

function builtModules(): Uint8Array[] {
  const spec = {
    imports: ['_printk', { name: 'kfree', crc: 5, weak: true }],
    exports: [
      { name: 'plain', crc: 1 },
      { name: 'limited', gplOnly: true, namespace: 'N', crc: 2 },
    ],
    versions: 'extended',
    sections: [
      { name: '.comment', data: bytesOf('GCC: 14\0GCC: 14\0') },
      { name: '.rodata.str1.1', flags: 2, data: bytesOf('text that says /proc/kallsyms\0') },
      { name: '.note.gnu.build-id', type: 7, data: new Uint8Array(36) },
    ],
  } as const;
  const built = [32, 64].flatMap((bits) =>
    [false, true].map((bigEndian) =>
      buildModule({ ...spec, bits: bits === 32 ? 32 : 64, bigEndian }),
    ),
  );
  return [...built, appendSignature(buildModule(spec), new Uint8Array(64).fill(0x30))];
}

function realModules(): Uint8Array[] {
  const directory = process.env['BULKHEAD_TEST_MODULES'];
  if (directory === undefined) return [];
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ko'))
    .sort();
  const step = Math.max(1, Math.floor(names.length / realModulesMax));
  return names
    .filter((_, index) => index % step === 0)
    .map((name) => new Uint8Array(readFileSync(join(directory, name))))
    .filter((bytes) => bytes.length <= realBytesMax);
}

/** Damages modules one after the other, and reads each. */
function fuzz(modules: readonly Uint8Array[], rounds: number): void {
  const random = randomFrom(seed);
  const kinds = Object.keys(mutations);
  for (let round = 0; round < rounds; round++) {
    const original = modules[round % modules.length]!;
    const used: string[] = [];
    let bytes: Uint8Array = original.slice();
    for (let count = 1 + random(3); count > 0 && bytes.length > 1024; count--) {
      const kind = kinds[random(kinds.length)]!;
      used.push(kind);
      bytes = mutations[kind]!(bytes, random);
    }
    const label = `seed ${seed}, round ${round}: ${used.join(', ')}`;
    mustEnd(() => readOne(bytes, label));
  }
}

function readOne(bytes: Uint8Array, label: string): void {
  try {
    const result = readModule('fuzzed.ko', bytes, { deep: true });
    if (!result.ok) {
      assert.ok(result.error.offset >= 0 && result.error.message !== '');
      assert.ok(Number.isFinite(result.error.offset));
    }
  } catch (error) {
    throw new Error(`readModule() threw with ${label}`, { cause: error });
  }
}

describe('readModule() of damaged modules', () => {
  test('never throws and never hangs for small modules', () => {
    fuzz(builtModules(), rounds);
  });

  const real = realModules();
  const skip = real.length === 0 && 'BULKHEAD_TEST_MODULES names no directory with modules';
  test('never throws and never hangs for real modules', { skip }, () => {
    fuzz(real, rounds);
  });

  test('never throws for a module cut to any length', () => {
    const whole = appendSignature(buildModule({ exports: [{ name: 'x' }] }), new Uint8Array(40));
    for (let length = 0; length < whole.length; length++) {
      readOne(whole.subarray(0, length), `length ${length}`);
    }
  });

  test('uses at most 40 times the size of a hostile file in memory', () => {
    // The file has as many undefined symbols as fit, all with one long name.
    const symbols = Array.from({ length: 20_000 }, () => ({ name: '' }));
    const bytes = buildModule({ symbols, modinfo: Array.from({ length: 60_000 }, () => 'a') });
    const before = process.memoryUsage().heapUsed;
    readOne(bytes, 'many symbols');
    assert.ok(process.memoryUsage().heapUsed - before < bytes.length * 40);
  });
});
