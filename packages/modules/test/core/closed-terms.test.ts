/** Words of closed terms: where they are, and not where free licenses speak of the same things. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { mustEnd } from '../../../../testing/patience.ts';
import { closedTermsIn, closedTermsOf, isLicenseFile } from '../../core/evidence/closed-terms.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

test('closedTermsIn() finds phrases across the lines of a comment', () => {
  for (const text of [
    '/*\n * ACME PROPRIETARY\n * AND CONFIDENTIAL\n */',
    '// This is a trade\n// secret of ACME',
    '# Subject to the End-User Licence Agreement',
    'Redistribution in any form is strictly\n prohibited.',
    'You shall not decompile or reverse-engineer the driver',
    'The software is licensed, not sold.',
    'It may not be disclosed to others',
  ]) {
    assert.equal(closedTermsIn(text).length, 1, text);
  }
  for (const text of [
    '/* Proprietary connectors, all rights reserved */',
    'We had to reverse engineer the registers',
    'the MAC can not be modified',
    'Redistribution and use in source and binary forms are permitted',
    'This register must not be copied.',
  ]) {
    assert.deepEqual(closedTermsIn(text), [], text);
  }
});

const licenses = '/usr/share/common-licenses';

test(
  'closedTermsIn() finds nothing in free licenses',
  { skip: !existsSync(licenses) && `there is no ${licenses}` },
  () => {
    for (const name of readdirSync(licenses)) {
      const text = readFileSync(`${licenses}/${name}`, 'latin1');
      assert.deepEqual(closedTermsIn(text), [], name);
    }
  },
);

test('closedTermsOf() reads only the head of a source file, but a whole license file', () => {
  const late = bytesOf(`${'x '.repeat(3000)} trade secret`);
  assert.deepEqual(closedTermsOf('src/main.c', late), []);
  assert.deepEqual(closedTermsOf('src/LICENSE.txt', late), ['trade secret']);
});

test('isLicenseFile() recognizes license files by name', () => {
  for (const name of ['COPYING', 'a/LICENSE', 'License.md', 'licence-acme', 'EULA.pdf']) {
    assert.ok(isLicenseFile(name), name);
  }
  for (const name of ['licenses.c/x', 'relicense', 'copyings', 'licensed.c']) {
    assert.ok(!isLicenseFile(name), name);
  }
});

test('closedTermsIn() takes linear time', () => {
  const text = 'redistribution may not confidential and '.repeat(100_000);
  assert.deepEqual(
    mustEnd(() => closedTermsIn(text)),
    [],
  );
});
