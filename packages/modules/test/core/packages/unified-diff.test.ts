import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unifiedDiffsOf } from '../../../core/packages/unified-diff.ts';

const diff = '--- a/m.c\t2020\n+++ b/m.c\n@@ -1,2 +1,2 @@ f\n-one\n+two\n \n';

test('unifiedDiffsOf() drops everything that is not a unified diff', () => {
  const ed = '1c\nevil\n.\n';
  assert.equal(unifiedDiffsOf(`Description: x\n${ed}${diff}${ed}`), diff);
  assert.equal(unifiedDiffsOf(`--- a/m.c\n+++ b/m.c\n${ed}`), '--- a/m.c\n+++ b/m.c\n');
  assert.equal(unifiedDiffsOf(ed), '');
  const bare = `${diff}\\ No newline at end of file\n`;
  assert.equal(unifiedDiffsOf(bare), bare);
});

test('unifiedDiffsOf() refuses names that lead outside, links, and cut hunks', () => {
  for (const [patch, message] of [
    ['--- /dev/null\n+++ b/../../x\n', /outside/],
    ['--- /dev/null\n+++ /etc/x\n', /outside/],
    ['--- a/x\n+++ "b/\\056./x"\n', /outside/],
    ['new file mode 120000\n', /unsupported line/],
    ['rename from a\n', /unsupported line/],
    [diff.slice(0, -4), /cut hunk/],
    ['@@ -1 +1 @@\n1c\n', /cut hunk/],
    ['@@ x\n', /damaged hunk/],
  ] as const) {
    assert.throws(() => unifiedDiffsOf(patch), { message }, patch);
  }
});
