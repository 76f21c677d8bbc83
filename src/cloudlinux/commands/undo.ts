/** CloudLinux commands and files, for `release --all`. */
import { existsSync } from 'node:fs';
import type { UndoStep } from '../../apply/undo-step.ts';
import type { Paths } from '../../host/paths.ts';
import { lveInfoMarker } from '../io/lve-info-file.ts';

export const undoCloudLinux = (paths: Paths): readonly UndoStep[] =>
  existsSync(lveInfoMarker(paths))
    ? [{ what: "CloudLinux's commands", command: ['cloudlinux', 'disable'] }]
    : [];
