/** Whatever is on every page. Each part imports it, so that esbuild makes one chunk of it, not one for each set of users. */
import './bar.tsx';
import './other-login.tsx';
import '../pages/login.tsx';
import '../parts/lazy.tsx';
import '../parts/pending-bar.tsx';
import '../state/theme.ts';
