import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkClaim as check, gpl2Terms, termsOf } from '../../../core/packages/claims.ts';
import {
  type LicenseStatement,
  readCopyright,
  readLicenseTag,
} from '../../../core/packages/copyright.ts';
import { debControl, paragraphsOf } from '../../../core/packages/deb.ts';
import { readDkmsConf } from '../../../core/packages/dkms-conf.ts';
import { readDsc } from '../../../core/packages/dsc.ts';

const format = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n';

const mixed = readCopyright(`${format}Files: *
Copyright: 2022 Somebody
License: Expat
 Permission is hereby granted

Files: module/* a?b
 c\\*d
Copyright: 2013
License: GPL-2

Files: debian/*
License: GPL-3+
`);

const checkClaim = (claim: string | undefined, statement: LicenseStatement | undefined) =>
  check(claim, termsOf(statement));

test('readCopyright() lists each license once, without the license of debian/*', () => {
  assert.deepEqual(mixed, { kind: 'stated', licenses: ['Expat', 'GPL-2'], more: false });
  const both = readCopyright(
    `${format}Files: debian/x y\nLicense: MIT\n\nFiles: z\nLicense: MIT\n`,
  );
  assert.deepEqual(both, { kind: 'stated', licenses: ['MIT'], more: false });
});

test('readCopyright() keeps 100 licenses, and checkClaim() is undecided about more', () => {
  const many = (count: number) =>
    readCopyright(
      format +
        Array.from(
          { length: count },
          (_, n) => `Files: ${n}\nLicense: GPL-3+ or GPL-${n + 4}\n`,
        ).join('\n'),
    );
  const [hundred, thousand] = [many(100), many(1000)];
  assert.ok(hundred.kind === 'stated' && !hundred.more && hundred.licenses.length === 100);
  assert.ok(thousand.kind === 'stated' && thousand.more && thousand.licenses.length === 100);
  assert.deepEqual(checkClaim('GPL', thousand), {
    result: 'undecided',
    message: 'The package states more than 100 licenses',
  });
});

test('readCopyright() lists no licenses from unstructured text', () => {
  const plain = readCopyright('It is GPL.\n\nFiles: *\nLicense: GPL-3\n');
  assert.deepEqual(plain, { kind: 'plain', closedTerms: [] });
  assert.equal(checkClaim('GPL', plain).result, 'undecided');
});

test('checkClaim() doubts a GPL claim when the package states closed terms', () => {
  const check = (license: string) => checkClaim('GPL', readLicenseTag(license));
  for (const license of [
    'ACME-EULA',
    'non-free',
    'Redistributable, no modification permitted',
    'GPL-2 and Proprietary',
    'Apache-2.0',
    'BUSL-1.1',
    'CC-BY-NC-ND-4.0 and (Apache-2.0 or EPL-2.0)',
  ]) {
    assert.equal(check(license).result, 'doubtful', license);
  }
  for (const license of [
    'Apache-2.0 and MIT',
    'CC-BY-4.0',
    'GPL-2-Digium',
    'non-commercial',
    'Freeware',
  ]) {
    assert.equal(check(license).result, 'undecided', license);
  }
  const inPart = readCopyright(
    `${format}Files: *\nLicense: GPL-2\n\nFiles: blob.o\nLicense: Proprietary\n`,
  );
  assert.equal(checkClaim('GPL', inPart).result, 'doubtful');
  assert.equal(checkClaim('Proprietary', inPart).result, 'undecided');
  const prose = readCopyright('It may not be redistributed.\nSee the End User\n License.\n');
  assert.equal(checkClaim('GPL', prose).result, 'doubtful');
  assert.match(checkClaim('GPL', prose).message, /its package states "end user license", "may not/);
});

test('gpl2Terms() returns allowed, excluded or unknown', () => {
  const allowed = `GPL|GPL-2|GPL-2+|GPL-2.0+|GPLv2|GPLv2+|GPL v2|GPL-2.0-only|GPL-2.0-or-later|GPL v2 or later
GPL-2 or GPL-3|GPL-3 or GPL-2|GPL-1+|LGPL-2.1+|LGPLv2+|MIT|Expat|BSD-3-clause|Dual BSD/GPL|GPLv2 and MIT
(GPL-2.0-only OR MIT) AND BSD-3-Clause|GPL v2  or \t later|GPL-2   or\tGPL-3|GPL-2 - or - later|GPL-2.0-only WITH Linux-syscall-note|GPL-3+ or MIT|(GPLv2)`;
  const excluded = `GPL-3|GPL-3+|GPLv3|GPLv3+|GPL-3.0-only|GPL-3.0-or-later|LGPL-3|LGPL-3+|LGPL-3.0-or-later|AGPL-3
CDDL-1.0|ACME NDA|Proprietary|Commercial|NVIDIA Proprietary|Commercial license|GPL-3 and LGPL-3+|(GPLv3)|GPL v3 or later
Proprietary or Commercial|(GPL-3 or LGPL-3) and CDDL`;
  const unknown = `Apache-2.0|GPL-2 and GPL-3|GPL-2 and Proprietary|GPL-3 or other|non-commercial|Unicode-data||()
GPL-3+ with GCC exception|GPLv2 and Redistributable, no modification permitted|NonCommercial|Artistic|see COPYING|GPL-4`;
  const rows = { allowed, excluded, unknown } as const;
  for (const [expected, names] of Object.entries(rows)) {
    for (const name of names.split(/[|\n]/)) assert.equal(gpl2Terms(name), expected, `"${name}"`);
  }
  assert.equal(gpl2Terms('('.repeat(600) + ' or '), 'unknown');
  assert.equal(gpl2Terms('(a or b) '.repeat(110)), 'unknown');
});

test('checkClaim() contradicts only when no stated license allows GPL version 2', () => {
  const tag = readLicenseTag;
  assert.equal(checkClaim('GPL', tag('GPLv3+')).result, 'contradicts');
  assert.equal(checkClaim('Dual BSD/GPL', tag('Proprietary')).result, 'contradicts');
  assert.match(checkClaim('GPL', tag('GPL-3')).message, /claims "GPL".*states "GPL-3"/);
  assert.equal(checkClaim('GPL v2', tag('GPL-2+')).result, 'agrees');
  assert.equal(checkClaim('Proprietary', tag('Commercial')).result, 'undecided');
  assert.equal(checkClaim(undefined, tag('GPL-3')).result, 'undecided');
  assert.equal(checkClaim('GPL', undefined).result, 'undecided');
  assert.equal(checkClaim('GPL', mixed).result, 'agrees');
  const halves = readCopyright(
    `${format}Files: *\nLicense: GPL-3\n\nFiles: mod/*\nLicense: GPL-2\n`,
  );
  assert.equal(checkClaim('GPL', halves).result, 'undecided');
});

test('paragraphsOf() reads multi-line fields, and debControl() requires a valid name', () => {
  const [first, second] = paragraphsOf(
    '# c\nPackage: a\nDescription: x\n more\n .\n\n\nB: 1\nB: 2\nnoise\n',
  );
  assert.equal(first?.get('description'), 'x\nmore\n.');
  assert.deepEqual([...(second ?? [])], [['b', '1']]);
  assert.throws(() => debControl(paragraphsOf('Package: ../x')[0]), {
    message: /name of a package/,
  });
  assert.throws(() => debControl(undefined), { message: /name of a package/ });
});

const sum = 'a'.repeat(64);
const dsc = (line: string, form = '3.0 (quilt)') =>
  `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nFormat: ${form}\nSource: x\nVersion: 1-1\nChecksums-Sha256:\n ${line}\n\n-----BEGIN PGP SIGNATURE-----\n`;

test('readDsc() reads a signed .dsc, and refuses unsafe names and bad sums', () => {
  const read = readDsc(dsc(`${sum} 12 x_1.orig.tar.xz`));
  assert.deepEqual(read.files, [{ name: 'x_1.orig.tar.xz', bytes: 12, sha256: sum }]);
  for (const [line, form] of [
    [`${sum} 12 ../x`],
    [`${sum} 12 /etc/passwd`],
    [`${sum} -1 x`],
    ['short 12 x'],
    [`${sum} 12 x`, '9.9'],
  ] as const) {
    assert.throws(() => readDsc(dsc(line, form)), { name: 'Error' }, line);
  }
  assert.throws(() => readDsc('Format: 1.0\nSource: x\n'), { message: /no SHA-256/ });
});

test('readDkmsConf() reads only plain assignments', () => {
  const conf = readDkmsConf(`PACKAGE_NAME="jool"
PACKAGE_VERSION=4.1 # comment
MAKE[0]="make \\
BUILT_MODULE_NAME[7]=inside \\
  && make"
BUILT_MODULE_NAME[0]="\${PACKAGE_NAME}_common"
BUILT_MODULE_LOCATION[0]="./src/mod/common/"
BUILT_MODULE_NAME[1]=$(id)
BUILT_MODULE_NAME[2]=\`id\`
BUILT_MODULE_NAME[3]='siit'
BUILT_MODULE_NAME[4]="../../x"
`);
  assert.deepEqual(conf, {
    name: 'jool',
    version: '4.1',
    modules: [
      { name: 'jool_common', location: 'src/mod/common' },
      { name: 'siit', location: '' },
    ],
  });
});
