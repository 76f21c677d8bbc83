/**
 * Which of a tenant's cgroups are frozen where clients of a database are in them: a site, or the rest of the tenant, or
 * a unit of systemd in one of its slices. Never a slice itself, which would freeze sessions too.
 *
 *     u1001/s-shop.example                    of a tenant with sites
 *     u1001                                   of a tenant without
 *     user-1001.slice/bulkhead-1001.scope     a slice: what is in it
 */
import { partKindOf } from '../../plan/wanted.ts';

/** A cgroup by its path; tenants can make some below those of systemd's user manager, of any name. */
export interface CgroupNode {
  readonly path: string;
  readonly children: readonly CgroupNode[];
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** Returns the cgroups of a tenant that can be frozen each by itself. A session is for people who are logged in. */
export function unitsOf(top: CgroupNode): readonly string[] {
  const name = nameOf(top.path);
  if (name.endsWith('.slice')) {
    return top.children.flatMap((each) =>
      nameOf(each.path).endsWith('.slice') ? unitsOf(each) : isSession(each) ? [] : [each.path],
    );
  }
  const parts = top.children.filter(({ path }) => partKindOf(nameOf(path)) !== undefined);
  return parts.length === 0 ? [top.path] : parts.map(({ path }) => path);
}

const isSession = ({ path }: CgroupNode) => /^session-[^/]*\.scope$/.test(nameOf(path));
