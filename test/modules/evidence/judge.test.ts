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

/** As the kernel finds them: the first is the one it reads. */
const licences = (...values: readonly string[]): ModuleFixture => ({
  moreTags: values.map((value) => ({ tag: 'license', value })),
});

const code = (functions: number, padded: number, plainReturns: number) => ({
  functions,
  padded,
  plainReturns,
  wrappers: [],
  denseObjects: [],
});

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
    ['licences-contradict', licences('GPL', 'Proprietary'), {}],
    ['licence-nul', seen({ cutTexts: [{ read: 'license=GPL', rest: ['legal=closed'] }] }), {}],
    ['name-differs', { structName: 'other' }, {}],
    ['struct-module-filled', { structExtraBytes: 4 }, {}],
    ['read-otherwise', seen({ readOtherwise: ['its header says 32 bits'] }), {}],
    [
      'livepatch-bypass',
      { tags: { license: 'Proprietary' }, ...seen({ livepatchSymbols: ['vmlinux.x'] }) },
      {},
    ],
    ['package-contradicts', {}, { packageClaim: { outcome: 'contradicts', says: 'GPL-3' } }],
    ['intree-unsigned', {}, { buildSigns: true }],
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
    ['embedded-elf', seen({ embeddedElf: ['.rodata'] }), {}],
    ['known-name', { name: 'kmodlve', structName: 'kmodlve' }, { fileName: 'kmodlve' }],
    ['modinfo-fragment', seen({ cutTexts: [{ read: 'author=A', rest: ['b=c'] }] }), {}],
    ['package-doubtful', {}, { packageClaim: { outcome: 'doubtful', says: 'x' } }],
    [
      'source-closed-terms',
      {},
      { source: { outcome: 'cannot tell', says: 'x', closedTerms: ['y'] } },
    ],
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

  test('contradicts no claim that the kernel does not read', () => {
    const against = (module: ModuleFixture) =>
      signsOf(module).filter((each) => !each.includes('nothing-offered'));
    assert.deepEqual(against(licences('CDDL', 'Dual BSD/GPL')), ['note licences-mixed']);
    assert.deepEqual(against(licences('GPL', 'Freely usable')), ['lead licences-mixed']);
    const blob = seen({ compilers: ['GCC: 4.4', 'GCC: 14'], hasEhFrame: true });
    const closed = { tags: { license: 'MIXED/Proprietary' } };
    assert.deepEqual(against({ ...blob, ...closed }), ['note foreign-objects']);
    assert.deepEqual(against(blob), ['lead foreign-objects']);
    const cut = seen({ cutTexts: [{ read: 'license=MIT', rest: ['more'] }] });
    assert.deepEqual(against({ ...cut, tags: { license: 'MIT' } }), ['lead licence-nul']);
    const asOne = [{ read: 'license=GPL', rest: ['author=A', 'description=B'] }];
    assert.deepEqual(against(seen({ cutTexts: asOne })), [], 'all of it is shown');
  });

  test('takes two languages for one build, but not two compilers of one', () => {
    const rust = 'rustc version 1.85.0 (4d91de4e4 2025-02-17)';
    const of = (...compilers: readonly string[]) => signsOf(seen({ compilers })).join();
    assert.doesNotMatch(of('GCC: 14', rust, 'GCC: 14'), /foreign/);
    assert.match(of('GCC: 14', rust, 'GCC: 12'), /lead foreign/);
    assert.match(of('GCC: 14', rust, 'rustc version 1.84.0'), /lead foreign/);
  });

  test('counts functions that the build did not make', () => {
    const symbols = [importFixture('__x86_return_thunk')];
    const of = (...counts: Parameters<typeof code>) =>
      signsOf({ ...seen({ deep: code(...counts) }), symbols }).join();
    assert.match(of(10, 4, 0), /lead foreign/);
    assert.match(of(10, 0, 4), /lead foreign/);
    assert.doesNotMatch(of(10, 5, 0), /foreign/, 'as ciphers in assembly');
    assert.doesNotMatch(of(10, 0, 0), /foreign/, 'a build without padding');
  });

  test('names the key of a build only beside the kernel of that build', () => {
    const claimedIssuer = 'CN=Build time autogenerated kernel key';
    const signature = { ...none, outcome: 'unknown key', claimedIssuer } as const;
    const of = (context: Partial<StandingContext>) =>
      signsOf({ tags: { intree: undefined } }, { signature, ...context }).join();
    assert.match(of({ buildSigns: true }), /lead key-name-borrowed/);
    assert.doesNotMatch(of({ buildSigns: false }), /key-name/);
    assert.doesNotMatch(of({ buildSigns: true, release: '6.1.0' }), /key-name/);
    const own = { ...signature, claimedIssuer: 'CN=Maker' };
    assert.doesNotMatch(of({ buildSigns: true, signature: own }), /key-name/);
  });

  test('tells a shim by the share of its exports', () => {
    const wrappers = [['my_register', 'device_register']] as const;
    const deep = { functions: 9, padded: 0, plainReturns: 0, wrappers, denseObjects: [] };
    const symbols = [importFixture('device_register')];
    const shim = (...exports: string[]) => ({
      ...seen({ deep }),
      symbols,
      exports: exports.map((name) => exportFixture(name)),
    });
    const gplOnly = { gplOnly: ['device_register'] };
    assert.ok(signsOf(shim('my_register'), gplOnly).includes('lead gpl-shim'));
    assert.ok(!signsOf(shim('my_register', 'a', 'b'), gplOnly).includes('lead gpl-shim'));
    const two = [...wrappers, ['my_unregister', 'device_register']] as const;
    const diluted = (others: number) => ({
      ...shim(
        'my_register',
        'my_unregister',
        ...Array.from({ length: others }, (_, at) => `other${at}`),
      ),
      ...seen({ deep: { ...deep, wrappers: two } }),
    });
    assert.ok(signsOf(diluted(6), gplOnly).includes('lead gpl-shim'));
    assert.ok(!signsOf(diluted(7), gplOnly).includes('lead gpl-shim'));
    assert.ok(
      !signsOf(shim('my_register')).includes('lead gpl-shim'),
      'what it calls is not GPL-only',
    );
  });

  test('calls a file name with dashes the same name', () => {
    assert.ok(!signsOf({ name: 'a_b' }, { fileName: 'a-b' }).join().includes('file-name'));
  });
});
