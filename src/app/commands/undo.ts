/** Applications, for `release --all`: their programs end, and their units are removed. */
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { existsSync } from 'node:fs';
import { appPaths } from '../io/layout.ts';
import { ownAppsDirectory } from '../io/own-apps.ts';
import { hasApps } from '../io/plan.ts';
import { removeApps } from '../io/reconcile.ts';

export const undoApps = (paths: Paths): readonly UndoStep[] =>
  hasApps(paths) ||
  [appPaths(paths).disabled, ownAppsDirectory(paths)].some((each) => existsSync(each))
    ? [{ what: "tenants' applications", run: () => removeApps(paths) }]
    : [];
