/** One tenant, one of its sites, or a reseller's sum: its use beside its limits, its history, and what happened. */
import type { TopRow } from '../../../agent/api/api.ts';
import type { PageProps } from '../page.ts';
import { ChangeLimits } from '../parts/change-limits.tsx';
import { LimitOrigins } from './limit-origins.tsx';
import { MemberView, SiteLinks } from './member-view.tsx';
import { OpenAs } from './open-as.tsx';
import { Empty, Loading } from '../parts/notes.tsx';
import { TenantChanges } from './tenant-changes.tsx';
import { tenantWords } from './tenant-words.ts';
import { words } from './words.ts';
import { who } from '../state/live.ts';
import { href } from '../state/route.ts';

export function Tenant({ parameters: { name = '' } }: PageProps) {
  if (who.value === undefined) return <Loading />;
  const row = findRow(who.value.rows, name);
  const { tenant } = words.value;
  if (row === undefined)
    return (
      <Empty title={tenant.gone}>
        <p>{tenant.goneHint}</p>
        <p>
          <a href={href(['tenants'])}>{tenant.toTenants}</a>
        </p>
      </Empty>
    );
  return (
    <>
      <About row={row} />
      <SiteLinks who={row} />
      <MemberView who={row}>{row.kind === 'tenant' && <TenantChanges who={row} />}</MemberView>
    </>
  );
}

/** A tenant and a reseller can have the same name; the member is `r1000` then. */
const findRow = (rows: readonly TopRow[], name: string) =>
  rows.find((each) => each.name === name && each.kind !== 'reseller') ??
  rows.find((each) => each.name === name || each.member === name);

function About({ row }: { readonly row: TopRow }) {
  const { about } = tenantWords.value;
  const { tenants } = words.value.tenant;
  const facts = [
    ...(row.package === undefined ? [] : [about.package(row.package)]),
    ...(row.reseller === undefined ? [] : [about.reseller(row.reseller)]),
    ...(row.kind === 'reseller' ? [about.sum] : []),
    ...(row.tenant === undefined ? [] : [about.siteOf(row.tenant)]),
    about.uid(row.uid),
    ...(row.stopped === true ? [words.value.stopped] : []),
  ];
  return (
    <div class="about">
      <p class="quiet">
        <a href={href(['tenants'])}>{tenants}</a> › {facts.join(' · ')}
      </p>
      <div class="tools">
        {row.kind !== 'site' && <ChangeLimits target={`${row.kind} ${row.name}`} />}
        {row.kind !== 'reseller' && <LimitOrigins who={row} />}
        {row.kind !== 'site' && <OpenAs name={row.name} />}
      </div>
    </div>
  );
}
