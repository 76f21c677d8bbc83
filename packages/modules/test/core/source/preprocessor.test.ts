import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMacro, PreprocessorError, Work } from '../../../core/preprocessor/macros.ts';
import { IncludePath, Preprocessor } from '../../../core/preprocessor/preprocessor.ts';
import { PathSpace } from '../../../core/source/source-tree.ts';
import { cachedTree } from './trees.ts';

function preprocess(
  files: Readonly<Record<string, string>>,
  directories: readonly string[] = ['/s/include'],
  macros: readonly string[] = [],
): Preprocessor {
  const space = new PathSpace().mount('/s/', cachedTree(files));
  const defined = macros.map((each) => {
    const { name, macro } = parseMacro(each)!;
    return [name, macro] as const;
  });
  const preprocessor = new Preprocessor(new IncludePath(space, directories), defined, new Work());
  preprocessor.open('/s/main.c');
  return preprocessor;
}

/** Returns the files that are opened in addition to the main file, without the directory. */
const opened = (...args: Parameters<typeof preprocess>): readonly string[] =>
  preprocess(...args)
    .dependencies.slice(1)
    .map((each) => each.replace('/s/', ''));

const headers = { 'a.h': '', 'b.h': '', 'c.h': '', 'include/x.h': '' };

test("Preprocessor opens headers in order, quoted ones first in the file's directory", () => {
  const files = { 'main.c': '#include "b.h"\n#include <x.h>\n#include "a.h"\n', ...headers };
  assert.deepEqual(opened(files), ['b.h', 'include/x.h', 'a.h']);
});

/** Whether a condition lets `a.h` in. */
function isTrue(condition: string, ...macros: readonly string[]): boolean {
  const text = `#if ${condition}\n#include "a.h"\n#else\n#include "b.h"\n#endif\n`;
  return opened({ 'main.c': text, ...headers }, [], macros)[0] === 'a.h';
}

test('Preprocessor evaluates #if conditions', () => {
  for (const condition of [
    '1',
    '2 + 3 * 4 == 14',
    '(1 << 4) - 1 == 0xf && 017 == 15',
    '-1 < 0',
    '1 ? 2 : 0',
    '0 ? 0 : 3',
    '~0 == -1',
    '!0 && !!5',
    "'a' == 97",
    '10UL > 9',
    '7 % 4 == 3 || 1 / 0',
    '!unknown',
    '!unknown(1, 2)',
    'defined(A) && defined A && !defined(B)',
    'F(2) == 4',
    'A == 5',
    '__has_attribute(x) && defined(__has_attribute)',
    '__has_include("b.h") && !__has_include("none.h")',
    'INDIRECT',
  ]) {
    assert.ok(isTrue(condition, 'A 5', 'F(x) (x * 2)', 'INDIRECT defined(A)'), condition);
  }
  for (const condition of ['0', '', 'B', '1 - 1', '0x', '(0', '1 == 2']) {
    assert.ok(!isTrue(condition), condition);
  }
});

test('Preprocessor expands IS_ENABLED as the kernel writes it', () => {
  const kconfig = [
    '__ARG_PLACEHOLDER_1 0,',
    '__take_second_arg(__ignored, val, ...) val',
    '____is_defined(arg1_or_junk) __take_second_arg(arg1_or_junk 1, 0)',
    '___is_defined(val) ____is_defined(__ARG_PLACEHOLDER_##val)',
    '__is_defined(x) ___is_defined(x)',
    'IS_ENABLED(option) __is_defined(option)',
    'CONFIG_ON 1',
  ];
  assert.ok(isTrue('IS_ENABLED(CONFIG_ON)', ...kconfig));
  assert.ok(!isTrue('IS_ENABLED(CONFIG_OFF)', ...kconfig));
});

test('Preprocessor takes one branch of a conditional', () => {
  const text =
    '#ifdef X\n#include "a.h"\n#elif 1\n#include "b.h"\n#elif 1\n#include "c.h"\n#else\n#include "a.h"\n#endif\n#ifndef X\n#include "c.h"\n#endif\n';
  assert.deepEqual(opened({ 'main.c': text, ...headers }), ['b.h', 'c.h']);
  assert.deepEqual(opened({ 'main.c': text, ...headers }, [], ['X 1']), ['a.h']);
});

test('Preprocessor ignores directives in comments and strings, and joins continued lines', () => {
  const text =
    '/*\n#include "a.h"\n*/\nchar *s = "/*";\n#include "b.h" /* why */\n// x \\\n#include "c.h"\nint a; \\\n#include "c.h"\n#inc\\\nlude "c.h"\n';
  assert.deepEqual(opened({ 'main.c': text, ...headers }), ['b.h', 'c.h']);
});

test('Preprocessor opens a computed include, and keeps its path as written', () => {
  const files = {
    'main.c': '#define TRACE_PATH ../s\n#include <t.h>\n',
    'include/t.h':
      '#define S_1(x...) #x\n#define S(x...) S_1(x)\n#define T(f) S(TRACE_PATH/f.h)\n#include T(a)\n',
    'a.h': '',
  };
  assert.deepEqual(
    preprocess(files, ['/s/include']).dependencies.slice(2),
    ['/s/include/../s/a.h'].slice(1),
  );
  const existing = { ...files, 'main.c': '#define TRACE_PATH ..\n#include <t.h>\n' };
  assert.deepEqual(preprocess(existing).dependencies.slice(2), ['/s/include/../a.h']);
});

test('Preprocessor reads a guarded header once and continues with include_next', () => {
  const files = {
    'main.c': '#include <x.h>\n#include <x.h>\n',
    'one/x.h': '#ifndef X\n#define X\n#include_next <x.h>\n#endif\n',
    'two/x.h': '#pragma once\n#include "y.h"\n',
    'two/y.h': '',
  };
  assert.deepEqual(opened(files, ['/s/one', '/s/two']), ['one/x.h', 'two/x.h', 'two/y.h']);
});

test('Preprocessor lists missing headers with the file that includes them', () => {
  const { missing } = preprocess({ 'main.c': '#include "none.h"\n' });
  assert.deepEqual(missing, ['"none.h" from /s/main.c']);
});

const endless: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a cycle of includes': {
    'main.c': '#include "a.h"\n',
    'a.h': '#include "b.h"\n',
    'b.h': '#include "a.h"\n',
  },
  'includes that double': {
    'main.c': '#include "0.h"\n',
    ...Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        `${i}.h`,
        `#include "${i + 1}.h"\n#include "${i + 1}.h"\n`,
      ]),
    ),
    '40.h': '',
  },
  'macros that double': {
    'main.c': `#define A0 x x\n${Array.from({ length: 60 }, (_, i) => `#define A${i + 1} A${i} A${i}\n`).join('')}#if A60\n#endif\n`,
  },
  'brackets without end': { 'main.c': `#if ${'('.repeat(100_000)}1\n#endif\n` },
  'macros nested without end': {
    'main.c': `${Array.from({ length: 500 }, (_, i) => `#define A${i} A${i + 1}\n`).join('')}#if A0\n#endif\n`,
  },
};

for (const [what, files] of Object.entries(endless)) {
  test(`Preprocessor stops at ${what}`, () => {
    assert.throws(() => preprocess(files), PreprocessorError);
  });
}

test('Preprocessor survives a macro that names itself', () => {
  const text =
    '#define A A + 1\n#define B(x) B(x) x\n#if A == 1 && !B(2)\n#include "a.h"\n#endif\n';
  assert.deepEqual(opened({ 'main.c': text, ...headers }), ['a.h']);
});

test('Preprocessor survives unbalanced conditionals', () => {
  const text = '#endif\n#else\n#elif 1\n#if 0\n#include "a.h"\n';
  assert.deepEqual(opened({ 'main.c': text, ...headers }), []);
});
