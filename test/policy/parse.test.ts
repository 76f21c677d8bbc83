import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDiagnostic } from '../../src/policy/diagnostic.ts';
import { parsePolicy } from '../../src/policy/parse.ts';

const problems = (text: string) =>
  parsePolicy('p.xml', text).diagnostics.list.map(formatDiagnostic);
const inside = (body: string) => problems(`<bulkhead version="1">${body}</bulkhead>`);

test('parsePolicy() accepts the whole language', () => {
  assert.deepEqual(
    problems(`<?xml version="1.0" encoding="UTF-8"?>
<bulkhead version="1">
  <host driver="cgroup2"/>
  <agent interval="10s" containers="move" listen="127.0.0.1:9640" token="/etc/bulkhead/token">
    <history detail="2 days" summary="400 days" incidents="30 days" space="1GiB"/>
    <alerts from="bulkhead@example.org" smtp="localhost:25">
      <mail to="administrator" address="ops@example.org" severity="throttled" every="1h" faults="5"/>
      <mail to="tenant" limits="memory, processes io.read"/>
      <webhook to="reseller" url="https://example.org/%u"/>
    </alerts>
  </agent>
  <tenants uids="1000-59999" except="deploy backup" package="starter"/>
  <defaults><cpu limit="100%" weight="100"/><memory limit="1GiB"/>
    <io read="10MiB/s" write="10MiB/s" reads="1000/s" writes="1000/s"/>
    <processes limit="100"/><entries limit="20"/></defaults>
  <package name="business"><disk space="50GiB" files="500000"/><memory soft="3GiB"/></package>
  <package name="starter"><network send="1MB/s"/></package>
  <reseller user="acme" package="business"><cpu limit="400%"/><tenant user="bob"/></reseller>
  <tenant user="alice" package="business"><cpu limit="3 cores" burst="50%"/></tenant>
  <tenant uid="5000">
    <site name="shop.example"><cpu limit="50%"/><memory limit="512MiB"/><entries limit="5"/></site>
    <site name="192.0.2.7"/><site name="my_old-shop.xn--bcher-kva.example"/>
  </tenant>
  <symlinks follow="owner-match" by="www-data"/>
  <modules require="consistent"><deny name="lve" reason="claims GPL, no source"/></modules>
</bulkhead>`),
    [],
  );
});

test('parsePolicy() reports the mistakes of a large text each time it is parsed', () => {
  const tenants = Array.from({ length: 4_000 }, (_, index) => `<tenant user="user${index}"/>`);
  const text = `<bulkhead version="1">${tenants.join('\n')}-->\n</bulkhead>`;
  const first = parsePolicy('p.xml', text);
  const second = parsePolicy('p.xml', text);
  assert.deepEqual(second.diagnostics.list, first.diagnostics.list);
  assert.match(first.diagnostics.list.map(formatDiagnostic).join(), /Text is not allowed here/);
  assert.ok(first.document !== undefined && first.document.text.length > 2 ** 16);
});

test('parsePolicy() accepts and suggests alert words that are not limits', () => {
  const rule = (limits: string) => {
    const body = `<agent><alerts><mail to="tenant" limits="${limits}"/></alerts></agent>`;
    const text = `<bulkhead version="1">${body}</bulkhead>`;
    const words = new Map([['bell', ['bell.rings'] as const]]);
    const { document, diagnostics } = parsePolicy('p', text, words);
    const problems = diagnostics.list.map(({ message }) => message);
    return [document?.agent?.alerts.rules[0]?.limits, problems];
  };
  assert.deepEqual(rule('cpu, bell'), [['cpu.limit', 'bell.rings'], []]);
  assert.deepEqual(rule('bel'), [[], ['There is no limit "bel"; did you mean "bell"?']]);
  assert.deepEqual(rule('constructor'), [[], ['There is no limit "constructor"']]);
});

const cases: readonly (readonly [body: string, expected: RegExp])[] = [
  [
    '<tenat user="a"/>',
    /1:23: error: <tenat> is not known inside <bulkhead>; did you mean "tenant"\?/,
  ],
  ['<tenant user="a" pakage="x"/>', /has no attribute "pakage"; did you mean "package"\?/],
  ['<tenant/>', /needs the attribute "user"/],
  ['<site name="a.example"/>', /<site> is not known inside <bulkhead>/],
  ['<reseller user="a"><site name="a.example"/></reseller>', /not known inside <reseller>/],
  ['<tenant user="a"><site/></tenant>', /<site> needs the attribute "name"/],
  [
    '<tenant user="a"><site name="a.example"><disk space="1GiB"/></site></tenant>',
    /1:63: error: <disk> cannot be inside <site>: quotas belong to an account; set <disk> for the tenant/,
  ],
  [
    '<tenant user="a"><site name="a.example" package="b"/></tenant>',
    /<site> has no attribute "package"/,
  ],
  [
    `<tenant user="a"><site name="${'a.'.repeat(126)}bc"/></tenant>`,
    /The name of a site has 253 characters at most/,
  ],
  ...[
    '',
    '.',
    '..',
    '../main',
    'a/b',
    'a..b',
    '.a',
    'a.',
    '-a',
    'a-',
    'a b',
    ' a',
    'a\\b',
    '~a',
    '*.example',
    'bücher.example',
    'a:80',
    '[::1]',
    'a%2fb',
    '$(id)',
    'a;b',
    `${'a'.repeat(64)}.b`,
  ].map(
    (name) =>
      [`<tenant user="a"><site name="${name}"/></tenant>`, /" is not a host name; write/] as const,
  ),
  ['<tenant user="a" uid="5"/>', /has both "user" and "uid"/],
  ['<tenant user="a b"/>', /"a b" cannot be the name of an account/],
  ['<tenant uid="-1"/>', /"-1" is not a uid/],
  ['<tenant uid="4294967295"/>', /is not a uid/],
  [
    '<defaults><cpu limit="100"/></defaults>',
    /The cpu limit "100" is not a share of a core; write "100%"/,
  ],
  ['<defaults><cpu limit="-5%"/></defaults>', /is negative/],
  ['<defaults><cpu limit="0%"/></defaults>', /too small; the minimum is "1%", or "unlimited"/],
  ['<defaults><cpu weight="unlimited"/></defaults>', /cannot be "unlimited"/],
  ['<defaults><memory limit="99999999TiB"/></defaults>', /larger than any host/],
  ['<defaults><memory/></defaults>', /<memory> limits nothing/],
  ['<defaults><memory limit="1GiB"><x/></memory></defaults>', /is not known inside <memory>/],
  ['<defaults/><defaults/>', /<defaults> occurs twice/],
  ['<tenants uids="9-5"/>', /is backwards; write "5-9"/],
  ['<tenants uids="0-5"/>', /includes uid 0, which is root/],
  ['<tenants uids="x"/>', /is not a range of uids/],
  ['<agent interval="0.1s"/>', /The interval "0.1s" is out of range; it may be from "1s" to "1h"/],
  ['<agent interval="5"/>', /"5" is not a duration; write for example "5s"/],
  ['<agent containers="mvoe"/>', /"mvoe" is not one of leave, move; did you mean "move"/],
  ['<agent listen="0.0.0.0:1" token="/t"/>', /"0.0.0.0" is not a loopback address/],
  ['<agent listen="127.0.0.1:9640"/>', /"listen" needs the attribute "token"/],
  ['<agent listen="localhost" token="/t"/>', /"localhost" is not HOST:PORT/],
  ['<agent token="t"/>', /"t" is not an absolute path/],
  ['<agent><history space="1MiB"/></agent>', /"1MiB" is too small; the minimum is "16MiB"/],
  ['<agent><alerts><mail to="me"/></alerts></agent>', /"me" is not one of administrator/],
  ['<agent><alerts><mail/></alerts></agent>', /<mail> needs the attribute "to"/],
  [
    '<agent><alerts><mail to="tenant" limits="memroy"/></alerts></agent>',
    /There is no limit "memroy"; did you mean "memory/,
  ],
  [
    '<agent><alerts><mail to="tenant" limits="cpu protection"/></alerts></agent>',
    /"protection" is about the host: only a rule with to="administrator" can have it/,
  ],
  [
    '<agent><alerts><mail to="administrator" limits="protecton"/></alerts></agent>',
    /There is no limit "protecton"; did you mean "protection"/,
  ],
  ['<agent><alerts><mail to="tenant" faults="0"/></alerts></agent>', /"0" is not a whole number/],
  [
    '<agent><alerts><webhook to="tenant" url="file:///x"/></alerts></agent>',
    /"file:\/\/\/x" is not a URL/,
  ],
  [
    '<agent><alerts><mail to="tenant" address="a@b\u0009c"/></alerts></agent>',
    /is not a mail address/,
  ],
  ['<tenants/>', /needs the attribute "uids"/],
  ['<host driver="systemdd"/>', /is not one of cgroup1, cgroup2, systemd; did you mean "systemd"/],
  ['<package/>', /needs the attribute "name"/],
  ['words', /Text is not allowed here: "words"/],
  ['<![CDATA[x]]>', /Text is not allowed/],
  ['<tenant user="a">&nope;</tenant>', /undefined entity/],
];

for (const [body, expected] of cases) {
  test(`parsePolicy() refuses ${body}`, () => assert.match(inside(body).join('\n'), expected));
}

test('parsePolicy() places long names and texts of one letter, whatever is around them', () => {
  const long = 'x'.repeat(4_000_000);
  const places = (body: string) => inside(body).map((each) => /^p\.xml:(\d+:\d+):/.exec(each)?.[1]);
  assert.deepEqual(places(`<defaults>\n<cpu\n  ${long} \n = 'x=x' /></defaults>`), ['3:3']);
  assert.deepEqual(places(`\n${long}&lt;x\n\n`), ['2:1']);
  assert.deepEqual(places(`\n x &gt; x <!-- x --> <![CDATA[\n x]]>`), ['2:2', '2:22']);
});

test('parsePolicy() reports all errors of a file at once', () => {
  assert.equal(inside('<x/><defaults><cpu limit="1"/></defaults><tenant/>').length, 3);
});

test('parsePolicy() refuses document types, entities, other encodings and other documents', () => {
  const bomb =
    '<!DOCTYPE b [<!ENTITY a "x"><!ENTITY c "&a;&a;&a;">]><bulkhead version="1">&c;</bulkhead>';
  assert.match(problems(bomb).join(), /1:1: error: A document type declaration is not allowed/);
  const external = '<?xml version="1.0"?>\n<!DOCTYPE b SYSTEM "file:///etc/shadow"><b/>';
  assert.match(problems(external).join(), /2:1: error: A document type declaration/);
  assert.match(problems('').join(), /must contain a root element/);
  assert.match(problems('<lveconfig/>').join(), /this is a ve\.cfg/);
  assert.match(
    problems('<bulkhead version="2"/>').join(),
    /Version "2" of the language is not known/,
  );
  assert.match(
    problems('<?xml version="1.1"?><bulkhead version="1"/>').join(),
    /p\.xml:1:1: error: The file declares XML 1\.1; declare version="1\.0"$/,
  );
  assert.match(
    problems('<?xml version="1.0" encoding="latin1"?><bulkhead version="1"/>').join(),
    /declares the encoding "latin1"/,
  );
});

test('parsePolicy() refuses elements nested deeper than 16', () => {
  assert.match(inside('<a>'.repeat(10_000)).join(), /nested deeper than 16/);
});

test('parsePolicy() gives line and column after multi-byte text and a byte order mark', () => {
  const text = '\uFEFF<bulkhead version="1"><!-- é😀 -->\r\n\t<x/></bulkhead>';
  assert.match(problems(text).join(), /^p\.xml:2:2: error: <x>/);
});

test('formatDiagnostic() escapes control characters', () => {
  assert.match(
    inside('<tenant user="&#x1b;[2Ja"/>'.replace('&#x1b;', '\u009b')).join(),
    /\\u\{9b\}/,
  );
});

test('parsePolicy() never throws, and what it accepts has a root', () => {
  const pieces = fc.constantFrom(
    '<',
    '>',
    '"',
    "'",
    '/',
    '=',
    'bulkhead',
    'tenant',
    ' ',
    'version="1"',
    '&',
    ';',
    '<!--',
    '-->',
    '\n',
    'é',
    '<![CDATA[',
    '<?',
    '?>',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (words) => {
      const { document, diagnostics } = parsePolicy('x', words.join(''));
      assert.ok(document !== undefined || diagnostics.failed);
    }),
    { numRuns: 2000 },
  );
});
