/**
 * Programs that Node.js has compiled in guests, for guests that start later: on an emulated processor the first commands
 * would compile for half a minute what an earlier guest has compiled.
 *
 *   node_modules/.cache/guest-compiled/KEY/PROCESS-NUMBER.tar   the files that one guest added to its cache
 *
 * KEY is of the image, which decides Node.js and the processor, and of the sources. An archive gets its name last, so each
 * is whole. Node.js compares what it finds with the source before it uses it: a test may change the program in its guest.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Guest } from './guest.ts';
import type { Image } from './image.ts';
import { hashOfSources } from './installed.ts';
import { projectDirectory } from './project.ts';

/** Node's cache in a guest; guest-files/root/etc/ssh/guest_control_config names it, too. */
const inGuest = '/var/cache/node-compile';
const ending = '.tar';
const store = join(projectDirectory, 'node_modules/.cache/guest-compiled');

/** Returns the directory of the archives for guests of an image with the present sources, and removes those of others. */
export async function compiledDirectory(image: Image): Promise<string> {
  const key = `${basename(image.directory)}-${await hashOfSources()}`;
  const others = (await namesIn(store)).filter((name) => name !== key);
  for (const name of others) await rm(join(store, name), { recursive: true, force: true });
  return join(store, key);
}

/** Gives a guest what others compiled, and returns how many archives there were. */
export async function giveCompiled(guest: Guest, directory: string): Promise<number> {
  const names = (await namesIn(directory)).filter((name) => name.endsWith(ending));
  const archives = await Promise.all(names.map((name) => readFile(join(directory, name))));
  // What is newer than the mark was compiled in this guest.
  const unpack = `mkdir -p ${inGuest} && cd ${inGuest} && tar -x --ignore-zeros; touch given`;
  await guest.succeed(unpack, { input: Buffer.concat(archives) });
  return names.length;
}

/** Keeps what was compiled in a guest since it was given what others had. */
export async function keepCompiled(guest: Guest, directory: string): Promise<void> {
  const archive = '/tmp/compiled.tar';
  const packed = await guest.succeed(
    `cd ${inGuest} && find . -type f -newer given -print0 > /tmp/compiled && [ -s /tmp/compiled ] || exit 0
     tar -c -f ${archive} --null -T /tmp/compiled && base64 -w0 ${archive} && rm ${archive}`,
  );
  if (packed === '') return;
  await mkdir(directory, { recursive: true });
  const name = join(directory, `${process.pid}-${++kept}`);
  await writeFile(name, Buffer.from(packed, 'base64'));
  await rename(name, `${name}${ending}`);
}

let kept = 0;

const namesIn = async (directory: string): Promise<string[]> =>
  existsSync(directory) ? (await readdir(directory)).sort() : [];
