/** The page of a tenant: it begins with a sentence, and says what to do. */
import type { Page, PageProps } from '../page.ts';
import { LimitOrigins } from '../parts/limit-origins.tsx';
import { MemberView, SiteLinks } from '../parts/member-view.tsx';
import { Empty } from '../parts/notes.tsx';
import { words } from '../state/language.ts';
import { who } from '../state/live.ts';
import { href } from '../state/route.ts';

function Own() {
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
function OwnSite({ parameters: { name = '' } }: PageProps) {
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

export const ownPage: Page = {
  path: '/',
  roles: ['tenant'],
  icon: 'overview',
  title: ({ tenant }) => tenant.ownTitle,
  view: Own,
};

export const ownSitePage: Page = {
  path: '/tenants/:name',
  roles: ['tenant'],
  title: (_, { name = '' }) => name,
  view: OwnSite,
};
