/** The question whether another login replaces the session. Whatever closes it keeps the session. */
import type { ConsoleSessionResponse } from '../../../agent/api/console-api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { words } from '../state/language.ts';
import { answerOffer, offer, sessionInfo } from '../state/session.ts';
import { loginFailureWords } from '../pages/login.tsx';

export function OtherLogin() {
  const { otherLogin, login } = words.value.shell;
  const info = sessionInfo.value;
  const offered = offer.value;
  if (offered === undefined || info === undefined) return null;
  const isLogin = offered.kind === 'login';
  const own = nameOf(info);
  const other = isLogin ? nameOf(offered.start) : '';
  return (
    <Dialog
      title={isLogin ? otherLogin.title(other) : login.failed}
      onClose={() => answerOffer(false)}
    >
      <p>{isLogin ? otherLogin.why(own, other) : loginFailureWords(offered.failure)}</p>
      <p class="choices">
        <button type="button" class="primary" autofocus onClick={() => answerOffer(false)}>
          {otherLogin.keep(own)}
        </button>{' '}
        {isLogin && (
          <button type="button" onClick={() => answerOffer(true)}>
            {otherLogin.replace(other)}
          </button>
        )}
      </p>
    </Dialog>
  );
}

const nameOf = ({ user, by }: ConsoleSessionResponse) =>
  user === by ? user : words.value.shell.otherLogin.madeBy(user, by);
