/** The bar: the host, find, the state of the connection, and who is logged in. */
import { numbers, product, words } from '../state/language.ts';
import { href } from '../state/route.ts';
import { logOut, sessionInfo } from '../state/session.ts';
import { isFramed } from '../state/connection/siblings.ts';
import { connection, frame } from '../state/stream.ts';
import { Choices } from './choices.tsx';
import { Find } from './find.tsx';

export const Bar = () => (
  <header class="bar-top">
    <a class="brand" href={href([])}>
      {product}
    </a>
    <span class="host quiet">{sessionInfo.value?.host ?? location.hostname}</span>
    <Find />
    <Live />
    {!isFramed && <Account />}
  </header>
);

/** A change of the state is announced; the ticks of the clock are not. */
function Live() {
  const { shell } = words.value;
  const at = frame.value?.at;
  const state = connection.value;
  // Before the first tick there is no time.
  const isTimed = at !== undefined && at > 0;
  const texts = {
    connecting: shell.connecting,
    live: isTimed ? shell.live(numbers.value.time(at, Date.now())) : shell.liveNow,
    reconnecting: shell.reconnecting,
    paused: shell.paused,
  };
  return (
    <span class="live" data-state={state}>
      <span aria-hidden="true">●</span> <span class="live-text">{texts[state]}</span>
      <span class="hidden" role="status">
        {state === 'live' ? '' : texts[state]}
      </span>
    </span>
  );
}

function Account() {
  const { shell } = words.value;
  const info = sessionInfo.value;
  if (info === undefined) return null;
  const name = info.user === info.by ? info.user : shell.asUser(info.user);
  return (
    <details class="account">
      <summary>{name}</summary>
      <div class="menu">
        {info.readOnly && <p>{shell.readOnly}</p>}
        <Choices />
        <button type="button" onClick={() => void logOut()}>
          {shell.signOut}
        </button>
      </div>
    </details>
  );
}
