/** The question whether another login replaces the session. Whatever closes it keeps the session. */
import { Dialog } from '../parts/dialog.tsx';
import { words } from '../state/language.ts';
import { answerOffer, offeredCode, sessionInfo } from '../state/session.ts';

export function OtherLogin() {
  const { otherLogin } = words.value.shell;
  const info = sessionInfo.value;
  if (offeredCode.value === undefined || info === undefined) return null;
  return (
    <Dialog title={otherLogin.title} onClose={() => answerOffer(false)}>
      <p>{otherLogin.why(info.user)}</p>
      <p class="choices">
        <button type="button" class="primary" autofocus onClick={() => answerOffer(false)}>
          {otherLogin.keep(info.user)}
        </button>{' '}
        <button type="button" onClick={() => answerOffer(true)}>
          {otherLogin.replace}
        </button>
      </p>
    </Dialog>
  );
}
