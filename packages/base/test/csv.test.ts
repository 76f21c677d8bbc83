import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvRow, csvText } from '../csv.ts';

test('csvText() quotes fields as RFC 4180 requires, and rounds floating-point noise', () => {
  assert.equal(
    csvText([['a,b', 'say "hi"', 'x\ny,', undefined, 0.1 + 0.2, 1_073_741_824]]),
    '"a,b","say ""hi""","x\\u{a}y,",,0.3,1073741824\r\n',
  );
});

test('csvRow() prefixes text that begins like a formula with an apostrophe', () => {
  assert.equal(csvRow(['=1+1', '+1', '@a', '-x', '-', 'a=b', -1]), "'=1+1,'+1,'@a,'-x,-,a=b,-1");
});
