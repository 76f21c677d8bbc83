/** Results of threads that read before the keys are available: they equal later results. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ModuleReader } from '../../io/scan/module-reader.ts';
import { readStored } from '../../io/scan/reading-pool.ts';
import type { Keys, ReadResponse, StoredModule } from '../../io/scan/scan-protocol.ts';
import { UnpackBudget } from '../../io/inputs/unpack-budget.ts';
import { unpackedBytesMax } from '../../io/inputs/unpack-module.ts';
import { ok } from '../../../base/result.ts';
import { appendSignature, buildModule } from '../core/elf-builder.ts';
import { makeIdentity, noOpenssl, signDetached } from './certificates.ts';
import { failed } from '../../../base/problem.ts';

const setup = { deep: false, budget: UnpackBudget.make(unpackedBytesMax) };
const stored = (label: string, bytes: Uint8Array): StoredModule => ({
  label,
  sha256: label,
  bytes: Uint8Array.from(bytes),
});
const noKeys: Keys = { kernel: [], given: [] };

describe('ModuleReader.begin() before the keys are known', { skip: noOpenssl }, () => {
  const [ours, other] = noOpenssl
    ? []
    : [makeIdentity('/CN=Ours', 'ec'), makeIdentity('/CN=Other', 'ec')];

  function files(): readonly StoredModule[] {
    const signedBy = (name: string, by: typeof ours, spoil = false) => {
      const elf = buildModule({ name });
      const signature = signDetached(elf, by!);
      if (spoil) elf[elf.length - 1]! ^= 1;
      return appendSignature(elf, signature);
    };
    return [
      stored('good.ko', signedBy('good', ours)),
      stored('stranger.ko.gz', gzipSync(signedBy('stranger', other))),
      stored('spoilt.ko', signedBy('spoilt', ours, true)),
      stored('unsigned.ko.gz', gzipSync(buildModule({ name: 'unsigned' }))),
      stored('text.ko', Buffer.from('no module')),
    ];
  }
  const keys = (): Keys => ({ kernel: [ours!.der], given: [] });

  test('gives the same results as reading after the keys are known', () => {
    const [late, early] = [new ModuleReader(setup), new ModuleReader(setup)];
    const all = files();
    const begun = all.map((each) => early.begin(each));
    early.trust(keys());
    late.trust(keys());
    const after = all.map((each) => late.read(each));
    assert.deepEqual(
      begun.map((finish) => finish()),
      after,
    );
    assert.deepEqual(
      after.map(({ read, problem }) => read?.signature.outcome ?? problem?.message),
      ['good', 'unknown key', 'bad', 'none', 'is not an ELF file'],
    );
    assert.equal(after[0]?.read?.module.observations.deep, undefined);
    assert.ok(
      after[1]?.read?.module.observations.deep !== undefined,
      'what no key signed is looked at',
    );
  });

  test('reads every module when they exceed its memory together', () => {
    const reader = new ModuleReader(setup);
    const large = buildModule({
      name: 'large',
      sections: [{ name: '.rodata', data: new Uint8Array(7 * 2 ** 20) }],
    });
    const begun = Array.from({ length: 8 }, (_, at) => reader.begin(stored(`${at}.ko`, large)));
    reader.trust(noKeys);
    for (const finish of begun) assert.equal(finish().read?.signature.outcome, 'none');
  });

  test('readStored() starts threads before it asks for the keys, and loses no module', async () => {
    const [good, stranger] = files();
    const all = Array.from({ length: 700 }, (_, at) => {
      const { bytes } = at % 2 === 0 ? good! : stranger!;
      return stored(`${at}.ko`, bytes);
    });
    let taken = 0;
    let asked = 0;
    async function* given() {
      for (const each of all) {
        taken++;
        yield each;
      }
    }
    const outcomes = new Map<string, string | undefined>();
    const open = () => {
      asked++;
      assert.ok(taken > 16, 'the threads have nothing to do meanwhile');
      return ok(keys());
    };
    const done = await readStored(given(), setup, open, (answers: readonly ReadResponse[]) => {
      for (const { label, read } of answers) outcomes.set(label, read?.signature.outcome);
    });
    assert.ok(done.ok);
    assert.equal(asked, 1);
    assert.equal(outcomes.size, all.length);
    for (const [index, { label }] of all.entries())
      assert.equal(outcomes.get(label), index % 2 === 0 ? 'good' : 'unknown key');
  });
});

test('readStored() fails with the reason when no kernel provides the keys', async () => {
  const noKernel = { action: 'read a kernel', reason: 'there is none' };
  for (const count of [0, 3, 400]) {
    async function* given() {
      for (let at = 0; at < count; at++) yield stored(`${at}.ko`, buildModule());
    }
    const done = await readStored(
      given(),
      setup,
      () => failed(noKernel),
      () => {},
    );
    assert.deepEqual(done, failed(noKernel));
  }
});
