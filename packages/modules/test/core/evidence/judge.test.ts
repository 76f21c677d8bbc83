/** Trust levels: each sign is found where it is, and an honest module shows none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TrustContext } from '../../../core/evidence/evidence-context.ts';
import { trustLevelOf } from '../../../core/evidence/judge.ts';
import type { Observations, SignatureCheck } from '../../../core/record/module.ts';
import { exportFixture, importFixture, moduleFixture, type ModuleFixture } from '../fixtures.ts';

const good: SignatureCheck = { outcome: 'good', signer: 'CN=key', trustedBy: 'kernel' };
const none: SignatureCheck = { outcome: 'none', signer: undefined, trustedBy: undefined };

const around = (overrides: Partial<TrustContext> = {}): TrustContext => ({
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

const judged = (module: ModuleFixture, context: Partial<TrustContext> = {}) =>
  trustLevelOf(moduleFixture(module), around(context));
const checksOf = (module: ModuleFixture, context: Partial<TrustContext> = {}) =>
  judged(module, context).evidence.map((each) => `${each.weight} ${each.check}`);

/** Returns a module with these licenses in the kernel's order: it reads the first. */
const licenses = (...values: readonly string[]): ModuleFixture => ({
  moreTags: values.map((value) => ({ tag: 'license', value })),
});

const code = (functions: number, padded: number, plainReturns: number) => ({
  functions,
  padded,
  plainReturns,
  wrappers: [],
  denseObjects: [],
});

describe('trustLevelOf()', () => {
  test('returns unsupported, consistent, signed or reproduced by the support it has', () => {
    const finding = (outcome: 'consistent' | 'reproduced') => ({
      source: { outcome, message: 'x' },
    });
    assert.equal(judged({}).trustLevel, 'unsupported');
    assert.equal(judged({}, finding('consistent')).trustLevel, 'consistent');
    assert.equal(judged({}, { signature: good }).trustLevel, 'signed');
    assert.equal(
      judged({}, { signature: good, ...finding('reproduced') }).trustLevel,
      'reproduced',
    );
  });

  test('finds nothing against an honest module', () => {
    assert.deepEqual(checksOf({}, { signature: good, buildSigns: true }), [
      'support signed-by-kernel',
    ]);
  });

  test('returns contradicted for one proof, even with a good signature', () => {
    const cut = [{ tag: '', value: 'for files in src; else Proprietary' }];
    const module = moduleFixture();
    const { trustLevel, evidence } = trustLevelOf(
      { ...module, modinfo: [{ tag: 'license', value: 'GPL' }, ...cut, ...module.modinfo] },
      around({ signature: good }),
    );
    assert.equal(trustLevel, 'contradicted');
    assert.match(evidence[0]?.message ?? '', /"GPL", "for files/);
  });

  const proofs: readonly (readonly [string, ModuleFixture, Partial<TrustContext>])[] = [
    ['known-case', { name: 'lve', structName: 'lve' }, { fileName: 'lve' }],
    ['licenses-contradict', licenses('GPL', 'Proprietary'), {}],
    ['license-nul', seen({ cutTexts: [{ read: 'license=GPL', rest: ['legal=closed'] }] }), {}],
    ['name-differs', { structName: 'other' }, {}],
    ['struct-module-filled', { structExtraBytes: 4 }, {}],
    ['read-otherwise', seen({ readOtherwise: ['its header says 32 bits'] }), {}],
    [
      'livepatch-bypass',
      { tags: { license: 'Proprietary' }, ...seen({ livepatchSymbols: ['vmlinux.x'] }) },
      {},
    ],
    ['package-contradicts', {}, { packageClaim: { outcome: 'contradicts', message: 'GPL-3' } }],
    ['intree-unsigned', {}, { buildSigns: true }],
    ['source-differs', {}, { source: { outcome: 'differs', message: 'x' } }],
    ['signature-bad', {}, { signature: { ...good, outcome: 'bad', trustedBy: undefined } }],
  ];
  for (const [check, module, context] of proofs) {
    test(`treats ${check} as a proof`, () => {
      assert.ok(checksOf(module, context).includes(`proof ${check}`), check);
      assert.equal(judged(module, context).trustLevel, 'contradicted');
    });
  }

  const leads: readonly (readonly [string, ModuleFixture, Partial<TrustContext>])[] = [
    ['foreign-objects', seen({ compilers: ['gcc 14', 'gcc 12'] }), {}],
    ['livepatch-symbols', seen({ livepatchSymbols: ['vmlinux.x'] }), {}],
    ['embedded-elf', seen({ embeddedElf: ['.rodata'] }), {}],
    ['known-name', { name: 'kmodlve', structName: 'kmodlve' }, { fileName: 'kmodlve' }],
    ['modinfo-fragment', seen({ cutTexts: [{ read: 'author=A', rest: ['b=c'] }] }), {}],
    ['package-doubtful', {}, { packageClaim: { outcome: 'doubtful', message: 'x' } }],
    [
      'source-closed-terms',
      {},
      { source: { outcome: 'undecided', message: 'x', closedTerms: ['y'] } },
    ],
    ['binary-data', seen({ binarySymbols: ['_binary_fw_start'] }), {}],
    ['closed-license-words', seen({ strings: ['trade secret'] }), {}],
    ['unexported-symbols', seen({ strings: ['kallsyms_lookup_name'] }), {}],
    ['license-missing', { tags: { license: undefined } }, {}],
    ['intree-elsewhere', {}, { buildSigns: true, release: '6.1.0' }],
    ['file-name-differs', {}, { fileName: 'better' }],
    ['gpl-only-without-gpl', { tags: { license: 'MIT' } }, { gplOnly: ['device_register'] }],
  ];
  for (const [check, module, context] of leads) {
    test(`treats ${check} as a lead, which does not change the trust level`, () => {
      assert.ok(checksOf(module, context).includes(`lead ${check}`), check);
      assert.equal(judged(module, context).trustLevel, 'unsupported');
    });
  }

  test('finds no proof in claims that the kernel does not read', () => {
    const against = (module: ModuleFixture) =>
      checksOf(module).filter((each) => !each.includes('nothing-offered'));
    assert.deepEqual(against(licenses('CDDL', 'Dual BSD/GPL')), ['note licenses-mixed']);
    assert.deepEqual(against(licenses('GPL', 'Freely usable')), ['lead licenses-mixed']);
    const blob = seen({ compilers: ['GCC: 4.4', 'GCC: 14'], hasEhFrame: true });
    const closed = { tags: { license: 'MIXED/Proprietary' } };
    assert.deepEqual(against({ ...blob, ...closed }), ['note foreign-objects']);
    assert.deepEqual(against(blob), ['lead foreign-objects']);
    const cut = seen({ cutTexts: [{ read: 'license=MIT', rest: ['more'] }] });
    assert.deepEqual(against({ ...cut, tags: { license: 'MIT' } }), ['lead license-nul']);
    const asOne = [{ read: 'license=GPL', rest: ['author=A', 'description=B'] }];
    assert.deepEqual(against(seen({ cutTexts: asOne })), [], 'all of it is shown');
  });

  test('accepts C and Rust in one module, but not two compilers of one language', () => {
    const rust = 'rustc version 1.85.0 (4d91de4e4 2025-02-17)';
    const of = (...compilers: readonly string[]) => checksOf(seen({ compilers })).join();
    assert.doesNotMatch(of('GCC: 14', rust, 'GCC: 14'), /foreign/);
    assert.match(of('GCC: 14', rust, 'GCC: 12'), /lead foreign/);
    assert.match(of('GCC: 14', rust, 'rustc version 1.84.0'), /lead foreign/);
  });

  test('finds foreign objects by functions without padding or with plain returns', () => {
    const symbols = [importFixture('__x86_return_thunk')];
    const of = (...counts: Parameters<typeof code>) =>
      checksOf({ ...seen({ deep: code(...counts) }), symbols }).join();
    assert.match(of(10, 4, 0), /lead foreign/);
    assert.match(of(10, 0, 4), /lead foreign/);
    assert.doesNotMatch(of(10, 5, 0), /foreign/, 'as ciphers in assembly');
    assert.doesNotMatch(of(10, 0, 0), /foreign/, 'a build without padding');
  });

  test("shows key-name-borrowed only if the module's own kernel build signs", () => {
    const claimedIssuer = 'CN=Build time autogenerated kernel key';
    const signature = { ...none, outcome: 'unknown key', claimedIssuer } as const;
    const of = (context: Partial<TrustContext>) =>
      checksOf({ tags: { intree: undefined } }, { signature, ...context }).join();
    assert.match(of({ buildSigns: true }), /lead key-name-borrowed/);
    assert.doesNotMatch(of({ buildSigns: false }), /key-name/);
    assert.doesNotMatch(of({ buildSigns: true, release: '6.1.0' }), /key-name/);
    const own = { ...signature, claimedIssuer: 'CN=Maker' };
    assert.doesNotMatch(of({ buildSigns: true, signature: own }), /key-name/);
  });

  test('shows gpl-shim by the share of exports that wrap GPL-only symbols', () => {
    const wrappers = [['my_register', 'device_register']] as const;
    const deep = { functions: 9, padded: 0, plainReturns: 0, wrappers, denseObjects: [] };
    const symbols = [importFixture('device_register')];
    const shim = (...exports: string[]) => ({
      ...seen({ deep }),
      symbols,
      exports: exports.map((name) => exportFixture(name)),
    });
    const gplOnly = { gplOnly: ['device_register'] };
    assert.ok(checksOf(shim('my_register'), gplOnly).includes('lead gpl-shim'));
    assert.ok(!checksOf(shim('my_register', 'a', 'b'), gplOnly).includes('lead gpl-shim'));
    const two = [...wrappers, ['my_unregister', 'device_register']] as const;
    const diluted = (others: number) => ({
      ...shim(
        'my_register',
        'my_unregister',
        ...Array.from({ length: others }, (_, at) => `other${at}`),
      ),
      ...seen({ deep: { ...deep, wrappers: two } }),
    });
    assert.ok(checksOf(diluted(6), gplOnly).includes('lead gpl-shim'));
    assert.ok(!checksOf(diluted(7), gplOnly).includes('lead gpl-shim'));
    assert.ok(
      !checksOf(shim('my_register')).includes('lead gpl-shim'),
      'what it calls is not GPL-only',
    );
  });

  test('treats dashes and underscores in a file name as equal', () => {
    assert.ok(!checksOf({ name: 'a_b' }, { fileName: 'a-b' }).join().includes('file-name'));
  });
});
