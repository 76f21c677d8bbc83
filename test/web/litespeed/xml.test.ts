/** Configurations of LiteSpeed Enterprise, which are XML. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { testDirectory } from '../../../testing/temporary-directory.ts';
import { mainXml, readAt } from './stage.ts';

const files = {
  [mainXml]: `<?xml version="1.0" encoding="UTF-8"?>
<httpServerConfig>
  <user>nobody</user>
  <bubbleWrap>1</bubbleWrap>
  <listenerList>
    <listener>
      <name>Default</name>
      <address>*:80</address>
      <vhostMapList>
        <vhostMap><vhost>shop</vhost><domain>shop.example, www.shop.example</domain></vhostMap>
      </vhostMapList>
    </listener>
  </listenerList>
  <virtualHostList>
    <virtualHost>
      <name>shop</name>
      <vhRoot>/home/shop</vhRoot>
      <configFile>$SERVER_ROOT/conf/shop.xml</configFile>
      <setUIDMode>0</setUIDMode>
    </virtualHost>
  </virtualHostList>
  <extProcessorList>
    <extProcessor>
      <type>lsapi</type>
      <name>lsphp5</name>
      <address>uds://tmp/lshttpd/lsphp5.sock</address>
      <maxConns>35</maxConns>
      <autoStart>1</autoStart>
      <path>$SERVER_ROOT/fcgi-bin/lsphp5</path>
    </extProcessor>
  </extProcessorList>
  <scriptHandlerList>
    <scriptHandler><suffix>php,php5</suffix><type>lsapi</type><handler>lsphp5</handler></scriptHandler>
  </scriptHandlerList>
  <security><CGIRLimit><minUID>11</minUID><cgroups>2</cgroups></CGIRLimit></security>
</httpServerConfig>
`,
  '/usr/local/lsws/conf/shop.xml': `<?xml version="1.0" encoding="UTF-8"?>
<virtualHostConfig>
  <docRoot>$VH_ROOT/public_html/</docRoot>
  <bubbleWrap>2</bubbleWrap>
  <extProcessorList>
    <extProcessor>
      <type>lsapi</type>
      <name>shopphp</name>
      <maxConns>8</maxConns>
      <path>/usr/local/lsws/lsphp84/bin/lsphp</path>
      <extUser>alice</extUser>
    </extProcessor>
  </extProcessorList>
  <scriptHandlerList>
    <scriptHandler><suffix>php</suffix><type>lsapi</type><handler>shopphp</handler></scriptHandler>
  </scriptHandlerList>
</virtualHostConfig>
`,
};

describe('readLiteSpeed() reads XML', () => {
  let root = '';
  beforeEach((t) => {
    root = testDirectory(t, 'litespeed');
  });

  test('virtual hosts, listeners, programs and containers', async () => {
    const { sites, problems } = await readAt(root, files);
    assert.deepEqual(problems, []);
    assert.deepEqual(sites, [
      {
        server: 'litespeed',
        names: ['shop.example', 'www.shop.example'],
        listen: ['*:80'],
        root: '/home/shop/public_html',
        handlers: [
          { kind: 'external', text: 'lsapi shopphp', user: 'alice' },
          { kind: 'external', text: 'lsapi lsphp5', user: 'nobody' },
        ],
        overrides: [],
        liteSpeed: {
          container: 'bubblewrap',
          cgroups: true,
          programs: [
            {
              name: 'shopphp',
              file: `${root}/usr/local/lsws/conf/shop.xml`,
              line: 6,
              requests: 8,
            },
            { name: 'lsphp5', file: `${root}${mainXml}`, line: 23, requests: 35 },
          ],
        },
        file: `${root}${mainXml}`,
        line: 15,
      },
    ]);
  });

  test('shows where XML is not well formed', async () => {
    const { sites, problems } = await readAt(root, { [mainXml]: '<httpServerConfig>\n<user>\n' });
    assert.deepEqual([sites, problems.length, problems[0]?.line], [[], 1, 3]);
    assert.match(problems[0]?.message ?? '', /^it is not valid XML: .*unclosed tag/);
  });
});
