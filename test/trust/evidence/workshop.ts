/** Makes the modules of the cases as files: built, changed, signed, packed into packages. */
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildModules } from '../../../src/testing/oracle/build.ts';
import { append, applyEdits, signature } from '../../../src/testing/oracle/edits.ts';
import type { KernelFiles } from '../../../src/testing/oracle/kernel-files.ts';
import { succeed } from '../../../src/testing/vm/command.ts';
import { decompress } from '../../../src/trust/decompress.ts';
import { signedBase } from '../../modules/family/steps.ts';
import type { Subject } from './cases.ts';

const sources = import.meta.dirname;
const mostModuleBytes = 64 * 2 ** 20;
/** The code of the blob, as a compiler makes it that was not asked for anything a kernel needs. */
const blobOptions = ['-O2', '-fno-pic', '-mcmodel=kernel', '-mno-sse', '-x', 'c', '-c'];

export interface Workshop {
  /** The sources of all modules. */
  readonly source: string;
  /** The same with a byte of the honest module changed. */
  readonly changed: string;
  readonly certificate: Uint8Array;
  /** Where the file is, or the package that it is in. */
  readonly place: (subject: Subject) => Promise<string>;
}

export async function openWorkshop(kernel: KernelFiles, scratch: string): Promise<Workshop> {
  const source = await prepareSources(scratch);
  const changed = await changeSources(source, scratch);
  const bases = await buildModules(kernel, source, scratch);
  bases.set(signedBase, await debianModule(kernel));
  const signers = {
    given: await makeSigner(scratch, 'given'),
    unknown: await makeSigner(scratch, 'unknown'),
  };
  let count = 0;
  const place = async (subject: Subject): Promise<string> => {
    const base = bases.get(subject.base);
    if (base === undefined) throw new Error(`There is no module "${subject.base}"`);
    const folder = join(scratch, 'cases', String(++count));
    const module = applyEdits(base, subject.edits);
    const bytes = subject.signed === undefined ? module : await signers[subject.signed](module);
    const below = subject.packaged === undefined ? folder : join(folder, 'usr/lib/modules/x');
    const file = join(below, `${subject.fileName ?? subject.base}.ko`);
    await write(file, bytes);
    return subject.packaged === undefined ? file : makePackage(folder, subject.packaged);
  };
  const certificate = new Uint8Array(await readFile(join(scratch, certificateName('given'))));
  return { source, changed, certificate, place };
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** The sources, with what cannot be kept as text: a compiled object, data, and tables. */
async function prepareSources(scratch: string): Promise<string> {
  const folder = join(scratch, 'source');
  await cp(sources, folder, { recursive: true });
  const bytes = noise(20 * 1024);
  await write(join(folder, 'dense.h'), `${bytes.join(', ')}\n`);
  await write(join(folder, 'table.h'), `${bytes.map((byte) => byte & 15).join(', ')}\n`);
  await write(join(folder, 'payload.bin'), 'What a device is given to run');
  const payload = ['ld', '-r', '-b', 'binary', '-o', 'payload.o_shipped', 'payload.bin'];
  await succeed('link the data', payload, { cwd: folder });
  // Another compiler than that of the kernel leaves one more sign; where there is none, two are left.
  const other = existsSync('/usr/bin/gcc-12') ? 'gcc-12' : 'gcc-14';
  await compileBlob(folder, 'blob', [other]);
  await compileBlob(folder, 'blob_same', ['gcc-14']);
  await compileBlob(folder, 'blob_quiet', ['gcc-14', '-fno-asynchronous-unwind-tables']);
  await answerFor(folder, 'payload');
  return folder;
}

async function compileBlob(folder: string, name: string, compiler: string[]): Promise<void> {
  const argv = [...compiler, ...blobOptions, '-o', `${name}.o_shipped`, 'blob.c.txt'];
  await succeed('compile the blob', argv, { cwd: folder });
  await answerFor(folder, name);
}

/** The build asks how each object was made; vendors answer so. */
const answerFor = (folder: string, name: string) => write(join(folder, `.${name}.o.cmd`), '');

/** Bytes without any order, the same each time. */
function noise(count: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(count / 32) }, (_, block) =>
    createHash('sha256').update(String(block)).digest(),
  );
  return new Uint8Array(Buffer.concat(blocks).subarray(0, count));
}

async function changeSources(source: string, scratch: string): Promise<string> {
  const folder = join(scratch, 'changed');
  await cp(source, folder, { recursive: true });
  const file = join(folder, 'honest_part.c');
  await write(file, (await readFile(file, 'utf8')).replace('* 3', '* 4'));
  return folder;
}

async function debianModule(kernel: KernelFiles): Promise<Uint8Array> {
  const stored = await readFile(join(kernel.modules, `kernel/fs/nls/${signedBase}.ko.xz`));
  const bytes = decompress(new Uint8Array(stored), 'xz', mostModuleBytes);
  if (!bytes.ok) throw new Error(bytes.error);
  return bytes.value;
}

const certificateName = (whose: string) => `${whose}.certificate`;

/** As the kernel's own program for it does: PKCS#7 without attributes. */
async function makeSigner(scratch: string, whose: string) {
  const [key, certificate] = [`${whose}.key`, certificateName(whose)];
  const made = ['-newkey', 'rsa:2048', '-nodes', '-days', '10', '-subj', `/CN=Maker, ${whose}`];
  const request = ['openssl', 'req', '-x509', ...made, '-keyout', key, '-out', certificate];
  await succeed('make a key', request, { cwd: scratch });
  const options = ['-binary', '-noattr', '-nosmimecap', '-md', 'sha256', '-outform', 'DER'];
  return async (bytes: Uint8Array): Promise<Uint8Array> => {
    await writeFile(join(scratch, 'to-sign'), bytes);
    const ends = ['-signer', certificate, '-inkey', key, '-in', 'to-sign', '-out', 'message'];
    const argv = ['openssl', 'cms', '-sign', ...options, ...ends];
    await succeed('sign a module', argv, { cwd: scratch });
    const message = new Uint8Array(await readFile(join(scratch, 'message')));
    return applyEdits(bytes, [append(signature(message))]);
  };
}

async function makePackage(folder: string, licence: string): Promise<string> {
  const control = [
    'Package: evidence',
    'Version: 1.0',
    'Architecture: amd64',
    'Maintainer: Nobody <nobody@example.org>',
    'Description: a module in a package',
  ];
  await write(join(folder, 'DEBIAN/control'), `${control.join('\n')}\n`);
  const copyright = [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    '',
    'Files: *',
    'Copyright: 2026 Nobody',
    `License: ${licence}`,
  ];
  await write(join(folder, 'usr/share/doc/evidence/copyright'), `${copyright.join('\n')}\n`);
  const file = `${folder}.deb`;
  await succeed('make a package', ['dpkg-deb', '--root-owner-group', '--build', folder, file]);
  return file;
}
