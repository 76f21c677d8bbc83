/** Configurations of LiteSpeed in a directory, in the documented formats. The program itself is not there. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findWebPrograms } from '../../../src/web/io/find-programs.ts';
import { readLiteSpeed } from '../../../src/web/io/litespeed.ts';
import type { ReadWeb } from '../../../src/web/io/servers.ts';

export type Files = Readonly<Record<string, string>>;

const serverRoot = '/usr/local/lsws';
export const main = `${serverRoot}/conf/httpd_config.conf`;
export const mainXml = `${serverRoot}/conf/httpd_config.xml`;

/** Writes files below a directory that holds the host's file system. */
export function writeFiles(root: string, files: Files): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** Installs the program of an edition, under its own name, and the link to it that is started. */
export function install(root: string, name: string): void {
  const started = join(root, `${serverRoot}/bin/lshttpd`);
  writeFiles(root, { [`${serverRoot}/bin/${name}`]: '' });
  rmSync(started, { force: true });
  symlinkSync(name, started);
}

/** Reads LiteSpeed's configuration below the directory, as the edition whose main file is among the files. */
export function readAt(root: string, files: Files): Promise<ReadWeb> {
  install(root, main in files ? 'openlitespeed' : 'lshttpd.6.3');
  return readInstalled(root, files);
}

/** Reads LiteSpeed's configuration, with the program that is there. */
export function readInstalled(root: string, files: Files): Promise<ReadWeb> {
  writeFiles(root, files);
  const { liteSpeed } = findWebPrograms(root);
  if (liteSpeed === undefined) throw new Error('LiteSpeed was not found');
  return readLiteSpeed(liteSpeed);
}

/** A server with one shared lsphp, and the virtual hosts that are added. */
export const server = (more: string): string => `# a comment
serverName            web1.example
user                  nobody
group                 nogroup

tuning{
  maxConnections      2000
}

CGIRLimit {
  maxCGIInstances     20
  minUID              1000
}

extProcessor lsphp {
  type                lsapi
  address             uds://tmp/lshttpd/lsphp.sock
  maxConns            35
  env                 PHP_LSAPI_CHILDREN=35
  autoStart           1
  path                $SERVER_ROOT/fcgi-bin/lsphp
}

scriptHandler{
  add lsapi:lsphp     php
}
${more}`;
