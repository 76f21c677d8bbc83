/** Debian's file `copyright`: whose code is in the package, in the format 1.0 of Debian's copyright files. */
import { licenseTexts, type Component } from './licenses.ts';
import { fontPackage, resvgPackage } from './runtime.ts';
import { home } from './stage.ts';

export function copyrightFile(components: readonly Component[]): string {
  const bundled = components.filter((each) => !isApart(each));
  return [
    header,
    stanza('*', [own], 'Apache-2.0'),
    // Each bundle has code of several packages.
    stanza(
      `${home}/dist/*js`,
      [own, ...holdersOf(bundled)],
      ['Apache-2.0', ...bundled.map(({ license }) => license)],
    ),
    stanza(`${home}/dist/bpf/*`, [own], 'GPL-2.0-only'),
    ...components
      .filter(isApart)
      .map((each) =>
        stanza(`${home}/node_modules/${each.name}/*`, nativeHolders(each), each.license),
      ),
    ...Object.entries({ ...ownTexts(components), ...standalone }).map(
      ([name, text]) => `License: ${name}\n${indented(text)}`,
    ),
  ]
    .map((each) => `${each}\n`)
    .join('\n');
}

const header = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: bulkhead
Comment: Bulkhead contains code of others. Their notices and licenses, word for
 word, are in third-party.txt.gz next to this file.`;

const own = 'The Bulkhead contributors';
/** Whether it is next to the bundles, as files of its own. */
const isApart = ({ name }: Component) =>
  /koffi|^node-linux-/.test(name) || name === resvgPackage || name === fontPackage;

const stanza = (files: string, holders: readonly string[], license: string | readonly string[]) =>
  [
    `Files: ${files.replace(/^\//, '')}`,
    `Copyright: ${[...new Set(holders)].join('\n ')}`,
    `License: ${[...new Set([license].flat())].sort().join(' and ')}`,
  ].join('\n');

/** Returns `2012-2024 Somebody` for `Copyright (c) 2012-2024 Somebody`. */
const holdersOf = (components: readonly Component[]): readonly string[] =>
  components
    .flatMap(({ holders }) => holders)
    .map((line) => line.replace(/^copyright\s*(?:\(c\)|©)?\s*/i, '').replace(/\s*<.*$/, ''));

/** Node.js has parts of so many that its own file with licenses is the list. */
const nativeHolders = (component: Component): readonly string[] =>
  component.name.startsWith('node-linux-')
    ? ['Node.js contributors, and the authors of its parts (see third-party.txt.gz)']
    : holdersOf([component]);

const common = (file: string) =>
  `On Debian systems, the license is in /usr/share/common-licenses/${file}.`;

const standalone: Readonly<Record<string, string>> = {
  'Apache-2.0': common('Apache-2.0'),
  'GPL-2.0-only': common('GPL-2'),
  'MPL-2.0': common('MPL-2.0'),
  ...licenseTexts,
};

/** Licenses in the words of the parts that have them: parts next to the bundles, and licenses without a shared text. */
const ownTexts = (components: readonly Component[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    components
      .filter((each) => isApart(each) || !Object.hasOwn(standalone, each.license))
      .map(({ license, notice }) => [license, notice] as const),
  );

/** Returns a text as the value of a field has it: indented, and with a dot for each empty line. */
const indented = (text: string) =>
  text
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line}`))
    .join('\n');
