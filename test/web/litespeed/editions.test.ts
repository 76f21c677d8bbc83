/** Hosts on which LiteSpeed was replaced by its other edition, whose main file is still there. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { findWebPrograms } from '../../../src/web/io/find-programs.ts';
import { testDirectory } from '../../../testing/temporary-directory.ts';
import { install, main, mainXml, readInstalled, writeFiles, type Files } from './stage.ts';

const plain = { [main]: 'virtualHost a {\n  vhRoot /home/a\n  vhDomain plain.example\n}\n' };
const xml = {
  [mainXml]:
    '<a><virtualHostList><virtualHost><name>a</name><vhRoot>/home/a</vhRoot><vhDomain>xml.example</vhDomain></virtualHost></virtualHostList></a>',
};

describe('findLiteSpeed() returns the main file that the program reads', () => {
  let root = '';
  beforeEach((t) => {
    root = testDirectory(t, 'litespeed');
  });

  const read = async (files: Files = { ...plain, ...xml }) => {
    const { sites, problems } = await readInstalled(root, files);
    return { names: sites.flatMap(({ names }) => names), problems };
  };

  test('by the program to which bin/lshttpd leads', async () => {
    install(root, 'openlitespeed');
    assert.deepEqual(await read(), { names: ['plain.example'], problems: [] });
    // An installer leaves the other edition's program where it was.
    install(root, 'lshttpd.6.3.4');
    assert.deepEqual(await read(), { names: ['xml.example'], problems: [] });
    install(root, 'openlitespeed');
    assert.deepEqual(await read(), { names: ['plain.example'], problems: [] });
  });

  test('never from an edition that does not read it', () => {
    install(root, 'lshttpd.6.3.4');
    writeFiles(root, plain);
    assert.equal(findWebPrograms(root).liteSpeed, undefined);
  });

  test('from an OpenLiteSpeed that still has XML', async () => {
    install(root, 'openlitespeed');
    assert.deepEqual(await read(xml), { names: ['xml.example'], problems: [] });
  });

  test('reports both, and reads neither, if the program does not show its edition', async () => {
    const program = '/usr/local/lsws/bin/lshttpd';
    writeFiles(root, { [program]: '' });
    assert.deepEqual(await read(plain), { names: ['plain.example'], problems: [] });
    const message = `${root}${program} does not show whether it reads this file or ${root}${mainXml}; remove the one that it does not read`;
    assert.deepEqual(await read(), {
      names: [],
      problems: [{ file: root + main, message }],
    });
  });
});
