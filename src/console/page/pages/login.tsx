/** The page without a session: which command gives one. */
import { CopyButton } from '../parts/command-line.tsx';
import { Choices } from '../shell/choices.tsx';
import { Loading } from '../parts/notes.tsx';
import { product, words } from '../state/language.ts';
import { failureWords, type Failure } from '../state/request.ts';
import type { Session } from '../state/session.ts';
import { isFramed } from '../state/connection/siblings.ts';

type Closed = Exclude<Session, { readonly kind: 'open' }>;

const loginCommand = 'bulkhead console login';

export function LoginPage({ session }: { readonly session: Closed }) {
  const { login } = words.value.shell;
  return (
    <main class="login">
      <p class="brand">{product}</p>
      <h1>{login.title}</h1>
      {session.kind === 'starting' ? <Loading /> : <Why session={session} />}
      {session.kind === 'none' && !isFramed && (
        <>
          <p>{login.how}</p>
          <p class="command">
            <code>{loginCommand}</code> <CopyButton text={loginCommand} />
          </p>
        </>
      )}
      {session.kind === 'none' && isFramed && <p>{login.inFrame}</p>}
      <Choices />
    </main>
  );
}

function Why({ session }: { readonly session: Extract<Closed, { readonly kind: 'none' }> }) {
  const { login } = words.value.shell;
  const { failure, hasEnded } = session;
  if (failure === undefined) return hasEnded === true ? <p role="alert">{login.ended}</p> : null;
  return (
    <p role="alert">
      <b>{login.failed}</b> {loginFailureWords(failure)}
    </p>
  );
}

export const loginFailureWords = (failure: Failure) =>
  failure.kind === 'ended' ? words.value.shell.login.badCode : failureWords(failure);
