/** Lines of ours in the administrator's files of vhosts: where they go, and that nothing else changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withLines, withoutLines } from '../../src/web/core/entries/vhost-lines.ts';

const about = '# By "bulkhead web entries enable --edit-vhosts"; "disable" removes it:';
const first = 'include /etc/nginx/bulkhead/site.conf;';
const second = 'include /etc/nginx/bulkhead/site-log.conf;';

for (const [what, text, line, expected] of [
  ['a server', 'server {\n  a;\n}\n', 1, `server {\n  ${about}\n  ${first}\n  a;\n}\n`],
  [
    'a brace of its own line',
    '# {\n server # {\n {\n\ta;\n}',
    2,
    `# {\n server # {\n {\n\t${about}\n\t${first}\n\ta;\n}`,
  ],
  ['an empty line', 'server {\n\n}\n', 1, `server {\n    ${about}\n    ${first}\n\n}\n`],
  [
    'carriage returns',
    'server {\r\n a;\r\n}\r\n',
    1,
    `server {\r\n ${about}\r\n ${first}\r\n a;\r\n}\r\n`,
  ],
  [
    'Apache',
    '<VirtualHost *:80 [::]:80>\n  A b\n</VirtualHost>\n',
    1,
    `<VirtualHost *:80 [::]:80>\n  ${about}\n  ${first}\n  A b\n</VirtualHost>\n`,
  ],
] as const) {
  test(`withLines() adds lines to ${what}, and withoutLines() removes them`, () => {
    const edited = withLines(text, [{ line, directive: first }]);
    assert.equal(edited, expected);
    assert.equal(withoutLines(edited), text);
  });
}

test('withLines() leaves text that it does not understand', () => {
  for (const text of ['server { a; }\n', 'server\n\n{\n', 'a;\n', '', '<VirtualHost *:80> A\n'])
    for (const line of [1, 9]) assert.equal(withLines(text, [{ line, directive: first }]), text);
});

test('withLines() changes several servers of a file, and replaces an earlier line', () => {
  const text = 'server {\n  a;\n}\nserver {\n  b;\n}\n';
  const edited = withLines(text, [
    { line: 1, directive: first },
    { line: 4, directive: first },
  ]);
  assert.equal(edited.split(first).length, 3);
  const changed = withLines(edited, [{ line: 6, directive: second }]);
  assert.equal(changed, edited.replace(/site\.conf(?![^]*site\.conf)/, 'site-log.conf'));
  assert.equal(withoutLines(changed), text);
});

test("withoutLines() keeps lines that only look like Bulkhead's", () => {
  const text = `server {\n  ${first}\n  # By "bulkhead web entries enable"\n  ${first}\n  ${about}\n  root /x;\n}\n`;
  assert.equal(withoutLines(text), text);
});
