/** The requirements of the demo that this host lacks, in words that explain what to do. */
import { existsSync } from 'node:fs';
import {
  findHierarchies1,
  findUnified,
  wantedControllers,
} from '../../src/host/cgroups/hierarchies.ts';
import { readMounts } from '../../src/sys/files/mounts.ts';
import { paths } from './place.ts';

const directories = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
const programs: Readonly<Record<string, string>> = {
  dd: 'coreutils',
  head: 'coreutils',
  nice: 'coreutils',
  tail: 'coreutils',
  timeout: 'coreutils',
};

/** Returns the obstacles; empty if the demo can run, as far as a check without trying shows. */
export function findBlockers(): readonly string[] {
  return [...rootMissing(), ...controllersMissing(), ...programsMissing()];
}

function rootMissing(): readonly string[] {
  if (process.getuid?.() === 0) return [];
  return ['It must run as root, since only root may set limits: sudo npm run demo'];
}

function controllersMissing(): readonly string[] {
  const mounts = readMounts(paths).filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  if (mounts.length === 0) {
    return [
      'No cgroups are mounted here; run it on the host itself, or in a container that is ' +
        'privileged and has /sys/fs/cgroup',
    ];
  }
  if (mounts.every(({ readOnly }) => readOnly)) {
    return [
      'The cgroups are mounted read-only, as they are in ordinary containers; run it on ' +
        'the host itself, or in a privileged container',
    ];
  }
  const unified = findUnified(paths)?.controllers ?? new Set();
  if (findHierarchies1(paths).length > 0 || wantedControllers.some((each) => unified.has(each))) {
    return [];
  }
  const names = wantedControllers.join(', ');
  return [
    `The cgroups that are mounted here have none of the controllers ${names}; run it on ` +
      'the host itself',
  ];
}

function programsMissing(): readonly string[] {
  return Object.entries(programs)
    .filter(([name]) => !directories.some((directory) => existsSync(`${directory}/${name}`)))
    .map(([name, from]) => `The program ${name} is missing; install ${from}`);
}
