/** The units that "bulkhead units enable" writes: with the program that wrote them, and nobody else's file is touched. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import {
  ownUnits,
  unitFile,
  unitPath,
  unitText,
  writeUnits,
} from '../../src/host/systemd/own-units.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const etc = suiteDirectory('units');
mkdirSync(`${etc}/systemd/system`, { recursive: true });
const names = ownUnits.map(({ name }) => name);

test('unitText() has the absolute path of the program in every unit', () => {
  for (const name of names) {
    const text = unitText(name);
    assert.doesNotMatch(text, /\/usr\/bin\/env bulkhead|command -v/, name);
    for (const [, path = ''] of text.matchAll(/^ExecStart=(\/\S*bulkhead) /gm))
      assert.equal(path, packageFile('bulkhead'), name);
  }
  const broker = /exec (\S+\/libexec\/bulkhead-broker)/.exec(unitText('bulkhead-broker@.service'));
  assert.equal(broker?.[1], packageFile('libexec/bulkhead-broker'));
});

test('writeUnits() updates an old unit, and refuses to overwrite one that it did not write', () => {
  const [first = '', second = ''] = names;
  const written = writeUnits({ etc }, names);
  assert.deepEqual(written, { ok: true, value: names });
  assert.deepEqual(writeUnits({ etc }, names), { ok: true, value: [] });
  // Somebody may copy it by hand.
  writeFileSync(unitPath({ etc }, first), readFileSync(packageFile(`packaging/${first}`)));
  assert.equal(unitFile({ etc }, first), 'old');
  assert.deepEqual(writeUnits({ etc }, names), { ok: true, value: [first] });
  writeFileSync(unitPath({ etc }, second), '[Unit]\nDescription=mine\n');
  const refused = writeUnits({ etc }, names);
  assert.match(
    refused.ok ? '' : formatProblem(refused.error),
    /Bulkhead did not write; move it away/,
  );
  assert.match(readFileSync(unitPath({ etc }, second), 'utf8'), /mine/);
});
