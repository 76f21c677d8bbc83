import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NameSearch, SourceWords, wordsBelow } from '../../../core/source/source-words.ts';
import { mustEnd } from '../../../../../testing/patience.ts';
import { bytesOf, treeOf } from './trees.ts';

function search(...texts: readonly string[]): NameSearch {
  return new NameSearch(
    texts.map((text) => {
      const words = new SourceWords();
      words.add(bytesOf(text));
      return words;
    }),
  );
}

test('NameSearch.explains() accepts whole names and names that macros paste', () => {
  const names = search(
    'module_driver(foo_driver);\nTOKEN(hash_mark, _gc);\nint other;\n',
    '#define module_driver(d) int d##_init(void); int d ## _exit(void)\n',
  );
  const found = ['foo_driver', 'foo_driver_init', 'foo_driver_exit', 'hash_mark6_gc'];
  for (const each of found) assert.ok(names.explains(each), each);
  for (const each of ['foo_init', 'bar_init', 'foo_driver_other', 'otherother', 'hash']) {
    assert.ok(!names.explains(each), each);
  }
});

test('NameSearch ends quickly for hostile texts and names', () => {
  for (const text of [
    'a'.repeat(4_000_000),
    '( '.repeat(2_000_000),
    ' '.repeat(4_000_000),
    '#'.repeat(4_000_000),
  ]) {
    mustEnd(() => search(text));
  }
  const names = search(`a##b${Array.from({ length: 99 }, (_, n) => ` ${'a'.repeat(n)}`).join('')}`);
  mustEnd(() => {
    for (let n = 0; n < 100_000; n++) names.explains(`${'a'.repeat(90)}_${n}`);
  });
});

test('wordsBelow() reads all directories', () => {
  const words = wordsBelow(treeOf({ 'a/b/c.c': 'int deep;', 'd.c': 'int top;' }), ['']);
  assert.ok(words?.has('deep') === true && words.has('top'));
});
