/** The page of the console: starts everything that follows the address, the session and the stream, and draws. */
import { render } from 'preact';
import { App } from './app.tsx';
import { startLanguage } from './state/language.ts';
import { followMembers } from './state/live.ts';
import { followPresence } from './state/connection/presence.ts';
import { followRoute } from './state/route.ts';
import { startSession, takeNewCode } from './state/session.ts';
import { followStream } from './state/stream.ts';
import { followTheme } from './state/theme.ts';

const started = startSession();
addEventListener('hashchange', takeNewCode);
followRoute();
followTheme();
followPresence();
followStream();
followMembers();
await startLanguage();
render(<App />, document.getElementById('page')!);
await started;
