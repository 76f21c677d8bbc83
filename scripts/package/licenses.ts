/** The parts of a package that others have written, and their licenses: for `copyright`, the notices and the bill of materials. */
import { globSync, readFileSync } from 'node:fs';
import { root } from '../steps.ts';
import {
  fontPackage,
  koffiPackage,
  lockedPackage,
  nodePackage,
  packageDirectory,
  resvgPackage,
} from './runtime.ts';
import type { Build, Processor } from './tools.ts';

/** A package of npm that is in our package, whole or in part. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** Its SPDX expression. */
  readonly license: string;
  /** The lines that state the copyright. */
  readonly holders: readonly string[];
  /** The text of its license, word for word. */
  readonly notice: string;
  readonly integrity: string;
}

/** Returns the components, by name: what is bundled, and what is next to the bundles. */
export async function componentsOf(
  build: Build,
  processor: Processor,
  bundled: readonly string[],
): Promise<readonly Component[]> {
  const outside = ['koffi', koffiPackage(processor), nodePackage(processor)];
  const names = [...bundled, ...outside, resvgPackage, fontPackage].sort();
  const found: Component[] = [];
  for (const name of names) found.push(await componentOf(build, name));
  return found;
}

async function componentOf(build: Build, name: string): Promise<Component> {
  const { version, license: named, integrity } = lockedPackage(name);
  // Its package.json names the license of most fonts of the same publisher; its LICENSE is that of Bitstream Vera.
  const license = name === fontPackage ? 'Bitstream-Vera' : named;
  const directory = await packageDirectory(build, name);
  const isPartOfKoffi = name.startsWith('@koromix/koffi-');
  const from = isPartOfKoffi ? await packageDirectory(build, 'koffi') : directory;
  const notice = licenseText(from) ?? namedText(name, license, authorOf(directory));
  const holders =
    [notice, readmeOf(directory)].map(holdersOf).find(({ length }) => length > 0) ?? [];
  return {
    name,
    version,
    license,
    holders: holders.length > 0 ? holders : [`Copyright ${authorOf(directory)}`],
    notice,
    integrity,
  };
}

function licenseText(directory: string): string | undefined {
  const [file] = globSync('LICEN[CS]E*', { cwd: directory }).sort();
  return file === undefined ? undefined : readFileSync(`${directory}/${file}`, 'utf8').trim();
}

function readmeOf(directory: string): string {
  const [file] = globSync('README.md', { cwd: directory });
  return file === undefined ? '' : readFileSync(`${directory}/${file}`, 'utf8');
}

function authorOf(directory: string): string {
  const { author } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8')) as {
    author?: string | { readonly name: string };
  };
  return (typeof author === 'string' ? author : author?.name) ?? 'its authors';
}

/** Returns the text for a package that states its license only by name. No other license is written from a name. */
function namedText(name: string, license: string, author: string): string {
  if (license === 'MPL-2.0') return readFileSync(`${root}LICENSES/MPL-2.0.txt`, 'utf8').trim();
  if (license !== 'ISC') throw new Error(`${name} (${license}) has no file with its license`);
  return `Copyright (c) ${author}\n\n${licenseTexts.ISC}`;
}

/** Returns lines such as "Copyright (c) 2012-2024 Somebody", and no sentence that only mentions copyright. */
const holdersOf = (notice: string): readonly string[] => [
  ...new Set(
    notice
      .split('\n')
      .map((line) => line.trim().replace(/^[-*/\s]+/, ''))
      .filter((line) => /^copyright\b.{0,120}$/i.test(line) && /\d{4}|\(c\)|©/i.test(line)),
  ),
];

/** Returns the licenses of all components, as files that come with programs have them. */
export const noticesOf = (components: readonly Component[]): string =>
  [
    'Bulkhead contains code of others. These are its parts and their licenses.\n',
    ...components.map(
      ({ name, version, license, notice }) =>
        `${'='.repeat(78)}\n${name} ${version} (${license})\n${'='.repeat(78)}\n\n${notice}\n`,
    ),
  ].join('\n');

/** The text of licenses that components share, without names. */
export const licenseTexts = {
  MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`,
  'MIT-0': `Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`,
  ISC: `Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`,
} as const;
