/**
 * The table of layouts. A layout is one file in `hosts/`, and one word here. Where two match, the first counts, so those
 * that need more files to be there come first.
 */
import type { Layout, PhpLayout } from './layout.ts';
import { cloudLinuxAlt } from './hosts/cloudlinux-alt.ts';
import { cpanel } from './hosts/cpanel.ts';
import { debian } from './hosts/debian.ts';
import { directAdmin } from './hosts/directadmin.ts';
import { enterpriseLinux } from './hosts/enterprise-linux.ts';
import { caddy, liteSpeed, nginxFromSource } from './hosts/others.ts';
import { plesk } from './hosts/plesk.ts';
import { remi } from './hosts/remi.ts';
import { scl } from './hosts/scl.ts';

export const layouts: readonly Layout[] = [
  debian,
  cpanel,
  directAdmin,
  enterpriseLinux,
  remi,
  scl,
  plesk,
  cloudLinuxAlt,
  nginxFromSource,
  liteSpeed,
  caddy,
];

/** One build of PHP: a layout, and the version; the version is empty where the layout has one PHP. */
export interface PhpBuild {
  readonly layout: PhpLayout;
  readonly version: string;
}

const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Fills in the version. */
export const filledIn = (text: string, version: string): string =>
  text.replaceAll('{version}', version).replaceAll('{digits}', version.replace('.', ''));

/** Returns the pattern of paths for every version. */
export const anyVersion = (text: string): string =>
  text.replaceAll(/\{(?:version|digits)\}/g, '[0-9]*');

/** Returns the version in a text that was filled in; undefined if it was not made from this one. */
export function versionIn(text: string, { version }: PhpLayout, found: string): string | undefined {
  const [first = '', ...rest] = text.split('{version}').map(literally);
  const pattern = rest.length === 0 ? first : `${first}(${version?.source})${rest.join('\\1')}`;
  const match = new RegExp(`^${pattern}$`).exec(found);
  return match === null ? undefined : (match[1] ?? '');
}

/** Returns the build with a name such as `8.4`, `ea-php83` or `el`. */
export function phpBuild(id: string): PhpBuild | undefined {
  for (const { php } of layouts) {
    const version = php && versionIn(php.id, php, id);
    if (php !== undefined && version !== undefined) return { layout: php, version };
  }
  return undefined;
}

/** Matches the names of all builds that have one of their own: `ea-php83`, `el`, and not `8.4`. */
export const namedBuilds: string = layouts
  .flatMap(({ php }) => (php === undefined || php.id === '{version}' ? [] : php))
  .map(({ id, version }) => literally(id).replace('\\{version\\}', `(?:${version?.source})`))
  .join('|');

/** A name that no layout knows is treated as Debian's. */
const knownBuild = (id: string): PhpBuild => phpBuild(id) ?? { layout: debian.php!, version: id };

/** Returns the systemd unit of a build. */
export function distributionUnit(id: string): string {
  const { layout, version } = knownBuild(id);
  return filledIn(layout.unit, version);
}

/** Returns the directory for Bulkhead's own sockets of a build. */
export const socketsOf = (id: string): string => knownBuild(id).layout.sockets;

/** Returns the account of a panel's own that writes the pool files of a build. */
export const poolWriterOf = (id: string): string | undefined => knownBuild(id).layout.poolWriter;

/** Returns the patterns of the files that a build reads when it starts, apart from its pools. */
export function settingsOf(id: string): readonly string[] {
  const { layout, version } = knownBuild(id);
  return layout.settings.map((each) => filledIn(each, version));
}

/** Patterns of all php-fpm programs. */
export const phpPrograms: readonly string[] = layouts.flatMap(({ php }) =>
  php === undefined ? [] : anyVersion(php.program),
);

/** Matches the names of all layouts' units, without `.service`. */
export const phpUnits = new RegExp(
  `^(?:${layouts
    .flatMap(({ php }) => php?.unit.slice(0, -'.service'.length) ?? [])
    .map((unit) => literally(unit).replaceAll(/\\\{(?:version|digits)\\\}/g, '[\\d.]*'))
    .join('|')})$`,
);

/** Groups of web servers: Debian's first, then others. */
export const webGroups: readonly string[] = ['www-data', 'nginx', 'apache'];
