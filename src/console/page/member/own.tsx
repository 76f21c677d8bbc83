/** The page of a tenant: it begins with a sentence, and says what to do. */
import type { PageProps } from '../page.ts';
import { LimitOrigins } from './limit-origins.tsx';
import { MemberView, SiteLinks } from './member-view.tsx';
import { Empty } from '../parts/notes.tsx';
import { words } from './words.ts';
import { who } from '../state/live.ts';
import { href } from '../state/route.ts';

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
        <a href={href([])}>{words.value.shell.pages.own}</a>
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
