/** The pages of members and of their incidents: use beside limits, history, and what happened. */
import type { TopRow } from '../../../agent/api/api.ts';
import type { PageProps } from '../page.ts';
import { Empty, Loading } from '../parts/notes.tsx';
import { words } from '../state/language.ts';
import { role, who } from '../state/live.ts';
import { href } from '../state/route.ts';
import { IncidentView } from './incident-view.tsx';
import { LimitOrigins } from './limit-origins.tsx';
import { MemberView, SiteLinks } from './member-view.tsx';

/** One tenant, one of its sites, or a reseller's sum. */
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
      <MemberView who={row} />
    </>
  );
}

/** A tenant and a reseller can have the same name; the member is `r1000` then. */
const findRow = (rows: readonly TopRow[], name: string) =>
  rows.find((each) => each.name === name && each.kind !== 'reseller') ??
  rows.find((each) => each.name === name || each.member === name);

function About({ row }: { readonly row: TopRow }) {
  const { about, tenants } = words.value.tenant;
  const { tenantsPage } = words.value;
  const facts = [
    ...(row.package === undefined ? [] : [about.package(row.package)]),
    ...(row.reseller === undefined ? [] : [about.reseller(row.reseller)]),
    ...(row.kind === 'reseller' ? [about.sum] : []),
    ...(row.tenant === undefined ? [] : [about.siteOf(row.tenant)]),
    about.uid(row.uid),
    ...(row.stopped === true ? [tenantsPage.stopped] : []),
  ];
  return (
    <div class="about">
      <p class="quiet">
        <a href={href(['tenants'])}>{tenants}</a> › {facts.join(' · ')}
      </p>
      {row.kind !== 'reseller' && <LimitOrigins who={row} />}
    </div>
  );
}

/** The page of a tenant: it begins with a sentence, and says what to do. */
export function Own() {
  const row = who.value?.rows.find(({ kind }) => kind === 'tenant');
  const { tenant } = words.value;
  if (row === undefined) return <Empty title={tenant.gone}>{tenant.goneHint}</Empty>;
  return (
    <>
      <MemberView who={row} isOwn />
      <SiteLinks who={row} />
      <LimitOrigins who={row} />
    </>
  );
}

/** One of its sites. */
export function OwnSite({ parameters: { name = '' } }: PageProps) {
  const row = who.value?.rows.find((each) => each.name === name);
  const { tenant } = words.value;
  return (
    <>
      <p>
        <a href={href([])}>{tenant.ownTitle}</a>
      </p>
      {row === undefined ? (
        <Empty title={tenant.gone}>{tenant.goneHint}</Empty>
      ) : (
        <>
          <MemberView who={row} />
          <LimitOrigins who={row} />
        </>
      )}
    </>
  );
}

/** One incident on a page of its own. */
export const Incident = ({ parameters: { id = '' } }: PageProps) => (
  <>
    <p>
      {role.value === 'tenant' ? (
        <a href={href([])}>‹ {words.value.tenant.ownTitle}</a>
      ) : (
        <a href={href(['incidents'])}>‹ {words.value.shell.pages.incidents}</a>
      )}
    </p>
    <div class="panel">
      <IncidentView id={id} />
    </div>
  </>
);
