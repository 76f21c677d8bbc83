// SPDX-License-Identifier: Apache-2.0
/* As serving.c, and waits for the application for a second only. */
#define READY_MILLISECONDS 1000
#include "serving.c"
