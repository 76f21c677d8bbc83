/**
 * Cgroups that another program creates and manages, recognized only by their names:
 *
 *     /docker/3f2a…             /system.slice/docker-3f2a….scope      /kubepods.slice/kubepods-burstable.slice/…
 *     /machine.slice/…          /lxc.payload.web/…                    /user.slice/…/user@1001.service/app.slice
 *
 * Only paths in the hierarchies with tenants count, in which only root can create such a name. Below its own systemd
 * user manager a tenant can, too, so that is checked first. Namespaces would prove nothing: any tenant can create some.
 */
import { printable } from '../../../packages/base/printable.ts';

interface Foreign {
  readonly kind: 'container' | 'user manager';
  readonly reason: string;
}

const userManager = /^user@\d{1,10}\.service$/;
const containers: readonly RegExp[] = [
  /^docker(-.*\.scope)?$/,
  /^libpod([_-].*)?$/,
  /^crio([-_].*)?$/,
  /^(cri-)?containerd([-_:].*)?$/,
  /^kubepods([-.].*)?$/,
  /^lxc$/,
  /^lxc\.payload([.@].*)?$/,
  /^machine\.slice$/,
];
const pathCharactersMax = 160;

/** Returns the other manager's cgroup, if it is one. `path` as in /proc/PID/cgroup. */
export function foreignCgroup(path: string): Foreign | undefined {
  const names = path.split('/');
  if (names.some((name) => userManager.test(name))) {
    return { kind: 'user manager', reason: `It belongs to a systemd user manager: ${shown(path)}` };
  }
  if (names.some((name) => containers.some((each) => each.test(name)))) {
    return { kind: 'container', reason: `It is in a container's cgroup: ${shown(path)}` };
  }
  return undefined;
}

function shown(path: string): string {
  const short = path.length > pathCharactersMax ? `${path.slice(0, pathCharactersMax)}…` : path;
  return `"${printable(short)}"`;
}
