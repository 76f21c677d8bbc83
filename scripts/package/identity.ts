/** The name, description and scripts of the packages. */
import { readFileSync } from 'node:fs';
import { ownUnits } from '../../src/host/systemd/own-units.ts';
import { root } from '../steps.ts';
import type { Format } from './tools.ts';

export const summary = 'divides one Linux host among many tenants';

/** Paragraphs of lines that are short enough for both formats. */
export const description: readonly string[] = [
  `Each tenant of a shared host gets limits on CPU, memory, disk I/O, processes
and disk space, which the stock kernel enforces, and a private view of the
host. The administrator writes one policy.`,
  `Nothing is limited before there is a policy, and no service is started before
the administrator enables it.`,
  'The package has its own Node.js runtime.',
];

/** The number of this packaging of a version. */
export const revision = 1;

/** Returns the maintainer, as Debian's tools take it from the environment. */
export const maintainer = (): string =>
  `${process.env['DEBFULLNAME'] ?? 'Bulkhead contributors'} <${process.env['DEBEMAIL'] ?? 'bulkhead@example.org'}>`;

/** The units that start at boot once they are enabled. */
const units = ownUnits.filter(({ use }) => use !== 'called').map(({ name }) => name);

/** Returns a script that the package manager runs, or another file of the format's directory. */
export const ownFile = (format: Format, name: string): string =>
  readFileSync(`${root}scripts/package/${format}/${name}`, 'utf8').replace(
    '@UNITS@',
    units.join(' '),
  );
