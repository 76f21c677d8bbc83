/**
 * The table of attacks, in the order in which they run. To add one: a constant in a file next to this one, and a name
 * here.
 */
import type { Attack } from '../core/attack.ts';
import {
  diskBandwidth,
  diskBandwidthBuffered,
  diskFlood,
  diskFloodDirect,
  fileFlood,
} from './disk.ts';
import {
  cgroupLimits,
  cgroupMove,
  cgroupNamespace,
  leakedDescriptor,
  leakedDirectory,
  oomScoreAdjust,
  outsideCgroup,
  raisePriority,
  typeIntoTerminal,
} from './escape.ts';
import { autoloadModule, kernelCalls, kernelLog, loadModule, oldCalls } from './kernel.ts';
import { hardLinkOther, plantedFile, symlinkServer, symlinkShared } from './links.ts';
import {
  busyLoop,
  descriptorFlood,
  forkChains,
  forkStorm,
  memoryHog,
  threadStorm,
} from './load.ts';
import {
  directMail,
  keptPort,
  metadataService,
  neighbourPort,
  publicPort,
  refusedAddress,
} from './network.ts';
import { connectionStorm, uploadFlood } from './network-load.ts';
import {
  abstractSocket,
  accountHomes,
  killOther,
  neighbourHome,
  ptraceOther,
  readEnvironment,
  readMaps,
  seeProcesses,
} from './others.ts';
import { outsideJail } from './programs.ts';
import { eventFlood, terminalFlood } from './pools.ts';
import {
  fuseMount,
  makeDevice,
  mountNew,
  mountTmpfs,
  openDevices,
  setuidProgram,
  subordinateUid,
  userNamespace,
  userNamespaceClone3,
} from './privilege.ts';

export const attacks: readonly Attack[] = [
  busyLoop,
  memoryHog,
  oomScoreAdjust,
  forkStorm,
  threadStorm,
  forkChains,
  descriptorFlood,
  terminalFlood,
  eventFlood,
  diskFlood,
  diskFloodDirect,
  fileFlood,
  diskBandwidth,
  diskBandwidthBuffered,
  cgroupMove,
  cgroupLimits,
  cgroupNamespace,
  outsideCgroup,
  outsideJail,
  raisePriority,
  neighbourHome,
  accountHomes,
  seeProcesses,
  readEnvironment,
  readMaps,
  ptraceOther,
  killOther,
  abstractSocket,
  neighbourPort,
  keptPort,
  directMail,
  metadataService,
  refusedAddress,
  publicPort,
  connectionStorm,
  uploadFlood,
  symlinkServer,
  symlinkShared,
  plantedFile,
  hardLinkOther,
  leakedDescriptor,
  leakedDirectory,
  typeIntoTerminal,
  setuidProgram,
  makeDevice,
  openDevices,
  mountTmpfs,
  mountNew,
  userNamespace,
  userNamespaceClone3,
  subordinateUid,
  fuseMount,
  loadModule,
  autoloadModule,
  kernelLog,
  kernelCalls,
  oldCalls,
];
