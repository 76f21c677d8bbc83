/** Hostile files in LiteSpeed's configuration: a tenant may be able to write the file of its virtual host. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { parsePlain } from '../../src/web/core/litespeed/plain.ts';
import { parseLiteSpeedXml } from '../../src/web/core/litespeed/xml.ts';
import { mustEnd } from '../../testing/patience.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { main, readAt, writeFiles } from '../web/litespeed/stage.ts';

const skip = process.geteuid?.() !== 0 && 'needs root';
const own = '/home/shop/conf/vhconf.conf';
const host = `virtualHost shop {\n  vhRoot /home/shop\n  configFile HOME${own}\n}\n`;
const config = 'docRoot html\nvhDomain victim.example\nextUser victim\n';

describe("a tenant's file in LiteSpeed's configuration", { skip }, () => {
  let root = '';
  beforeEach((t) => {
    root = testDirectory(t, 'litespeed');
  });

  const read = () =>
    readAt(root, { [main]: host.replace('HOME', root) }).then(({ sites, problems }) => ({
      names: sites.flatMap(({ names }) => names),
      problems: problems.map(({ message, file }) => `${file?.slice(root.length)}: ${message}`),
    }));

  test("is not read if it is the tenant's, in a directory of the tenant's, or open to others", async () => {
    const owned = (path: string) => {
      writeFiles(root, { [own]: config });
      chownSync(join(root, path), 1001, 1001);
    };
    const claim = `${own}: uid 1001 could claim any site with it; give it and all directories above it to root`;
    owned(own);
    assert.deepEqual(await read(), { names: [], problems: [claim] });
    chownSync(join(root, own), 0, 0);
    owned('/home/shop/conf');
    assert.deepEqual(await read(), { names: [], problems: [claim] });
    chownSync(join(root, '/home/shop/conf'), 0, 0);
    assert.deepEqual(await read(), { names: ['victim.example'], problems: [] });
    chmodSync(join(root, own), 0o666);
    const { names, problems } = await read();
    assert.deepEqual([names, problems.length], [[], 1]);
    assert.match(problems[0] ?? '', /others could claim any site with it/);
  });

  test('makes nobody wait or read without end', async () => {
    writeFiles(root, { [own]: config });
    for (const plant of [
      () => execFileSync('mkfifo', [join(root, own)]),
      () => symlinkSync('/dev/zero', join(root, own)),
      () => symlinkSync('vhconf.conf', join(root, own)),
      () => execFileSync('truncate', ['-s', '1G', join(root, own)]),
    ]) {
      rmSync(join(root, own), { force: true });
      plant();
      const { names, problems } = await read();
      assert.deepEqual([names, problems.length], [[], 1]);
    }
  });

  test('that includes itself ends', async () => {
    const { problems } = await readAt(root, { [main]: 'include httpd_config.conf\n' });
    assert.match(problems[0]?.message ?? '', /more than 10 files include each other/);
    const twice = 'include httpd_config.conf\n'.repeat(20);
    const again = await readAt(root, { [main]: twice });
    assert.equal(again.problems.length, 1);
    // No file includes itself, and there would be a billion.
    const names = Array.from({ length: 9 }, (_, index) => `/usr/local/lsws/conf/${index}.conf`);
    const chain = names.map((name, index) => [name, `include ${index + 1}.conf\n`.repeat(10)]);
    const many = { ...Object.fromEntries(chain), [main]: 'include 0.conf\n' };
    const { problems: found } = await readAt(root, {
      ...many,
      '/usr/local/lsws/conf/9.conf': 'a 1\n',
    });
    assert.deepEqual(
      found.map(({ message }) => message),
      ['there are more than 20000 includes'],
    );
  });

  test("costs one question in a tenant's directory, however many names are there", async () => {
    const names = Array.from({ length: 30 }, (_, index) => `/home/shop/conf/${index}.conf`);
    writeFiles(root, Object.fromEntries(names.map((name) => [name, 'vhDomain victim.example\n'])));
    chownSync(join(root, '/home/shop'), 1001, 1001);
    for (const [include, where] of [
      ['home/shop/conf/*.conf', '/home/shop/conf'],
      ['home/shop/conf', '/home/shop/conf'],
      ['home/*/conf/*.conf', '/home/*/conf/*.conf'],
    ] as const) {
      const { problems } = await readAt(root, { [main]: `include ${root}/${include}\n` });
      assert.deepEqual(
        problems.map(({ file }) => file),
        [root + where],
      );
    }
  });

  test('ends the reading and the list of problems at a limit', async () => {
    // None is a file that would be read.
    const many = join(root, 'usr/local/lsws/conf/many');
    mkdirSync(many, { recursive: true });
    for (let index = 0; index < 1000; index++) symlinkSync('nowhere', join(many, `${index}.conf`));
    const often = await readAt(root, { [main]: 'include many/*.conf\n'.repeat(101) });
    assert.deepEqual(
      often.problems.map(({ message }) => message),
      ['it has more than 100000 files; the rest is not read'],
    );
    writeFiles(root, { [own]: config });
    chownSync(join(root, own), 1001, 1001);
    const hosts = await readAt(root, { [main]: host.replace('HOME', root).repeat(1500) });
    assert.equal(hosts.problems.length, 1001);
    assert.match(hosts.problems.at(-1)?.message ?? '', /more than 1000 problems/);
  });

  test('has names that no pattern takes long for', async () => {
    const files = {
      [main]: `include extra/${'*a'.repeat(40)}b\n`,
      [`/usr/local/lsws/conf/extra/${'a'.repeat(250)}`]: 'vhDomain a.example\n',
    };
    const { problems } = await mustEnd(() => readAt(root, files));
    assert.deepEqual(problems, []);
  });
});

const plain = (text: string) => parsePlain({ path: '/c.conf', text }, () => []);
const messages = ({ problems }: ReturnType<typeof plain>) => problems.map(({ message }) => message);

test('LiteSpeed configuration of any depth and length is bounded', () => {
  assert.match(messages(plain('a {\n'.repeat(100))).join(), /nested deeper than 32/);
  assert.match(messages(plain('a b\n'.repeat(600_000))).join(), /more than 500000 directives/);
  assert.match(messages(plain('}\n')).join(), /a brace closes no block/);
  assert.match(messages(plain('a {\n')).join(), /the block a is not closed/);
  assert.match(messages(plain('rules <<<END\nno end\n')).join(), /does not end/);
  const xml = (text: string) => messages(parseLiteSpeedXml('/c.xml', text)).join();
  assert.match(xml('<a>'.repeat(100)), /nested deeper than 32/);
  assert.match(xml(`<a>${'<b/>'.repeat(600_000)}</a>`), /more than 500000 elements/);
  assert.match(xml('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'), /document type declaration/);
  mustEnd(() => {
    plain(`${'<<'.repeat(2_000_000)}\n`);
    plain(`${'} '.repeat(2_000_000)}\n`);
    plain(`${'a '.repeat(2_000_000)}{\n`);
    plain('x \\\n'.repeat(400_000));
    plain(`x <<<e\n${'y\n'.repeat(400_000)}e\n`);
  });
});
