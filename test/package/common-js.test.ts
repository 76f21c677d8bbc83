import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { asCommonJs, requiringChunks } from '../../scripts/common-js.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

suite('chunks as CommonJS', () => {
  const directory = suiteDirectory('common-js');
  const require = createRequire(join(directory, 'main.js'));
  const at = (name: string) => join(directory, name);
  const write = async (name: string, module: string) =>
    writeFileSync(at(name), await asCommonJs(module));

  const below = 'var one = 1;\nvar two = 2;\nexport {\n  one,\n  two as other\n};\n';
  const above = `import {
  one,
  other as two
} from "./below.cjs";
import { sep } from "node:path";
import * as path from "node:path";
import old, { named } from "old";
import "./late.cjs";
// A text is none of the chunk's own.
var text = \`
import { nothing } from "./nowhere.cjs";
export { nothing };
\`;
var late = () => import("./late.cjs");
var here = import.meta.url;
var sum = one + two;
var isSame = path.sep === sep;
export {
  here,
  isSame,
  late,
  named,
  old,
  one,
  sum as default,
  text
};
`;

  test('share names, defaults, late chunks and their place, and keep texts as they are', async () => {
    mkdirSync(at('node_modules/old'), { recursive: true });
    writeFileSync(
      at('node_modules/old/index.js'),
      'module.exports = { __esModule: true, default: "was a module", named: "name" };',
    );
    await write('below.cjs', below);
    await write('late.cjs', 'var why = "because";\nexport {\n  why\n};\n');
    await write('above.cjs', above);
    const { late, text, ...others } = require('./above.cjs') as Record<string, unknown>;
    assert.deepEqual(others, {
      default: 3,
      here: pathToFileURL(at('above.js')).href,
      isSame: true,
      named: 'name',
      old: 'was a module',
      one: 1,
    });
    assert.equal(text, '\nimport { nothing } from "./nowhere.cjs";\nexport { nothing };\n');
    assert.deepEqual(await (late as () => Promise<unknown>)(), { why: 'because' });
  });

  test('are required by entries, which stay modules', async () => {
    await write('below.cjs', below);
    const entry = `import { sep } from "node:path";
import { one } from "./below.cjs";
var late = await import("./below.cjs");
var path = await import("node:path");
var here = import.meta.url;
export {
  here,
  late,
  one,
  path
};
`;
    writeFileSync(at('entry.mjs'), await requiringChunks(entry));
    const url = pathToFileURL(at('entry.mjs')).href;
    const { path, ...others } = (await import(url)) as Record<string, unknown>;
    assert.deepEqual({ ...others }, { here: url, late: { one: 1, other: 2 }, one: 1 });
    assert.equal((path as { sep: string }).sep, '/');
  });

  for (const change of ['one = 2;', 'one += 1;', 'one ??= 3;', 'one++;'])
    test(`with an export that "${change}" changes are an error`, async () => {
      const text = `var one = 1;\nfunction change() {\n  ${change}\n}\nexport {\n  change,\n  one\n};\n`;
      await assert.rejects(asCommonJs(text), /exports one, which changes/);
    });

  for (const [form, text] of [
    ['a changing export', 'export let changing = 1;\n'],
    ['two lists', 'var a, b;\nexport { a };\nexport { b };\n'],
    ['all of another', 'export * from "./below.cjs";\n'],
    ['another property of the module', 'var file = import.meta.filename;\nexport { file };\n'],
  ] as const)
    test(`with ${form} are an error`, async () => {
      await assert.rejects(asCommonJs(text), /unknown here: /);
    });
});
