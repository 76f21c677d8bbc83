// SPDX-License-Identifier: GPL-2.0-only
#include "blob_main.c"
