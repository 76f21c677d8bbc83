/** The shell: bar, navigation and the page of the address, or the way to log in. */
import { useEffect, useRef } from 'preact/hooks';
import { Bar } from './shell/bar.tsx';
import { OtherLogin } from './shell/other-login.tsx';
import { Icon } from './parts/icon.tsx';
import { FailureNote, Loading } from './parts/notes.tsx';
import { PendingBar } from './parts/pending-bar.tsx';
import { LoginPage } from './pages/login.tsx';
import { matchPage, segmentsOf, type Page } from './page.ts';
import { pages } from './pages.ts';
import { product, words } from './state/language.ts';
import { role, whoFailure } from './state/live.ts';
import { href, isEmbedded, route } from './state/route.ts';
import { session } from './state/session.ts';

export function App() {
  if (session.value.kind !== 'open') return <LoginPage session={session.value} />;
  if (isEmbedded.value)
    return (
      <div class="columns">
        <OtherLogin />
        <Content />
      </div>
    );
  const { shell } = words.value;
  const skipTo = (id: string) => (event: Event) => {
    event.preventDefault();
    document.getElementById(id)?.focus();
  };
  return (
    <>
      <a class="skip" href="#content" onClick={skipTo('content')}>
        {shell.skipToContent}
      </a>
      {(role.value === 'root' || role.value === 'reseller') && (
        <a class="skip" href="#find" onClick={skipTo('find')}>
          {shell.skipToFind}
        </a>
      )}
      <OtherLogin />
      <Bar />
      <PendingBar />
      <div class="columns">
        <Navigation />
        <Content />
      </div>
    </>
  );
}

function Navigation() {
  const own = role.value;
  const shown = pages.filter(
    ({ icon, roles, isListed }) =>
      icon !== undefined && own !== undefined && roles.includes(own) && isListed?.() !== false,
  );
  if (shown.length < 2) return null;
  return (
    <nav aria-label={words.value.shell.navigation}>
      {shown.map((page) => (
        <NavigationLink key={page.path} page={page} />
      ))}
    </nav>
  );
}

function NavigationLink({ page }: { readonly page: Page }) {
  const segments = segmentsOf(page.path);
  const { path } = route.value;
  const isHere = path[0] === segments[0];
  const isExact = isHere && path.length === segments.length;
  return (
    <a
      href={href(segments)}
      class={isHere ? 'here' : undefined}
      {...(isExact && { 'aria-current': 'page' })}
    >
      {page.icon !== undefined && <Icon name={page.icon} />}
      <span>{page.title(words.value, {})}</span>
      {page.beside && <page.beside />}
    </a>
  );
}

function Content() {
  const main = useRef<HTMLElement>(null);
  const own = role.value;
  const { path } = route.value;
  const matched = own === undefined ? undefined : matchPage(pages, own, path);
  const title =
    matched?.page.title(words.value, matched.parameters) ?? words.value.shell.noSuchPage;
  const address = path.join('/');
  useEffect(() => {
    document.title = `${title} · ${product}`;
  }, [title]);
  const isFirst = useRef(true);
  useEffect(() => {
    // The focus goes where the content begins, as it would with a page that loads.
    if (!isFirst.current) {
      main.current?.querySelector('h1')?.focus();
      scrollTo(0, 0);
    }
    isFirst.current = false;
  }, [address]);
  return (
    <main ref={main} id="content" tabIndex={-1}>
      {own === undefined ? (
        <Waiting />
      ) : (
        <>
          <h1 tabIndex={-1}>{title}</h1>
          {matched === undefined ? (
            <NoSuchPage />
          ) : (
            <matched.page.view key={address} parameters={matched.parameters} />
          )}
        </>
      )}
    </main>
  );
}

const Waiting = () =>
  whoFailure.value === undefined ? <Loading /> : <FailureNote failure={whoFailure.value} />;

function NoSuchPage() {
  const { noSuchPageHint, toOverview } = words.value.shell;
  return (
    <div class="note">
      <p>{noSuchPageHint}</p>
      <p>
        <a href={href([])}>{toOverview}</a>
      </p>
    </div>
  );
}
