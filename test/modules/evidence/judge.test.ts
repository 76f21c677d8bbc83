/** Standings: each sign is found where it is, and an honest module shows none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StandingContext } from '../../../src/modules/evidence/context.ts';
import { standingOf } from '../../../src/modules/evidence/judge.ts';
import type { Observations, SignatureCheck } from '../../../src/modules/module.ts';
import { exportFixture, importFixture, moduleFixture, type ModuleFixture } from '../fixtures.ts';

const good: SignatureCheck = { outcome: 'good', signer: 'CN=key', trustedBy: 'kernel' };
const none: SignatureCheck = { outcome: 'none', signer: undefined, trustedBy: undefined };

const around = (overrides: Partial<StandingContext> = {}): StandingContext => ({
  fileName: 'good',
  signature: none,
  verdict: undefined,
  gplOnly: [],
  release: '6.12.118+deb13-amd64',
  buildSigns: false,
  packageClaim: undefined,
  source: undefined,
  ...overrides,
});

const seen = (overrides: Partial<Observations>): Pick<ModuleFixture, 'observations'> => ({
  observations: { ...moduleFixture().observations, ...overrides },
});

const judged = (module: ModuleFixture, context: Partial<StandingContext> = {}) =>
  standingOf(moduleFixture(module), around(context));
const signsOf = (module: ModuleFixture, context: Partial<StandingContext> = {}) =>
  judged(module, context).evidence.map((each) => `${each.weight} ${each.sign}`);

describe('standingOf()', () => {
  test('goes up the ladder by what is offered', () => {
    const finding = (outcome: 'consistent' | 'reproduced') => ({ source: { outcome, says: 'x' } });
    assert.equal(judged({}).standing, 'unsupported');
    assert.equal(judged({}, finding('consistent')).standing, 'consistent');
    assert.equal(judged({}, { signature: good }).standing, 'signed');
    assert.equal(judged({}, { signature: good, ...finding('reproduced') }).standing, 'reproduced');
  });

  test('finds nothing against an honest module', () => {
    assert.deepEqual(signsOf({}, { signature: good, buildSigns: true }), [
      'support signed-by-kernel',
    ]);
  });

  test('is contradicted by one proof, whoever signed', () => {
    const cut = [{ tag: '', value: 'for files in src; else Proprietary' }];
    const module = moduleFixture();
    const { standing, evidence } = standingOf(
      { ...module, modinfo: [{ tag: 'license', value: 'GPL' }, ...cut, ...module.modinfo] },
      around({ signature: good }),
    );
    assert.equal(standing, 'contradicted');
    assert.match(evidence[0]?.says ?? '', /"GPL", what follows is "for files/);
  });

  const proofs: readonly (readonly [string, ModuleFixture, Partial<StandingContext>])[] = [
    ['known-case', { name: 'lve', structName: 'lve' }, { fileName: 'lve' }],
    ['licences-contradict', { moreTags: [{ tag: 'license', value: 'Proprietary' }] }, {}],
    ['name-differs', { structName: 'other' }, {}],
    ['struct-module-filled', { structExtraBytes: 4 }, {}],
    [
      'livepatch-bypass',
      { tags: { license: 'Proprietary' }, ...seen({ livepatchSymbols: ['vmlinux.x'] }) },
      {},
    ],
    ['package-contradicts', {}, { packageClaim: { outcome: 'contradicts', says: 'GPL-3' } }],
    ['intree-unsigned', {}, { buildSigns: true }],
    ['foreign-objects', seen({ compilers: ['gcc 14', 'gcc 12'], hasEhFrame: true }), {}],
    ['source-differs', {}, { source: { outcome: 'differs', says: 'x' } }],
    ['signature-bad', {}, { signature: { ...good, outcome: 'bad', trustedBy: undefined } }],
  ];
  for (const [sign, module, context] of proofs) {
    test(`takes ${sign} for a proof`, () => {
      assert.ok(signsOf(module, context).includes(`proof ${sign}`), sign);
      assert.equal(judged(module, context).standing, 'contradicted');
    });
  }

  const leads: readonly (readonly [string, ModuleFixture, Partial<StandingContext>])[] = [
    ['foreign-objects', seen({ compilers: ['gcc 14', 'gcc 12'] }), {}],
    ['livepatch-symbols', seen({ livepatchSymbols: ['vmlinux.x'] }), {}],
    ['binary-data', seen({ binarySymbols: ['_binary_fw_start'] }), {}],
    ['closed-licence-words', seen({ strings: ['trade secret'] }), {}],
    ['unexported-symbols', seen({ strings: ['kallsyms_lookup_name'] }), {}],
    ['licence-missing', { tags: { license: undefined } }, {}],
    ['intree-elsewhere', {}, { buildSigns: true, release: '6.1.0' }],
    ['file-name-differs', {}, { fileName: 'better' }],
    ['gpl-only-without-gpl', { tags: { license: 'MIT' } }, { gplOnly: ['device_register'] }],
  ];
  for (const [sign, module, context] of leads) {
    test(`takes ${sign} for a lead, which decides nothing`, () => {
      assert.ok(signsOf(module, context).includes(`lead ${sign}`), sign);
      assert.equal(judged(module, context).standing, 'unsupported');
    });
  }

  test('tells a shim by the share of its exports', () => {
    const wrappers = [['my_register', 'device_register']] as const;
    const deep = { functions: 9, plainReturns: 0, wrappers, denseObjects: [] };
    const symbols = [importFixture('device_register')];
    const shim = (...exports: string[]) => ({
      ...seen({ deep }),
      symbols,
      exports: exports.map((name) => exportFixture(name)),
    });
    const gplOnly = { gplOnly: ['device_register'] };
    assert.ok(signsOf(shim('my_register'), gplOnly).includes('lead gpl-shim'));
    assert.ok(!signsOf(shim('my_register', 'a', 'b'), gplOnly).includes('lead gpl-shim'));
    assert.ok(
      !signsOf(shim('my_register')).includes('lead gpl-shim'),
      'what it calls is not GPL-only',
    );
  });

  test('calls a file name with dashes the same name', () => {
    assert.ok(!signsOf({ name: 'a_b' }, { fileName: 'a-b' }).join().includes('file-name'));
  });
});
