/** Values that setLimits() writes, and their places. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EditTarget } from '../../src/policy/edit.ts';
import { defaults, pack, policy, reseller, set, tenant } from './edit-targets.ts';

describe('setLimits() with a value', () => {
  const rows: readonly (readonly [string, EditTarget, string, string, string])[] = [
    [
      'a value in place, whatever its quotes',
      tenant('a'),
      'cpu=150%',
      policy(`<tenant user='a'><cpu weight="5"  limit = '1 core' /></tenant>`),
      policy(`<tenant user='a'><cpu weight="5"  limit = '150%' /></tenant>`),
    ],
    [
      'an attribute after the others',
      tenant('a'),
      'memory.soft=3GiB',
      policy('  <tenant user="a"><memory limit="4GiB"/></tenant>'),
      policy('  <tenant user="a"><memory limit="4GiB" soft="3GiB"/></tenant>'),
    ],
    [
      'an attribute in its own line, where the others have theirs',
      tenant('a'),
      'io.writes=5/s',
      policy('  <tenant user="a">', '    <io', '      read="1MiB/s"', '    />', '  </tenant>'),
      policy(
        '  <tenant user="a">',
        '    <io',
        '      read="1MiB/s"',
        '      writes="5/s"',
        '    />',
        '  </tenant>',
      ),
    ],
    [
      'into a self-closing element',
      tenant('a'),
      'cpu=150% memory=2GiB package=p',
      policy('    <package name="p"/>', '    <tenant user="a" />'),
      policy(
        '    <package name="p"/>',
        '    <tenant user="a" package="p">',
        '        <cpu limit="150%"/>',
        '        <memory limit="2GiB"/>',
        '    </tenant>',
      ),
    ],
    [
      'a limit in the order of the table, after the comment of the one before',
      defaults,
      'memory=1GiB',
      policy(
        '\t<defaults>',
        '\t\t<cpu limit="1%"/> <!-- c -->',
        '\t\t<io read="1MiB/s"/>',
        '\t</defaults>',
      ),
      policy(
        '\t<defaults>',
        '\t\t<cpu limit="1%"/> <!-- c -->',
        '\t\t<memory limit="1GiB"/>',
        '\t\t<io read="1MiB/s"/>',
        '\t</defaults>',
      ),
    ],
    [
      'not between a comment and what it is about',
      defaults,
      'cpu=5%',
      policy('  <defaults>', '    <!-- m -->', '    <memory limit="1GiB"/>', '  </defaults>'),
      policy(
        '  <defaults>',
        '    <!-- m -->',
        '    <memory limit="1GiB"/>',
        '    <cpu limit="5%"/>',
        '  </defaults>',
      ),
    ],
    [
      'a limit of a reseller before its tenants',
      reseller('r'),
      'cpu=5%',
      policy('  <reseller user="r"> <!-- r -->', '    <tenant user="a"/>', '  </reseller>'),
      policy(
        '  <reseller user="r"> <!-- r -->',
        '    <cpu limit="5%"/>',
        '    <tenant user="a"/>',
        '  </reseller>',
      ),
    ],
    [
      'a tenant inside a reseller',
      tenant('a'),
      'cpu=5%',
      policy('  <reseller user="r">', '    <tenant user="a"/>', '  </reseller>'),
      policy(
        '  <reseller user="r">',
        '    <tenant user="a">',
        '      <cpu limit="5%"/>',
        '    </tenant>',
        '  </reseller>',
      ),
    ],
    [
      'a new tenant after the others, as they are spaced',
      tenant('b'),
      'cpu=5%',
      policy(
        '  <defaults/>',
        '',
        '  <tenant user="a"/>',
        '',
        '  <symlinks follow="owner-match" by="w"/>',
      ),
      policy(
        '  <defaults/>',
        '',
        '  <tenant user="a"/>',
        '',
        '  <tenant user="b">',
        '    <cpu limit="5%"/>',
        '  </tenant>',
        '',
        '  <symlinks follow="owner-match" by="w"/>',
      ),
    ],
    [
      'new elements into an empty policy',
      pack('p'),
      'entries=5',
      '<bulkhead version="1"/>',
      '<bulkhead version="1">\n  <package name="p">\n    <entries limit="5"/>\n  </package>\n</bulkhead>',
    ],
    [
      'new defaults after the tenants',
      defaults,
      'cpu=5%',
      policy('  <tenants uids="1000-2000"/>', '  <tenant user="a"/>'),
      policy(
        '  <tenants uids="1000-2000"/>',
        '  <defaults>',
        '    <cpu limit="5%"/>',
        '  </defaults>',
        '  <tenant user="a"/>',
      ),
    ],
    [
      'in one line, where all is in one line',
      tenant('a'),
      'memory=1GiB',
      '<bulkhead version="1"> <tenant user="a"> <cpu limit="1%"/> </tenant> </bulkhead>',
      '<bulkhead version="1"> <tenant user="a"> <cpu limit="1%"/> <memory limit="1GiB"/> </tenant> </bulkhead>',
    ],
    [
      'over a value that is wrong',
      tenant('a'),
      'cpu=5%',
      policy(
        '<tenant user="a"><cpu limit="lots"/></tenant>',
        '<tenant user="b"><cpu limit="x"/></tenant>',
      ),
      policy(
        '<tenant user="a"><cpu limit="5%"/></tenant>',
        '<tenant user="b"><cpu limit="x"/></tenant>',
      ),
    ],
  ];
  for (const [name, target, words, before, after] of rows) {
    test(`setLimits() writes ${name}`, () => {
      assert.equal(set(before, target, words), after);
      const crlf = (text: string) => text.replaceAll('\n', '\r\n');
      if (before.includes('\n')) assert.equal(set(crlf(before), target, words), crlf(after));
      if (before.includes('\n'))
        assert.equal(set('\uFEFF' + before, target, words), '\uFEFF' + after);
    });
  }
});
