import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Makefile, MakefileError } from '../../../core/make/makefile.ts';
import { mustEnd } from '../../../../../testing/patience.ts';

function evaluate(
  text: string,
  variables: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Makefile {
  const makefile = new Makefile(
    {
      read: (path) => files[path],
      exists: (path) => Object.hasOwn(files, path),
      matching: () => [],
    },
    Object.entries(variables),
    { isKnownUnset: () => false, isKnownMissing: () => false, answer: () => undefined },
  );
  makefile.evaluate(text);
  return makefile;
}

const value = (expression: string, variables: Readonly<Record<string, string>> = {}): string =>
  evaluate(`result = ${expression}\n`, variables).get('result');

test('Makefile evaluates assignment operators like make', () => {
  const makefile = evaluate(
    'a = $(b)\nb := 1\nc := $(b)\nb := 2\nd ?= 3\nd ?= 4\ne += 5\ne += 6\nf ::= 7\n',
  );
  const values = ['a', 'c', 'd', 'e', 'f'].map((name) => makefile.get(name));
  assert.deepEqual(values, ['2', '1', '3', '5 6', '7']);
});

test('Makefile joins continued lines and drops comments', () => {
  assert.equal(evaluate('obj-m := a.o \\\n\tb.o \\\n  c.o # d.o\n').get('obj-m'), 'a.o b.o c.o');
});

test('Makefile takes the branch whose condition is true', () => {
  const text = `
ifdef A
x += a
else ifeq ($(B),y)
x += b
ifneq "$(C)" 'n'
x += c
endif
else
x += d
endif
`;
  assert.equal(evaluate(text, { A: '1' }).get('x'), 'a');
  assert.equal(evaluate(text, { B: 'y' }).get('x'), 'b c');
  assert.equal(evaluate(text, { B: 'y', C: 'n' }).get('x'), 'b');
  assert.equal(evaluate(text).get('x'), 'd');
});

test('Makefile evaluates the functions that Kbuild makefiles use', () => {
  const cases: readonly (readonly [expression: string, expected: string])[] = [
    ['$(patsubst %.c,%.o,a.c b.h)', 'a.o b.h'],
    ['$(list:.c=.o)', 'x.o y.o'],
    ['$(list:%.c=d/%.o)', 'd/x.o d/y.o'],
    ['$(subst a,b,banana)', 'bbnbnb'],
    ['$(filter %.c,a.c b.h)', 'a.c'],
    ['$(filter-out %.c,a.c b.h)', 'b.h'],
    ['$(sort c a b a)', 'a b c'],
    ['$(word 2,a b c) $(words a b c) $(firstword a b) $(lastword a b)', 'b 3 a b'],
    ['$(wordlist 2,3,a b c d)', 'b c'],
    ['$(dir a/b.c c) $(notdir a/b.c)', 'a/ ./ b.c'],
    ['$(basename a/b.c) $(suffix a/b.c)', 'a/b .c'],
    ['$(addprefix x/,a b)$(addsuffix .o, c)', 'x/a x/bc.o'],
    ['$(join a b,1 2 3)', 'a1 b2 3'],
    ['$(if $(none),yes,no) $(or ,b,c) $(and a,b)', 'no b b'],
    ['$(foreach v,a b,<$(v)>)', '<a> <b>'],
    ['$(findstring an,banana)|$(findstring x,banana)', 'an|'],
    ['$(strip  a   b )', 'a b'],
    ['$$x', '$x'],
    ['$(call cc-option,-Wnew,-Wold)', '-Wnew'],
  ];
  for (const [expression, expected] of cases) {
    assert.equal(value(expression, { list: 'x.c y.c' }), expected, expression);
  }
  assert.equal(evaluate('wrap = [$(1)|$(2)]\nr = $(call wrap,a,b)').get('r'), '[a|b]');
});

test('Makefile evaluates define, call and eval', () => {
  const text = `
define module
obj-m += $(1).o
$(1)-y := $(2)
endef
$(eval $(call module,foo,a.o b.o))
$(foreach m,bar baz,$(eval $(call module,$(m),$(m)_main.o)))
`;
  const makefile = evaluate(text);
  assert.deepEqual(makefile.list('obj-m'), ['foo.o', 'bar.o', 'baz.o']);
  assert.equal(makefile.get('baz-y'), 'baz_main.o');
});

const unknowns = (makefile: Makefile): readonly string[] => [...makefile.unknownsOf('obj-m')];

test('Makefile lists rules without following them, and ignores recipes', () => {
  const makefile = evaluate('all: a.o\n\tx := 1\n\techo $(shell rm -rf /)\ny := 2\n');
  assert.equal(makefile.get('x'), '');
  assert.equal(makefile.get('y'), '2');
  assert.deepEqual(makefile.rules, [{ targets: ['all'], prerequisites: ['a.o'] }]);
});

test('Makefile runs no shell command, and lists values that depend on one', () => {
  const idle = evaluate('date := $(shell date)\nobj-m := a.o\n');
  assert.deepEqual([idle.list('obj-m'), unknowns(idle)], [['a.o'], []]);
  const deciding = evaluate('ifeq ($(shell uname -m),x86_64)\nobj-m := a.o\nendif\n');
  assert.deepEqual([deciding.list('obj-m'), unknowns(deciding)], [[], ['the command "uname -m"']]);
  const listed = evaluate('obj-m := $(shell ls *.o)\n');
  assert.deepEqual([listed.list('obj-m'), unknowns(listed)], [[], ['the command "ls *.o"']]);
});

test('Makefile includes existing makefiles, and skips a missing optional one', () => {
  const makefile = evaluate(
    '-include none\ninclude $(d)/b.mk\n',
    { d: 'x' },
    { 'x/b.mk': 'v := 1' },
  );
  assert.equal(makefile.get('v'), '1');
});

test('Makefile.unknownsOf() lists the unset variables that a value depends on', () => {
  const cases: readonly (readonly [text: string, unknowns: readonly string[]])[] = [
    ['obj-m := a.o\nccflags-y += $(X)\n', []],
    ['obj-m := $(X)\n', ['the variable "X"']],
    ['list = $(X) a.o\nobj-m := $(list)\n', ['the variable "X"']],
    ['ifdef X\nobj-m := a.o\nendif\n', ['the variable "X"']],
    ['ifndef X\nelse\nobj-m := a.o\nendif\n', ['the variable "X"']],
    ['ifeq ($(X),y)\nelse\nobj-m := a.o\nendif\n', ['the variable "X"']],
    ['ifeq ($(X),y)\nv := 1\nendif\nobj-m := a.o\n', []],
    ['ifeq ($(X),y)\nv := 1\nendif\nobj-m := $(v)\n', ['the variable "X"']],
    ['ifeq ($(X),y)\nifdef SET\nobj-m := a.o\nendif\nendif\n', ['the variable "X"']],
    ['ifdef SET\nelse ifdef X\nobj-m := a.o\nendif\n', []],
    ['ifdef X\nelse ifdef SET\nelse\nobj-m := a.o\nendif\n', []],
    ['ifdef X\nv := b.o\nendif\nv := a.o\nobj-m := $(v)\n', []],
    ['obj-m := $(if $(X),a.o)\n', ['the variable "X"']],
    ['ifdef X\ninclude more.mk\nendif\nobj-m := a.o\n', ['the variable "X"']],
    ['ifndef X\n$(eval obj-m := a.o)\nendif\n', ['the variable "X"']],
    ['-include more.mk\nobj-m := a.o\n', ['the makefile "more.mk"']],
    ['X ?= a.o\nobj-m := $(X)\n', []],
  ];
  for (const [text, expected] of cases) {
    assert.deepEqual(unknowns(evaluate(text, { SET: '1' })), expected, text);
  }
});

const hostile: Readonly<Record<string, string>> = {
  'doubles without end': `a0 := xxxxxxxxxx\n${Array.from({ length: 60 }, (_, i) => `a${i + 1} := $(a${i})$(a${i})`).join('\n')}\n`,
  'doubles when used': `${Array.from({ length: 60 }, (_, i) => `a${i + 1} = $(a${i})$(a${i})`).join('\n')}\na0 = xxxxxxxxxx\nr := $(a60)\n`,
  'calls itself': 'f = $(call f,$(1)x)\nr := $(call f,x)\n',
  'evaluates itself': 'define e\n$(eval $(value e))\nendef\n$(eval $(value e))\n',
  'nests loops': `l := ${'x '.repeat(1000)}\nr := $(foreach a,$(l),$(foreach b,$(l),$(foreach c,$(l),y)))\n`,
  'includes itself': 'include self\n',
  'nests brackets that never close': `r := ${'$('.repeat(100_000)}\n`,
  'filters many by many': `r := $(filter ${'a%b '.repeat(40_000)},${'ab '.repeat(40_000)})\n`,
  'nests conditions': 'ifdef X\n'.repeat(5000),
};

for (const [what, text] of Object.entries(hostile)) {
  test(`Makefile.evaluate() throws for a makefile that ${what}`, () => {
    assert.throws(
      () => mustEnd(() => evaluate(text, {}, { self: 'include self\n' })),
      MakefileError,
    );
  });
}

test('Makefile expands a self-reference in a variable to nothing', () => {
  assert.equal(evaluate('a = x$(a)\n').get('a'), 'x');
});
