/** `<console>`: what it means, and the mistakes in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse.ts';

function read(attributes: string) {
  const text = `<bulkhead version="1"><console ${attributes}/></bulkhead>`;
  const { document, diagnostics } = parsePolicy('p.xml', text);
  return {
    settings: document?.console,
    problems: diagnostics.list.map(({ message }) => message),
  };
}

const pair = 'certificate="/c.pem" key="/k.pem"';

test('<console> has names, origins and a listener with TLS', () => {
  assert.deepEqual(read(''), { settings: { names: [], frames: [] }, problems: [] });
  const whole = read(
    `names="limits.example, 192.0.2.1" frames="https://panel.example:2083" listen="[::]:843" ${pair}`,
  );
  assert.deepEqual(whole, {
    settings: {
      names: ['limits.example', '192.0.2.1'],
      frames: ['https://panel.example:2083'],
      tls: { listen: { host: '::', port: 843 }, certificate: '/c.pem', key: '/k.pem' },
    },
    problems: [],
  });
  assert.equal(read(`listen="localhost:843" ${pair}`).settings?.tls?.listen.host, '127.0.0.1');
});

test('<console> never listens without TLS, and says what is wrong', () => {
  const bad = (attributes: string, problem: RegExp) => {
    const { settings, problems } = read(attributes);
    assert.equal(settings?.tls, undefined, attributes);
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0] ?? '', problem);
  };
  bad('listen="0.0.0.0:843"', /"listen" needs "certificate" and "key"/);
  bad('key="/k.pem"', /"key" needs "listen" and "certificate"/);
  bad(`listen="limits.example:843" ${pair}`, /"limits\.example" is not an address/);
  bad('names="limits.example:843"', /is not the name of a host.*without a port/);
  bad('frames="http://panel.example"', /is not the origin of a page with TLS/);
  bad('frames="https://panel.example/x"', /is not the origin/);
  bad('frames="\'self\'"', /is not the origin/);
  bad('frame="https://panel.example"', /did you mean "frames"/);
});
