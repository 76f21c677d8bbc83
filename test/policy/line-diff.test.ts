import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lineDiff } from '../../src/policy/changes/line-diff.ts';

const printed = (before: string, after: string) =>
  lineDiff(before, after).map(({ line, lines }) => [
    line,
    lines.map(({ sign, text }) => sign + text).join('|'),
  ]);

test('lineDiff() returns removed and added lines with two lines of context', () => {
  assert.deepEqual(printed('a\nb\nc\nd\ne', 'a\nb\nC\nd\ne'), [[1, ' a| b|-c|+C| d| e']]);
  assert.deepEqual(printed('a\nb\nc\nd', 'a\nb\nc\nd'), []);
  assert.deepEqual(printed('1\n2\n3\n4\n5\n6\n7\n8\n9', '1\n3\n4\n5\n6\n7\n9'), [
    [1, ' 1|-2| 3| 4'],
    [6, ' 6| 7|-8| 9'],
  ]);
});

test('lineDiff() returns edits that turn the old text into the new one', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const result: string[] = [];
      let at = 0;
      for (const { line, lines } of lineDiff(before.join('\n'), after.join('\n'))) {
        while (at < line - 1) result.push(before[at++] ?? '');
        for (const { sign, text: content } of lines) {
          if (sign !== '+') assert.equal(before[at++] ?? '', content);
          if (sign !== '-') result.push(content);
        }
      }
      result.push(...before.slice(at));
      assert.equal(result.join('\n'), after.join('\n'));
    }),
    { numRuns: 2000 },
  );
});
