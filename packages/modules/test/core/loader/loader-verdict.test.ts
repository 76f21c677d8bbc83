/**
 * The loader's rules over plain modules: a table of single rules, then cases where two meet. The log lines
 * are from Linux 6.12.118.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LoaderState } from '../../../core/kernel/kernel.ts';
import type { LoaderOptions } from '../../../core/loader/candidate.ts';
import { loaderVerdict, newState, predict, unload } from '../../../core/loader/loader-verdict.ts';
import type { LoaderDefect, SignatureCheck } from '../../../core/record/module.ts';
import { taintMask } from '../../../core/kernel/taints.ts';
import type { LoaderVerdict } from '../../../core/loader/verdict.ts';
import {
  crcFixture,
  exportFixture,
  gplExport,
  importFixture,
  kernelFixture,
  layoutCrcFixture,
  moduleFixture,
  signatureFixture,
  vermagicFixture,
  type KernelFixture,
  type ModuleFixture,
} from '../fixtures.ts';

interface Given {
  readonly module?: ModuleFixture;
  readonly kernel?: KernelFixture;
  readonly signature?: SignatureCheck['outcome'];
  readonly state?: LoaderState;
  readonly options?: LoaderOptions;
}

const verdictOf = ({
  module,
  kernel,
  signature,
  state = newState(),
  options,
}: Given): LoaderVerdict =>
  loaderVerdict(
    { module: moduleFixture(module), signature: signatureFixture(signature) },
    kernelFixture(kernel),
    state,
    options,
  );

const mask = (letters: string): number =>
  Object.entries({ P: 0, F: 1, C: 10, O: 12, E: 13, K: 15, N: 18 }).reduce(
    (sum, [letter, bit]) => (letters.includes(letter) ? sum + 2 ** bit : sum),
    0,
  );

const defect = (
  step: LoaderDefect['step'],
  overrides: Partial<LoaderDefect> = {},
): LoaderDefect => ({
  step,
  errno: 'ENOEXEC',
  message: `line of ${step}`,
  why: `why of ${step}`,
  ...overrides,
});

interface Row extends Given {
  readonly when: string;
  readonly errno?: string;
  readonly taints?: string;
  /** The taints of the kernel, if they differ from the module's. */
  readonly kernelTaints?: string;
  readonly messages: readonly string[];
}

function check({ when, errno, taints = '', kernelTaints = taints, messages, ...given }: Row): void {
  test(when, () => {
    const verdict = verdictOf(given);
    assert.deepEqual(
      {
        errno: verdict.errno,
        result: verdict.result,
        taints: verdict.taints,
        kernelTaint: verdict.kernelTaint,
        messages: verdict.messages,
      },
      {
        errno,
        result: errno === undefined ? 'load' : 'refuse',
        taints,
        kernelTaint: mask(kernelTaints),
        messages,
      },
    );
  });
}

const licenseLines = (license: string): readonly string[] => [
  `good: module license '${license}' taints kernel.`,
  lockLine,
  'good: module license taints kernel.',
];
const unsignedLine =
  'good: module verification failed: signature and/or required key missing - tainting kernel';
const lockLine = 'Disabling lock debugging due to kernel taint';
const outOfTreeLine = 'good: loading out-of-tree module taints kernel.';

describe('loaderVerdict() decides on permission and signature', () => {
  const rows: readonly Row[] = [
    { when: 'an honest module loads without a word', messages: [] },
    {
      when: 'modules are disabled',
      kernel: { settings: { modulesDisabled: true } },
      errno: 'EPERM',
      messages: [],
    },
    { when: 'unsigned taints E', signature: 'none', taints: 'E', messages: [unsignedLine] },
    {
      when: 'unknown key taints E',
      signature: 'unknown key',
      taints: 'E',
      messages: [unsignedLine],
    },
    {
      when: 'a signature that is not PKCS#7 taints E and is logged',
      signature: 'unsupported',
      module: { signature: { kind: 'unsupported', why: 'type 1' } },
      taints: 'E',
      messages: ['module: not signed with expected PKCS#7 message', unsignedLine],
    },
    {
      when: 'a wrong signature ends the load',
      signature: 'bad',
      errno: 'EKEYREJECTED',
      messages: [],
    },
    {
      when: 'a malformed signature ends the load',
      signature: 'malformed',
      module: { signature: { kind: 'malformed', why: 'length', offset: 1, message: 'module: M' } },
      errno: 'EBADMSG',
      messages: ['module: M'],
    },
    {
      when: 'signed attributes are not accepted',
      module: {
        signature: {
          kind: 'pkcs7',
          signers: [
            {
              issuer: 'CN=K',
              serial: '1',
              keyId: undefined,
              digest: 'sha256',
              algorithm: 'rsa',
              signature: new Uint8Array(1),
              signedAttributes: new Uint8Array(1),
            },
          ],
        },
      },
      errno: 'EKEYREJECTED',
      messages: ['PKCS7: Invalid module sig (has authattrs)'],
    },
    {
      when: 'signatures are enforced on the command line',
      signature: 'none',
      kernel: { settings: { enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of unsigned module is rejected'],
    },
    {
      when: 'signatures are enforced by the build and the key is unknown',
      signature: 'unknown key',
      kernel: { config: { signaturesForced: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of module with unavailable key is rejected'],
    },
    {
      when: 'signatures are enforced and the kind is not supported',
      signature: 'unsupported',
      kernel: { settings: { enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of module with unsupported crypto is rejected'],
    },
    {
      when: 'the kernel is locked down',
      signature: 'none',
      kernel: { settings: { lockdown: 'integrity' } },
      errno: 'EPERM',
      messages: [
        'Lockdown: insmod: unsigned module loading is restricted; see man kernel_lockdown.7',
      ],
    },
    {
      when: 'enforcement comes before lockdown',
      signature: 'none',
      kernel: { settings: { lockdown: 'integrity', enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of unsigned module is rejected'],
    },
    {
      when: 'a good signature passes enforcement and lockdown',
      kernel: { settings: { lockdown: 'confidentiality', enforceSignatures: true } },
      messages: [],
    },
    {
      when: 'a kernel without signatures looks at none',
      signature: 'bad',
      kernel: { config: { signatures: false }, settings: { lockdown: 'integrity' } },
      messages: [],
    },
    {
      when: 'a forced load has no signature',
      signature: 'bad',
      options: { force: { vermagic: true } },
      taints: 'FE',
      messages: ['good: bad vermagic: kernel tainted.', lockLine, unsignedLine],
    },
    {
      when: 'a forced load is rejected where signatures are enforced',
      options: { force: { modversions: true } },
      kernel: { settings: { enforceSignatures: true } },
      errno: 'EKEYREJECTED',
      messages: ['Loading of unsigned module is rejected'],
    },
  ];
  for (const row of rows) check(row);

  test('refuses an invalid signature before the file is checked', () => {
    const kernel = kernelFixture();
    const problem = { message: 'is not an ELF file', offset: 0 };
    const unreadable = (outcome: SignatureCheck['outcome']) =>
      loaderVerdict(
        { file: 'x.ko', problem, signature: signatureFixture(outcome) },
        kernel,
        newState(),
      );
    assert.equal(unreadable('bad').errno, 'EKEYREJECTED');
    assert.equal(unreadable('none').errno, 'ENOEXEC');
    assert.equal(loaderVerdict({ file: 'x.ko', problem }, kernel, newState()).errno, 'ENOEXEC');
    const locked = kernelFixture({ settings: { lockdown: 'integrity' } });
    assert.equal(loaderVerdict({ file: 'x.ko', problem }, locked, newState()).errno, 'EPERM');
  });
});

describe('loaderVerdict() decides on the file', () => {
  const rows: readonly Row[] = [
    {
      when: 'another type of ELF',
      module: { type: 2 },
      errno: 'ENOEXEC',
      messages: ['Invalid ELF header type: 2 != 1'],
    },
    {
      when: 'another machine',
      module: { machine: 183 },
      errno: 'ENOEXEC',
      messages: ['Invalid architecture in ELF header: 183'],
    },
    {
      when: 'struct module has another size',
      module: { structBytes: 1024 },
      errno: 'ENOEXEC',
      messages: [
        "module good: .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time",
      ],
    },
    {
      when: 'struct module has another size and there is no name',
      module: { structBytes: 1024, modinfo: [] },
      errno: 'ENOEXEC',
      messages: [
        "module (missing .modinfo section or name field): .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time",
      ],
    },
    {
      when: 'a defect of struct module comes before that of the symbol table',
      module: { defects: [defect('struct module'), defect('symbol table')] },
      errno: 'ENOEXEC',
      messages: ['line of struct module'],
    },
    {
      when: 'the size of struct module comes before the symbol table',
      module: { structBytes: 1024, defects: [defect('symbol table')] },
      errno: 'ENOEXEC',
      messages: [
        "module good: .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time",
      ],
    },
    {
      when: 'write and execute is refused before any taint',
      module: { defects: [defect('write and execute')], tags: { intree: undefined } },
      errno: 'ENOEXEC',
      messages: ['line of write and execute'],
    },
    {
      when: 'write and execute passes without strict memory',
      module: { defects: [defect('write and execute')] },
      kernel: { config: { strictModuleRwx: false } },
      messages: [],
    },
    {
      when: 'two kinds of constructors are refused after the taints',
      module: {
        defects: [defect('constructors', { errno: 'EINVAL' })],
        tags: { intree: undefined },
      },
      kernel: { config: { constructors: true } },
      errno: 'EINVAL',
      taints: 'O',
      messages: [outOfTreeLine, 'line of constructors'],
    },
    {
      when: 'two kinds of constructors pass on a kernel that runs none',
      module: { defects: [defect('constructors', { errno: 'EINVAL' })] },
      messages: [],
    },
    {
      when: 'unknown symbols come before relocations',
      module: { defects: [defect('relocations')], symbols: [importFixture('no_such')] },
      errno: 'ENOENT',
      messages: ['good: Unknown symbol no_such (err -2)'],
    },
    {
      when: 'relocations are refused',
      module: { defects: [defect('relocations')] },
      errno: 'ENOEXEC',
      messages: ['line of relocations'],
    },
  ];
  for (const row of rows) check(row);
});

describe('loaderVerdict() decides on names, versions and vermagic', () => {
  const otherRelease = '5.4.0-evil SMP preempt mod_unload modversions ';
  const rows: readonly Row[] = [
    {
      when: 'the blacklist names the name in .modinfo',
      module: { name: 'info', structName: 'other' },
      kernel: { settings: { blacklist: ['x', 'info'] } },
      errno: 'EPERM',
      messages: ['Module info is blacklisted'],
    },
    {
      when: 'the blacklist does not look at struct module',
      module: { name: 'info', structName: 'other' },
      kernel: { settings: { blacklist: ['other'] } },
      messages: [],
    },
    {
      when: 'the blacklist takes struct module where .modinfo has no name',
      module: { tags: { name: undefined } },
      kernel: { settings: { blacklist: ['good'] } },
      errno: 'EPERM',
      messages: ['Module good is blacklisted'],
    },
    {
      when: 'the blacklist tells - from _',
      module: { name: 'snd_hda' },
      kernel: { settings: { blacklist: ['snd-hda'] } },
      messages: [],
    },
    {
      when: 'another layout',
      module: { layoutCrc: 1 },
      errno: 'ENOEXEC',
      messages: ['good: disagrees about version of symbol module_layout'],
    },
    {
      when: 'no version of the layout',
      module: { layoutCrc: undefined },
      errno: 'ENOEXEC',
      messages: ['good: no symbol version for module_layout'],
    },
    {
      when: 'no versions at all taints F once',
      module: { hasVersions: false, layoutCrc: undefined, symbols: [importFixture('printk')] },
      taints: 'F',
      messages: ['good: module_layout: kernel tainted.', lockLine],
    },
    {
      when: 'no versions at all and no loading by force',
      module: { hasVersions: false, layoutCrc: undefined },
      kernel: { config: { forceLoad: false } },
      errno: 'ENOEXEC',
      messages: [],
    },
    {
      when: 'the release is not compared with versions',
      module: { tags: { vermagic: otherRelease } },
      messages: [],
    },
    {
      when: 'the release is compared without versions, after the taint',
      module: { hasVersions: false, tags: { vermagic: otherRelease } },
      errno: 'ENOEXEC',
      taints: 'F',
      messages: [
        'good: module_layout: kernel tainted.',
        lockLine,
        `good: version magic '${otherRelease}' should be '${vermagicFixture}'`,
      ],
    },
    {
      when: 'the rest of vermagic is compared, with its blank at the end',
      module: { tags: { vermagic: vermagicFixture.trimEnd() } },
      errno: 'ENOEXEC',
      messages: [
        `good: version magic '${vermagicFixture.trimEnd()}' should be '${vermagicFixture}'`,
      ],
    },
    {
      when: 'no vermagic taints F',
      module: { tags: { vermagic: undefined } },
      taints: 'F',
      messages: ['good: bad vermagic: kernel tainted.', lockLine],
    },
    {
      when: 'no vermagic and no loading by force',
      module: { tags: { vermagic: undefined } },
      kernel: { config: { forceLoad: false } },
      errno: 'ENOEXEC',
      messages: [],
    },
    {
      when: 'versions ignored and vermagic ignored',
      options: { force: { vermagic: true, modversions: true } },
      module: { tags: { vermagic: 'nonsense' } },
      taints: 'FE',
      messages: ['good: module_layout: kernel tainted.', lockLine, unsignedLine],
    },
    {
      when: 'messages on CRCs use the name in .modinfo, those on symbols that of struct module',
      module: {
        name: 'info',
        structName: 'strukt',
        symbols: [importFixture('printk', { crc: 1 })],
      },
      errno: 'EINVAL',
      messages: [
        'info: disagrees about version of symbol printk',
        'strukt: Unknown symbol printk (err -22)',
      ],
    },
    {
      when: 'a live patch on a kernel that cannot be patched',
      module: { tags: { livepatch: 'Y' } },
      kernel: { config: { livepatch: false } },
      errno: 'ENOEXEC',
      messages: ['good: module is marked as livepatch module, but livepatch support is disabled'],
    },
    {
      when: 'exports without versions taint F',
      module: { exportsLackCrcs: true },
      taints: 'F',
      messages: ['good: no versions for exported symbols: kernel tainted.', lockLine],
    },
    {
      when: 'exports without versions are refused where nothing loads by force',
      module: { exportsLackCrcs: true },
      kernel: { config: { forceLoad: false } },
      errno: 'ENOEXEC',
      messages: [],
    },
    {
      when: 'a kernel without modversions compares whole vermagic and no CRC',
      module: {
        layoutCrc: 1,
        symbols: [importFixture('printk', { crc: 1 })],
        exportsLackCrcs: true,
      },
      kernel: { config: { modversions: false } },
      messages: [],
    },
    {
      when: 'an export that the kernel has',
      module: { exports: [gplExport('synchronize_rcu'), exportFixture('printk')] },
      errno: 'ENOEXEC',
      messages: ['good: exports duplicate symbol printk (owned by kernel)'],
    },
  ];
  for (const row of rows) check(row);
});

describe('loaderVerdict() taints', () => {
  const rows: readonly Row[] = [
    {
      when: 'out of tree',
      module: { tags: { intree: undefined } },
      taints: 'O',
      messages: [outOfTreeLine],
    },
    { when: 'an empty intree counts', module: { tags: { intree: '' } }, messages: [] },
    {
      when: 'staging',
      module: { tags: { staging: 'Y' } },
      taints: 'C',
      messages: [
        'good: module is from the staging directory, the quality is unknown, you have been warned.',
      ],
    },
    {
      when: 'live patch',
      module: { tags: { livepatch: 'Y' } },
      taints: 'K',
      messages: ['good: tainting kernel with TAINT_LIVEPATCH'],
    },
    {
      when: 'test',
      module: { tags: { test: 'Y' } },
      taints: 'N',
      messages: ['good: loading test module taints kernel.'],
    },
    {
      when: 'no retpoline warns only',
      module: { tags: { retpoline: undefined } },
      messages: [
        'Spectre V2 : System may be vulnerable to spectre v2',
        'good: loading module not compiled with retpoline compiler.',
      ],
    },
    {
      when: 'no retpoline is nothing on a processor that needs none',
      module: { tags: { retpoline: undefined } },
      kernel: { settings: { spectreV2Mitigated: false } },
      messages: [],
    },
    {
      when: 'no license',
      module: { tags: { license: undefined } },
      taints: 'P',
      messages: licenseLines('unspecified'),
    },
    {
      when: 'everything at once, in order',
      signature: 'none',
      module: {
        tags: {
          intree: undefined,
          retpoline: undefined,
          staging: 'Y',
          livepatch: 'Y',
          license: 'Proprietary',
          test: 'Y',
        },
      },
      taints: 'PCOEKN',
      messages: [
        outOfTreeLine,
        'Spectre V2 : System may be vulnerable to spectre v2',
        'good: loading module not compiled with retpoline compiler.',
        'good: module is from the staging directory, the quality is unknown, you have been warned.',
        'good: tainting kernel with TAINT_LIVEPATCH',
        "good: module license 'Proprietary' taints kernel.",
        lockLine,
        'good: loading test module taints kernel.',
        unsignedLine,
        'good: module license taints kernel.',
      ],
    },
    {
      when: 'lve is proprietary whatever it says',
      module: { name: 'lve', symbols: [importFixture('synchronize_rcu')] },
      errno: 'ENOENT',
      taints: 'P',
      messages: [
        lockLine,
        'lve: module license taints kernel.',
        'lve: Unknown symbol synchronize_rcu (err -2)',
      ],
    },
    {
      when: 'driverloader is proprietary whatever it says',
      module: { name: 'driverloader' },
      taints: 'P',
      messages: [lockLine, 'driverloader: module license taints kernel.'],
    },
    {
      when: 'the name lve in .modinfo alone is nothing',
      module: { name: 'lve', structName: 'lvx', symbols: [importFixture('synchronize_rcu')] },
      messages: [],
    },
    {
      when: 'ndiswrapper taints the kernel and keeps GPL-only symbols',
      module: { name: 'ndiswrapper', symbols: [importFixture('synchronize_rcu')] },
      taints: '',
      kernelTaints: 'P',
      messages: [lockLine, 'ndiswrapper: module license taints kernel.'],
    },
    {
      when: 'a refused module taints the kernel all the same',
      signature: 'none',
      module: {
        tags: { license: 'Proprietary', intree: undefined },
        symbols: [importFixture('synchronize_rcu')],
      },
      errno: 'ENOENT',
      taints: 'POE',
      messages: [
        outOfTreeLine,
        "good: module license 'Proprietary' taints kernel.",
        lockLine,
        unsignedLine,
        'good: module license taints kernel.',
        'good: Unknown symbol synchronize_rcu (err -2)',
      ],
    },
  ];
  for (const row of rows) check(row);

  test('treats six licenses as GPL-compatible, and none that resembles them', () => {
    const taintsOf = (license: string) => verdictOf({ module: { tags: { license } } }).taints;
    const six = 'GPL|GPL v2|GPL and additional rights|Dual BSD/GPL|Dual MIT/GPL|Dual MPL/GPL';
    for (const license of six.split('|')) assert.equal(taintsOf(license), '', license);
    const others =
      'GPLv2|GPL v3|gpl|GPL | GPL|BSD|MIT|Apache-2.0|GPL-2.0|LGPL||GPL v2+|Proprietary|Dual BSD/GPL ';
    for (const license of others.split('|')) assert.equal(taintsOf(license), 'P', license);
  });

  test('reads only the first license', () => {
    const entry = (value: string) => ({ tag: 'license', value });
    const both = (one: string, two: string) =>
      verdictOf({ module: { tags: { license: undefined }, moreTags: [entry(one), entry(two)] } });
    assert.equal(both('GPL', 'Proprietary').taints, '');
    assert.equal(both('Proprietary', 'GPL').taints, 'P');
  });

  test('reads a license only up to its NUL', () => {
    // The rest of `GPL\0for files in …` is an entry without a tag.
    const rest = { tag: '', value: 'for files in licenses/GPL, Proprietary' };
    assert.equal(verdictOf({ module: { moreTags: [rest] } }).taints, '');
  });

  test('explains why a license is not compatible', () => {
    const message = (license: string | undefined) =>
      verdictOf({ module: { tags: { license } } }).reasons.map((each) => each.reason);
    assert.deepEqual(message('BSD'), [
      'License "BSD" is none of the six that the kernel treats as GPL-compatible, so the kernel is tainted P and GPL-only symbols are hidden from it',
    ]);
    assert.match(message('GPLv2')[0] ?? '', /close to "GPL v2", but every character counts/);
    assert.match(message(undefined)[0] ?? '', /^It has no license, so/);
  });

  test('logs once-only messages once, and license lines until the kernel is tainted', () => {
    const state = newState();
    const given = (name: string): Given => ({
      state,
      signature: 'none',
      module: {
        name,
        tags: { license: 'BSD', intree: undefined, livepatch: 'Y', test: 'Y', staging: 'Y' },
      },
    });
    assert.equal(verdictOf(given('one')).messages.length, 8);
    assert.deepEqual(verdictOf(given('two')).messages, [
      'two: module is from the staging directory, the quality is unknown, you have been warned.',
    ]);
  });

  test('omits messages of O, P, F and N when the kernel is tainted, but not of E and K', () => {
    const state = newState(mask('POFNEK'));
    const verdict = verdictOf({
      state,
      signature: 'none',
      module: {
        tags: {
          license: 'BSD',
          intree: undefined,
          livepatch: 'Y',
          test: 'Y',
          vermagic: undefined,
        },
      },
    });
    assert.deepEqual(verdict.messages, [
      'good: tainting kernel with TAINT_LIVEPATCH',
      unsignedLine,
    ]);
    assert.equal(verdict.taints, 'PFOEKN');
  });
});

describe('loaderVerdict() resolves symbols', () => {
  const rows: readonly Row[] = [
    {
      when: 'plain and GPL-only for a GPL module',
      module: { symbols: [importFixture('printk'), importFixture('synchronize_rcu')] },
      messages: [],
    },
    {
      when: 'all errors are told and the last one wins',
      module: {
        symbols: [
          importFixture('printk', { crc: undefined }),
          importFixture('gone'),
          { kind: 'common', name: 'buffer' },
          { kind: 'common', name: '__gnu_lto_v1' },
        ],
      },
      errno: 'ENOEXEC',
      messages: [
        'good: no symbol version for printk',
        'good: Unknown symbol printk (err -22)',
        'good: Unknown symbol gone (err -2)',
        'good: please compile with -fno-common',
      ],
    },
    {
      when: 'the last error is the first kind again',
      module: { symbols: [{ kind: 'common', name: 'buffer' }, importFixture('gone')] },
      errno: 'ENOENT',
      messages: ['good: please compile with -fno-common', 'good: Unknown symbol gone (err -2)'],
    },
    {
      when: 'a symbol in no section',
      module: { symbols: [{ kind: 'bad section', name: 's', section: 99, sectionMax: 40 }] },
      errno: 'ENOEXEC',
      messages: ['good: Symbol s has an invalid section index 99 (max 40)'],
    },
    {
      when: 'weak references stay empty',
      module: { symbols: [importFixture('gone', { weak: true })] },
      messages: [],
    },
    {
      when: 'a weak reference with a wrong version is an error',
      module: { symbols: [importFixture('printk', { weak: true, crc: 1 })] },
      errno: 'EINVAL',
      messages: [
        'good: disagrees about version of symbol printk',
        'good: Unknown symbol printk (err -22)',
      ],
    },
    {
      when: 'a proprietary module with a weak GPL-only reference loads',
      module: {
        tags: { license: 'BSD' },
        symbols: [importFixture('synchronize_rcu', { weak: true })],
      },
      taints: 'P',
      messages: licenseLines('BSD'),
    },
    {
      when: 'what an assembler leaves behind is ignored on x86',
      module: { symbols: [importFixture('_GLOBAL_OFFSET_TABLE_')] },
      messages: [],
    },
    {
      when: 'what an assembler leaves behind is an error elsewhere',
      module: { machine: 183, symbols: [importFixture('_GLOBAL_OFFSET_TABLE_')] },
      kernel: { machine: 183 },
      errno: 'ENOENT',
      messages: ['good: Unknown symbol _GLOBAL_OFFSET_TABLE_ (err -2)'],
    },
    {
      when: 'an export without a version passes',
      module: { symbols: [importFixture('plain', { crc: undefined })] },
      kernel: { exports: [exportFixture('plain', { crc: undefined })] },
      messages: [],
    },
    {
      when: 'a namespace that is imported',
      module: { tags: { import_ns: 'CRYPTO' }, symbols: [importFixture('ns')] },
      kernel: { exports: [exportFixture('ns', { namespace: 'CRYPTO' })] },
      messages: [],
    },
    {
      when: 'a namespace that is not imported',
      module: { tags: { import_ns: 'CRYPT' }, symbols: [importFixture('ns', { weak: true })] },
      kernel: { exports: [exportFixture('ns', { namespace: 'CRYPTO' })] },
      errno: 'EINVAL',
      messages: [
        'good: module uses symbol (ns) from namespace CRYPTO, but does not import it.',
        'good: Unknown symbol ns (err -22)',
      ],
    },
    {
      when: 'a namespace that need not be imported',
      module: { symbols: [importFixture('ns')] },
      kernel: {
        exports: [exportFixture('ns', { namespace: 'CRYPTO' })],
        config: { allowMissingNamespaces: true },
      },
      messages: ['good: module uses symbol (ns) from namespace CRYPTO, but does not import it.'],
    },
    {
      when: 'a wrong version comes before the namespace',
      module: { symbols: [importFixture('ns', { crc: 1 })] },
      kernel: { exports: [exportFixture('ns', { namespace: 'CRYPTO' })] },
      errno: 'EINVAL',
      messages: ['good: disagrees about version of symbol ns', 'good: Unknown symbol ns (err -22)'],
    },
  ];
  for (const row of rows) check(row);

  const withProvider = (
    symbols: ModuleFixture['symbols'] & {},
    user: ModuleFixture = {},
    provider: ModuleFixture = {},
  ): LoaderVerdict => {
    const state = newState();
    const exports = [exportFixture('prop_plain'), gplExport('prop_gpl')];
    const first = verdictOf({
      state,
      module: { name: 'prop', tags: { license: 'Proprietary' }, exports, ...provider },
    });
    assert.equal(first.result, 'load');
    return verdictOf({ state, module: { ...user, symbols } });
  };

  test('inherits P with the first symbol of a proprietary module', () => {
    const verdict = withProvider([importFixture('printk'), importFixture('prop_plain')]);
    assert.equal(verdict.result, 'load');
    assert.equal(verdict.taints, 'P');
    assert.deepEqual(verdict.messages, [
      'good: module uses symbols prop_plain from proprietary module prop, inheriting taint.',
    ]);
  });

  test('hides GPL-only symbols that come after the proprietary one', () => {
    const verdict = withProvider([importFixture('prop_plain'), importFixture('synchronize_rcu')]);
    assert.equal(verdict.errno, 'ENOENT');
    assert.deepEqual(verdict.messages, [
      'good: module uses symbols prop_plain from proprietary module prop, inheriting taint.',
      'good: Unknown symbol synchronize_rcu (err -2)',
    ]);
  });

  test('refuses a proprietary symbol that comes after a GPL-only one', () => {
    const verdict = withProvider([importFixture('synchronize_rcu'), importFixture('prop_plain')]);
    assert.equal(verdict.errno, 'ENOENT');
    assert.equal(verdict.taints, '');
    assert.deepEqual(verdict.messages, [
      'good: module using GPL-only symbols uses symbols prop_plain from proprietary module prop.',
      'good: Unknown symbol prop_plain (err -2)',
    ]);
  });

  test('leaves a weak proprietary symbol empty after a GPL-only one', () => {
    const verdict = withProvider([
      importFixture('synchronize_rcu'),
      importFixture('prop_plain', { weak: true }),
    ]);
    assert.equal(verdict.result, 'load');
    assert.deepEqual(verdict.messages, [
      'good: module using GPL-only symbols uses symbols prop_plain from proprietary module prop.',
    ]);
  });

  test('refuses a GPL-only symbol of a proprietary module', () => {
    const verdict = withProvider([importFixture('prop_gpl')]);
    assert.equal(verdict.errno, 'ENOENT');
    assert.match(verdict.messages[0] ?? '', /using GPL-only symbols uses symbols prop_gpl/);
  });

  test('logs no inheritance for a module that is proprietary already', () => {
    const verdict = withProvider([importFixture('prop_plain')], { tags: { license: 'BSD' } });
    assert.equal(verdict.result, 'load');
    assert.deepEqual(verdict.messages, []);
  });

  test('inherits no P from ndiswrapper', () => {
    const provider: ModuleFixture = { name: 'ndiswrapper', tags: { license: 'GPL' } };
    const verdict = withProvider([importFixture('prop_plain')], {}, provider);
    assert.equal(verdict.taints, '');
    assert.deepEqual(verdict.messages, []);
  });

  test('inherits P before it compares the CRC', () => {
    const verdict = withProvider([importFixture('prop_plain', { crc: 1 })]);
    assert.equal(verdict.errno, 'EINVAL');
    assert.equal(verdict.taints, 'P');
    assert.equal(verdict.messages.length, 3);
  });
});

describe('loaderVerdict() updates the loader state', () => {
  test('refuses the name of a loaded module until that is unloaded', () => {
    const state = newState();
    const first = {
      module: moduleFixture({ exports: [exportFixture('mine')] }),
      signature: signatureFixture(),
    };
    const kernel = kernelFixture();
    assert.deepEqual(
      predict([first, first], kernel, state).map((each) => each.errno),
      [undefined, 'EEXIST'],
    );
    assert.equal(unload(state, 'good'), true);
    assert.equal(unload(state, 'good'), false);
    assert.equal(loaderVerdict(first, kernel, state).result, 'load');
  });

  test('resolves exports of other modules only while they are loaded', () => {
    const state = newState();
    const kernel = kernelFixture();
    const provider = {
      module: moduleFixture({ name: 'a', exports: [exportFixture('mine')] }),
      signature: signatureFixture(),
    };
    const user = {
      module: moduleFixture({ name: 'b', symbols: [importFixture('mine')] }),
      signature: signatureFixture(),
    };
    const twin = {
      module: moduleFixture({ name: 'c', exports: [exportFixture('mine')] }),
      signature: signatureFixture(),
    };
    const errnos = predict([user, provider, user, twin], kernel, state).map((each) => each.errno);
    assert.deepEqual(errnos, ['ENOENT', undefined, undefined, 'ENOEXEC']);
    unload(state, 'b');
    unload(state, 'a');
    assert.deepEqual(
      predict([user, twin, user], kernel, state).map((each) => each.errno),
      ['ENOENT', undefined, undefined],
    );
  });

  test('does not taint for a module that is already loaded', () => {
    const state = newState();
    verdictOf({ state });
    const verdict = verdictOf({ state, module: { tags: { license: 'BSD' } } });
    assert.equal(verdict.errno, 'EEXIST');
    assert.equal(verdict.kernelTaint, 0);
  });

  test('refuses an export that a loaded module already has', () => {
    const state = newState();
    verdictOf({ state, module: { name: 'a', exports: [exportFixture('x')] } });
    const verdict = verdictOf({ state, module: { name: 'b', exports: [gplExport('x')] } });
    assert.deepEqual(verdict.messages, ['b: exports duplicate symbol x (owned by a)']);
    assert.equal(state.loaded.has('b'), false);
  });
});

describe('loaderVerdict() lists unknowns', () => {
  test('names what is missing, and judges the rest', () => {
    const verdict = verdictOf({
      kernel: { exports: [], vermagic: undefined, structBytes: undefined },
      module: {
        tags: { license: 'BSD', vermagic: 'x' },
        symbols: [importFixture('printk')],
        exports: [exportFixture('mine')],
      },
    });
    assert.equal(verdict.result, 'load');
    assert.equal(verdict.taints, 'P');
    assert.deepEqual(verdict.unknown, [
      'The size of struct module in kernel "6.12.118+deb13-amd64" is unknown, so it was not compared',
      'The version (CRC) of "module_layout" in kernel "6.12.118+deb13-amd64" is unknown, so it was not compared',
      'The vermagic of kernel "6.12.118+deb13-amd64" is unknown',
      'The exports of kernel "6.12.118+deb13-amd64" are unknown, so 1 symbols that it needs were not looked up',
      'The exports of kernel "6.12.118+deb13-amd64" are unknown, so the module\'s own exports were not compared',
    ]);
  });

  test('lists no unknowns for an honest module', () => {
    assert.deepEqual(verdictOf({ module: { symbols: [importFixture('printk')] } }).unknown, []);
  });

  test('reports that the host may trust a key that is not in the image', () => {
    assert.match(verdictOf({ signature: 'unknown key' }).unknown[0] ?? '', /keyring/);
  });
});

describe('loaderVerdict() follows the release', () => {
  const old: KernelFixture = { release: '6.1.0-40-amd64' };

  test('until 6.3, taints also for a module that is already loaded', () => {
    const state = newState();
    verdictOf({ state, kernel: old });
    const verdict = verdictOf({
      state,
      kernel: old,
      signature: 'none',
      module: { tags: { license: 'BSD', intree: undefined } },
    });
    assert.equal(verdict.errno, 'EEXIST');
    assert.equal(verdict.taints, 'PO');
    assert.equal(verdict.kernelTaint, taintMask('P') + taintMask('O'));
  });

  test('until 6.3, logs "module license taints kernel" only for special names', () => {
    const license = verdictOf({ kernel: old, module: { tags: { license: 'BSD' } } });
    assert.deepEqual(license.messages, ["good: module license 'BSD' taints kernel.", lockLine]);
    const special = verdictOf({ kernel: old, module: { name: 'lve' } });
    assert.deepEqual(special.messages, [lockLine, 'lve: module license taints kernel.']);
  });

  test('until 6.3, does not compare the size of struct module', () => {
    assert.equal(verdictOf({ kernel: old, module: { structBytes: 900 } }).result, 'load');
    const none = verdictOf({ kernel: old, module: { structLoaded: false } });
    assert.deepEqual(none.messages, ['good: No module found in object']);
  });

  test('counts a defect only for the releases that check it', () => {
    const defects = [
      {
        step: 'symbol table',
        errno: 'ENOEXEC',
        message: 'no NUL',
        why: 'none',
        from: [6, 13],
        before: [7, 0],
      },
    ] as const;
    const errno = (release: string) =>
      verdictOf({ kernel: { release }, module: { defects } }).errno;
    assert.equal(errno('6.12.118'), undefined);
    assert.equal(errno('6.13.0'), 'ENOEXEC');
    assert.equal(errno('6.19.0'), 'ENOEXEC');
    assert.equal(errno('7.0.0'), undefined);
  });

  test('from 6.14, uses extended versions when present, and no others', () => {
    const module: ModuleFixture = {
      hasVersions: false,
      extendedVersions: { layoutCrc: layoutCrcFixture },
      symbols: [importFixture('s', { crc: undefined, extendedCrc: crcFixture })],
    };
    const verdict = (release: string, changes: ModuleFixture = {}) =>
      verdictOf({
        kernel: { release, exports: [exportFixture('s')] },
        module: { ...module, ...changes },
      });
    assert.equal(verdict('6.13.0').taints, 'F');
    assert.equal(verdict('6.14.0').taints, '');
    const wrong = { symbols: [importFixture('s', { extendedCrc: 1 })] };
    assert.equal(verdict('6.14.0', wrong).errno, 'EINVAL');
    const absent = verdict('6.14.0', { symbols: [importFixture('s', { crc: 1 })] });
    assert.deepEqual(absent.messages, ['good: no extended symbol version for s']);
    assert.equal(absent.result, 'load');
  });

  test('from 7.2, requires flags for exports', () => {
    const module: ModuleFixture = {
      exports: [exportFixture('mine')],
      exportTables: { symbols: true, flags: false, gplSymbols: true, gplCrcs: true },
    };
    assert.equal(verdictOf({ kernel: { release: '7.1.0' }, module }).result, 'load');
    assert.deepEqual(verdictOf({ kernel: { release: '7.2.0' }, module }).messages, [
      'good: ignoring obsolete section __ksymtab_gpl',
      'good: ignoring obsolete section __kcrctab_gpl',
      'good: no flags for exported symbols',
    ]);
  });

  test('refuses names of built-in code, and an empty name', () => {
    const builtins = { present: new Set(['printk']), possible: new Set(['ext4']) };
    const named = (name: string) => verdictOf({ kernel: { builtins }, module: { name } });
    assert.deepEqual(named('printk').messages, ['printk: module is already loaded']);
    assert.equal(named('printk').errno, 'EINVAL');
    assert.match(named('ext4').unknown.join(), /"ext4" in the kernel is in \/sys\/module/);
    assert.equal(named('other').result, 'load');
    assert.deepEqual([named('').errno, named('').kernelTaint], ['EINVAL', 512]);
  });

  test('refuses too much per-CPU data, and lists as unknown what may not fit', () => {
    const verdict = (percpuBytes: number) => verdictOf({ module: { percpuBytes } });
    assert.deepEqual(verdict(8192).unknown, []);
    assert.match(verdict(8193).unknown.join(), /8193 bytes of per-CPU data/);
    assert.deepEqual([verdict(32_769).errno, verdict(32_769).kernelTaint], ['ENOMEM', 512]);
  });

  test('until 5.18, logs inheritance without the symbol, and until 5.8 not at all', () => {
    const lines = (release: string) => {
      const state = newState();
      const module = { name: 'prop', tags: { license: 'BSD' }, exports: [exportFixture('p')] };
      verdictOf({ state, kernel: { release }, module });
      return verdictOf({ state, kernel: { release }, module: { symbols: [importFixture('p')] } });
    };
    assert.deepEqual(lines('5.10.0').messages, [
      'good: module uses symbols from proprietary module prop, inheriting taint.',
    ]);
    assert.deepEqual(lines('5.8.18').messages, []);
    assert.equal(lines('5.8.18').taints, '');
  });

  test('from 6.16, opens a module: namespace only to the modules that it names', () => {
    const exports = [exportFixture('s', { namespace: 'module:kvm,snd-*' })];
    const verdict = (release: string, name: string, tags: ModuleFixture['tags'] = {}) =>
      verdictOf({
        kernel: { release, exports },
        module: { name, tags, symbols: [importFixture('s')] },
      });
    assert.equal(verdict('6.16.1', 'kvm').result, 'load');
    assert.equal(verdict('6.16.1', 'snd_hda').result, 'load');
    assert.equal(verdict('6.16.1', 'kvm_intel').errno, 'EINVAL');
    assert.equal(verdict('6.12.118', 'kvm').errno, 'EINVAL');
    const imports = { import_ns: 'module:kvm,snd-*' };
    assert.equal(verdict('6.12.118', 'other', imports).result, 'load');
    const forbidden = verdict('6.16.1', 'other', imports);
    assert.equal(forbidden.errno, 'EPERM');
    assert.deepEqual(forbidden.messages, [
      'other: module tries to import module namespace: module:kvm,snd-*',
    ]);
  });
});
